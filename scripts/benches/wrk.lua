-- What wrk's own lines round: finished responses, bytes, microseconds.
function done(summary)
    io.write(string.format("counted %d %d %d\n", summary.requests, summary.bytes, summary.duration))
end
