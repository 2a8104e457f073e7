"""The site as a client sees it."""

import hashlib
import re
import subprocess
import tempfile
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..checks import require
from .client import Exchange, get

SEQUENTIAL = 1000
PARALLEL = 64


def served(site):
    """The files of a site that are served: names that start with a dot are not, .well-known apart."""
    for path in sorted(site.rglob("*")):
        parts = path.relative_to(site).parts
        if path.is_file() and all(not part.startswith(".") or part == ".well-known" for part in parts):
            yield path


def url(address, site, path):
    """Where a file of the site is."""
    return f"http://{address}/{urllib.parse.quote(str(path.relative_to(site)))}"


def every_file(stage, site):
    """curl gets each file byte for byte."""
    files = list(served(site))
    with stage.check(f"all {len(files)} files of {site.name} are fetched by curl, equal byte for byte"):
        require(files, "the site has no files")
        with tempfile.NamedTemporaryFile() as got:
            for path in files:
                line = ["curl", "-sS", "--fail", "--max-time", "30", "-o", got.name, url(stage.address, site, path)]
                result = subprocess.run(line, capture_output=True, text=True, check=False)
                require(result.returncode == 0, f"{path.name}: {result.stderr.strip()}")
                require(Path(got.name).read_bytes() == path.read_bytes(), f"{path.name} differs")


def answers(stage, site):
    """The kinds of answer that a cache or a browser asks for."""
    address = stage.address
    index = (site / "index.html").read_bytes()
    with stage.check("/ is index.html, with type, length, date and tag"):
        status, headers, body = get(address, "/")
        require((status, body) == (200, index), f"status {status}, {len(body)} bytes")
        require(headers.get("content-type", "").startswith("text/html"), f"type {headers.get('content-type')}")
        require(headers.get("content-length") == str(len(index)), f"length {headers.get('content-length')}")
        require("date" in headers and "etag" in headers, f"headers are {sorted(headers)}")
    with stage.check("HEAD has the head of GET and no body"):
        status, headers, body = get(address, "/", method="HEAD")
        require((status, body) == (200, b""), f"status {status}, {len(body)} bytes")
        require(headers.get("content-length") == str(len(index)), f"length {headers.get('content-length')}")
    with stage.check("a known ETag gets 304 without a body"):
        _, headers, _ = get(address, "/")
        status, again, body = get(address, "/", f"If-None-Match: {headers['etag']}")
        require((status, body, again["etag"]) == (304, b"", headers["etag"]), f"status {status}, {len(body)} bytes")
    with stage.check("an unknown name gets 404"):
        require(get(address, "/no/such/page")[0] == 404, "another status")
    with stage.check("a method that is not ours gets 405 or 501"):
        require(get(address, "/", method="DELETE")[0] in (405, 501), "another status")
    with stage.check("ten requests share one connection, two of them at once"), Exchange(address) as exchange:
        one = "GET / HTTP/1.1\r\nHost: test\r\n\r\n"
        for _ in range(9):
            status, _, body = exchange.send(one).response()
            require((status, body) == (200, index), f"status {status}, {len(body)} bytes")
        last = one.replace("Host", "Connection: close\r\nHost")
        rest = exchange.send(one + last).rest()
        require(rest.count(b"HTTP/1.1 200 ") == 2 and rest.count(index) == 2, f"{len(rest)} bytes for two requests")


def folders(stage, site):
    """A folder redirects to its slash, where its index is."""
    with stage.check("a folder gets 301 to its slash, and its index there"):
        folder = next(path.parent for path in served(site) if path.name == "index.html" and path.parent != site)
        name = "/" + urllib.parse.quote(str(folder.relative_to(site)))
        status, headers, _ = get(stage.address, name)
        require(
            status == 301 and headers["location"].endswith(name + "/"), f"status {status}, {headers.get('location')}"
        )
        status, _, body = get(stage.address, name + "/")
        require((status, body) == (200, (folder / "index.html").read_bytes()), f"status {status}")


def hidden(stage, site):
    """Names that start with a dot are not served."""
    with stage.check("a name that starts with a dot is not served"):
        found = [path for path in site.rglob(".*") if path.is_file()]
        require(found, "the site has none to try")
        for path in found:
            require(get(stage.address, "/" + path.name)[0] == 404, f"{path.name} is served")


def load(stage, site, big):
    """Many connections, one after the other and at once."""
    with stage.check(f"{SEQUENTIAL} connections one after the other"):
        index = (site / "index.html").read_bytes()
        for number in range(SEQUENTIAL):
            status, _, body = get(stage.address, "/")
            require((status, body) == (200, index), f"connection {number}: status {status}, {len(body)} bytes")
    with stage.check(f"{PARALLEL} connections at once, a file of {big.stat().st_size} bytes each, digests equal"):
        at_once(stage, site, big, PARALLEL)


def digest(stage, name):
    """The digest of a page of the site, or why curl did not get it."""
    line = ["curl", "-sS", "--fail", "--max-time", "300", f"http://{stage.address}/{urllib.parse.quote(name)}"]
    result = subprocess.run(line, capture_output=True, check=False)
    return hashlib.sha256(result.stdout).hexdigest() if result.returncode == 0 else result.stderr.decode()


def at_once(stage, site, big, connections):
    """So many connections fetch a file."""
    wanted = hashlib.sha256(big.read_bytes()).hexdigest()
    name = str(big.relative_to(site))
    with ThreadPoolExecutor(connections) as pool:
        wrong = [found for found in pool.map(lambda _: digest(stage, name), range(connections)) if found != wanted]
    require(not wrong, f"{len(wrong)} of {connections} differ, the first: {wrong[:1]}")


def wrk(stage, connections, seconds):
    """wrk asks as fast as it is answered, and sees no error."""
    with stage.check(f"wrk with {connections} connections sees no error"):
        line = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", f"http://{stage.address}/"]
        said = subprocess.run(line, capture_output=True, text=True, check=True).stdout
        speed = re.search(r"^Requests/sec:\s+([0-9.]+)", said, re.MULTILINE)
        require(speed and float(speed[1]) > 0, f"it says {said}")
        require(not re.search(r"Socket errors|Non-2xx", said), f"it says {said}")
        print(f"     {speed[1]} requests/s", flush=True)
        require(not (complaints := stage.complaints()), f"it complains: {complaints[:5]}")
