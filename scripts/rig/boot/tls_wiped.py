"""Keys that come in the ramdisk, looked for in all of the domain's memory: their text is nowhere once the guest listens."""

import secrets

from ..checks import require
from .client import get
from .tls_ramdisk import start, tar

CORE = "core"


def memory(stage):
    """All pages of the domain, as xl dump-core writes them."""
    # The shared folder takes no pages of another domain.
    stage.machine.check(f"xl dump-core {stage.domain.name} /tmp/{CORE} && cp /tmp/{CORE} /rig/ && rm /tmp/{CORE}")
    path = stage.machine.share / CORE
    found = path.read_bytes()
    path.unlink()
    return found


def nowhere(stage, configs, content, pair):
    """With an image that has HTTPS, and with one that has not."""
    seed = secrets.token_hex(64).encode()
    # The lines of the key's Base64: where memory was freed, the first one's begin may be another's by now.
    lines = pair[1].read_bytes().splitlines()[1:-1]
    path = tar(stage.folder / "wiped.tar", content, {"": pair, "other.example": pair}, seed)
    texts = [(f"line {number} of the key", line) for number, line in enumerate(lines)] + [("seed", seed)]
    require(all(text in path.read_bytes() for _, text in texts), "the ramdisk has not what is looked for")
    for what, config in configs.items():
        with stage.check(f"https: an image {what} HTTPS leaves neither keys nor seed of the ramdisk in its memory"):
            start(stage, config, path)
            require(stage.store("data/site") == "ramdisk", "the ramdisk is not served")
            for name in ("key.pem", "seed", "other.example/key.pem"):
                require(get(stage.address, f"/.tls/{name}")[0] == 404, f"{name} is served")
            found = memory(stage)
            require((content / "index.html").read_bytes()[:256] in found, "its memory has not even the site")
            for name, text in texts:
                require(text not in found, f"the {name} is there {found.count(text)} times")
        stage.destroy()
