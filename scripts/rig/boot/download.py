"""A large file through a link that loses packets."""

import hashlib
import json
import random
import subprocess

from ..checks import require
from ..relay import Relay

NAME = "body.bin"
SIZE = 100_000_000
SECONDS = 900
# What a guest needs with it, in MiB.
MEMORY = 160


def site(folder, size=SIZE):
    """A site with one large file, which does not compress."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text("<!doctype html><title>download</title>\n")
    file = folder / NAME
    if not file.exists() or file.stat().st_size != size:
        numbers = random.Random(size)
        with file.open("wb") as out:
            for start in range(0, size, 10**7):
                out.write(numbers.randbytes(min(10**7, size - start)))
    return folder


def through_losses(stage, folder, delay=0):
    """The file comes through the relay, with the right digest, though packets were lost."""
    wanted = digest(folder / NAME)
    size = (folder / NAME).stat().st_size
    for loss in (0.01, 0.05):
        with stage.check(f"{size // 10**6} MB through a link that loses {loss:.0%}, digest right"):
            got = stage.folder / "download.bin"
            with Relay(loss, delay) as relay:
                line = ["curl", "-sS", "--fail", "--max-time", str(SECONDS), "-o", got, "-w", "%{json}"]
                line = relay.line(*line, f"http://{stage.address}/{NAME}")
                result = subprocess.run(line, capture_output=True, text=True, check=False)
                losses = relay.losses()
            require(result.returncode == 0, result.stderr.strip())
            seconds = json.loads(result.stdout)["time_total"]
            print(f"     {size * 8 / seconds / 1e6:.1f} Mbit/s; lost of sent: {losses}", flush=True)
            require(digest(got) == wanted, "the digest differs")
            got.unlink()
            for offered, lost in losses:
                require(loss / 2 < lost / offered < loss * 2, f"the link lost {lost} of {offered}")
            require(not (complaints := stage.complaints()), f"it complains: {complaints[:5]}")


def digest(path):
    """Of a file."""
    return hashlib.sha256(path.read_bytes()).digest()
