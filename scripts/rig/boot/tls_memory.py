"""The least memory with which a guest serves over HTTPS."""

import os
import random
import shutil
import subprocess

from ..checks import require
from ..machine import MachineError
from ..place import REPOSITORY
from .tls_client import Secure, trusting

# MiB that are tried; the least is to be no more than the last.
SIZES = range(4, 13)
# The pages of scripts/xen-bench.
PAGES = {"100": 100, "8192": 8192, "1048576": 1 << 20}
AT_ONCE = 8
SECONDS = 30


def image(folder, pair):
    """An image with a certificate of its own and the pages; its configuration, and the pages."""
    site, out = folder / "small-site", folder / "small-image"
    shutil.rmtree(site, ignore_errors=True)
    site.mkdir(parents=True)
    pages = {f"/{name}.bin": random.Random(size).randbytes(size) for name, size in PAGES.items()}
    (site / "index.html").write_text("<!doctype html><title>small</title>\n")
    for name, body in pages.items():
        (site / name[1:]).write_bytes(body)
    environment = {**os.environ, "TLS": "1", "TLS_CERT": str(pair[0]), "TLS_KEY": str(pair[1]), "SITE": str(site)}
    environment["HALFPAGE_BUILD"] = str(out)
    subprocess.run([REPOSITORY / "scripts/image"], env=environment, check=True, stderr=subprocess.DEVNULL)
    return out / "xen.cfg", pages


def serves(stage, config, size, pair, pages):
    """Whether a guest of that size gives each page, on some connections at once."""
    stage.destroy()
    try:
        stage.start(config, f"memory={size}")
        stage.domain.expect(r"listening on https://", SECONDS)
        stage.listening()
        context = trusting(pair[0])
        connections = [Secure(stage.address, context) for _ in range(AT_ONCE)]
        for name, body in pages.items():
            for connection in connections:
                if connection.get(name)[2] != body:
                    return False
    except (MachineError, OSError) as error:
        print(f"     memory={size}: {str(error).splitlines()[0]}", flush=True)
        return False
    return True


def least(stage, folder, pair):
    """The figure."""
    with stage.check(f"https: it serves with memory={SIZES[-1]}, and with how much less"):
        config, pages = image(folder, pair)
        low, high = 0, len(SIZES)
        while low < high:
            middle = (low + high) // 2
            if serves(stage, config, SIZES[middle], pair, pages):
                high = middle
            else:
                low = middle + 1
        require(low < len(SIZES), f"it does not serve with memory={SIZES[-1]}")
        print(f"figure https: least memory= that serves {AT_ONCE} connections: {SIZES[low]} MiB", flush=True)
    stage.destroy()
