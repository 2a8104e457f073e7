-- Requests of several kinds in turn, for wrk: whole pages, packed ones, parts, and what is known.
local kinds = {}
local turn = 0

function init()
    kinds = {
        wrk.format("GET", "/"),
        wrk.format("GET", "/", { ["Accept-Encoding"] = "gzip, deflate, br, zstd" }),
        wrk.format("GET", "/robots.txt", { ["Range"] = "bytes=0-3" }),
        wrk.format("GET", "/", { ["If-None-Match"] = "*" }),
        wrk.format("GET", "/css/style.css", { ["Cookie"] = "a=b; c=d", ["User-Agent"] = "wrk" }),
    }
end

function request()
    turn = turn % #kinds + 1
    return kinds[turn]
end
