"""The servers that are measured, each started in a namespace."""

import os
import shutil

from rig.peer import NGINX
from rig.place import BUILD, REPOSITORY
from .space import BenchError

HALFPAGE = BUILD / "halfpage-tap"
RELEASE = REPOSITORY / "target" / "release"


def nginx(space, site, folder, prefix=(), also=""):
    """nginx at its best settings, one worker; `also`: what else stands in its block `http`."""
    folder.mkdir(parents=True, exist_ok=True)
    config = NGINX.format(folder=folder, site=site).rstrip().removesuffix("}")
    (folder / "nginx.conf").write_text(f"{config}{also}}}\n", encoding="utf-8")
    found = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    child = space.start(*prefix, found, "-p", folder, "-c", folder / "nginx.conf")
    wait_until(child, lambda: listens(space), "nginx")
    return child


def halfpage(space, site, address, tap, options=(), prefix=()):
    """Our server on a tap, which it makes; what it prints is read up to the line that it listens."""
    if not HALFPAGE.exists():
        raise BenchError("build/halfpage-tap is missing: make tap")
    words = [*prefix, HALFPAGE, "--tap", tap, "--ip", address, "--site", site, "--log", "warn", *options]
    return listening(space.start(*words, stdout=-1, text=True), "halfpage-tap")


def smoltcp(space, site, address, tap, options=(), prefix=()):
    """smoltcp on a tap, which it makes."""
    words = [*prefix, program("smoltcp-server"), "--tap", tap, "--ip", address, "--site", site, *options]
    return listening(space.start(*words, stdout=-1, text=True), "smoltcp-server")


def lossy_link(space, taps, options):
    """The link with faults; its taps are made in the namespace."""
    return listening(space.start(program("lossy-link"), *taps, *options, stdout=-1, text=True), "lossy-link")


def program(name):
    """A program of netstack/bench."""
    path = RELEASE / name
    if not path.exists():
        raise BenchError(f"{path} is missing: cargo build --release -p halfpage-bench")
    return path


def listening(child, name):
    """Reads the one line that says a program is ready."""
    line = child.stdout.readline()
    if not line.startswith(("listening", "ready")):
        raise BenchError(f"{name} did not start: {line.strip()}")
    return child


def listens(space):
    """Whether something listens on port 80 in a namespace."""
    return ":0050 00000000:0000 0A" in space.run("cat", "/proc/net/tcp")


def wait_until(child, ready, name):
    """Waits until a server listens."""
    import time  # pylint: disable=import-outside-toplevel

    for _ in range(500):
        if child.poll() is not None:
            raise BenchError(f"{name} ended with status {child.returncode}")
        if ready():
            return
        time.sleep(0.01)
    raise BenchError(f"{name} does not listen")
