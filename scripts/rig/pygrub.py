"""pygrub, from the packages of the emulated host's tools: what it finds on a disk.

It is a program of dom0 that only reads the disk, and dom0 here has no Python; so it runs on this side, with the
libraries that come with it.
"""

import os
import subprocess
import sys
from pathlib import Path

from .machine import MachineError


class Pygrub:
    """pygrub of a machine's Xen."""

    def __init__(self, machine):
        self._suite = machine.dom0.suite
        self._folder = machine.folder / "pygrub"
        self._home = self._suite.tree / f"usr/lib/xen-{self._suite.xen}"

    def missing(self):
        """Why it cannot run here, or None: its reader of file systems is built for one version of Python."""
        built = [path.name for path in (self._home / "lib/python").glob("xenfsimage.cpython-*.so")]
        ours = f"xenfsimage.cpython-{sys.version_info.major}{sys.version_info.minor}-"
        return None if any(name.startswith(ours) for name in built) else f"{built}, and this is {sys.version.split()[0]}"

    def finds(self, image):
        """(the kernel, a file of this side; its command line) of a disk."""
        self._folder.mkdir(exist_ok=True)
        libraries = self._home / "lib/x86_64-linux-gnu"
        environment = os.environ | {
            "LD_LIBRARY_PATH": f"{libraries}:{self._suite.tree}/lib/x86_64-linux-gnu",
            "XEN_FSIMAGE_FSDIR": str(libraries / "xenfsimage"),
        }
        line = [sys.executable, "-B", self._home / "bin/pygrub", "-q", "--output-format=simple"]
        line += [f"--output-directory={self._folder}", image]
        done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise MachineError(f"pygrub: {done.stderr.strip()[-1000:]}")
        found = dict(text.partition(" ")[::2] for text in done.stdout.splitlines() if text)
        return Path(found["kernel"]), found.get("args", "").strip()
