"""A processor without a generator of random numbers: 443 opens only where the ramdisk brings a seed."""

import os

from ..checks import require
from .client import get
from .tls_client import Secure, trusting
from .tls_ramdisk import shut, start, tar

# xl.cfg(5). Whatever the processor has, Xen says that the domain has none.
WITHOUT = 'cpuid="host,rdrand=0,rdseed=0"'
SEED_BYTES = 64
SHUT = r"the processor gives no random numbers, and the ramdisk has no \.tls/seed"


def weak(stage, config, content, pair, full):
    """Without a seed, with one that is too short, and with one."""
    for what, seed in (("no seed", None), ("a seed of 31 bytes", os.urandom(31)))[: 2 if full else 1]:
        with stage.check(f"https: no RDRAND and no RDSEED, {what}: 443 stays shut, and one line says why"):
            start(stage, config, tar(stage.folder / "weak", content, {"": pair}, seed), WITHOUT)
            shut(stage, content, SHUT)
            require("] WARN  entropy: no RDSEED and no RDRAND" in stage.domain.said(), "it says nothing of its entropy")
        stage.destroy()
    with stage.check("https: no RDRAND and no RDSEED, but a seed in the ramdisk: 443 opens"):
        start(stage, config, tar(stage.folder / "weak", content, {"": pair}, os.urandom(SEED_BYTES)), WITHOUT)
        require("] WARN  entropy: no RDSEED and no RDRAND" in stage.domain.said(), "it says nothing of its entropy")
        require(stage.store("data/tls/status") == "ok", f"the store says {stage.store('data/tls/status')}")
        body = Secure(stage.address, trusting(pair[0])).get("/", close=True)[2]
        require(body == (content / "index.html").read_bytes(), "other bytes")
        require(get(stage.address, "/.tls/seed")[0] == 404, "the seed is served")
    stage.destroy()
