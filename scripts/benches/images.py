"""The images that are measured: halfpage and its Linux peer, with one site, and what runs in dom0."""

import os
import shutil
import subprocess

from rig import peer
from rig.place import BUILD, REPOSITORY

FOLDER = BUILD / "bench" / "xen"
# The site's files, named NUMBER.bin, by what they are called in the tables.
SIZES = {"100": 100, "1K": 1_024, "2K": 2_048, "3K": 3_072, "4K": 4_096, "8K": 8_192, "1M": 1_048_576}


class Images:
    """What runs: the guests' kernels and ramdisks, all with the same site, and what runs in dom0."""

    clock = REPOSITORY / "target" / "release" / "domain-time"
    hold = REPOSITORY / "target" / "release" / "hold"
    halfpage = FOLDER / "halfpage"
    vmlinux = FOLDER / "vmlinux"
    ramdisk = FOLDER / "peer.cpio"

    def __init__(self, dom0):
        self.packed = dom0.kernel

    def build(self, dom0):
        """Makes all of them."""
        subprocess.run([REPOSITORY / "scripts/need", "cc", "objdump"], check=True)
        for program in (self.clock, self.hold):
            line = f"cargo rustc -q --release -p halfpage-bench --bin {program.name} --target-dir target --"
            subprocess.run([*line.split(), "-Ctarget-feature=+crt-static"], check=True, cwd=REPOSITORY)
        site = FOLDER / "site"
        shutil.rmtree(site, ignore_errors=True)
        site.mkdir(parents=True)
        (site / "index.html").write_text("<!doctype html><title>bench</title>\n", encoding="utf-8")
        for size in SIZES.values():
            (site / f"{size}.bin").write_bytes(bytes(number * 7919 % 251 for number in range(size)))
        environment = {**os.environ, "SITE": str(site), "HALFPAGE_BUILD": str(FOLDER)}
        subprocess.run([REPOSITORY / "scripts/image"], env=environment, check=True, stderr=subprocess.DEVNULL)
        peer.ramdisk(dom0.suite, site, self.ramdisk)
        peer.kernel(dom0, self.vmlinux)
