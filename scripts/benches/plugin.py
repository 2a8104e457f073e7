"""QEMU plugins of ours, in C, from this folder."""

import subprocess
from pathlib import Path


def built(name, folder):
    """Compiles NAME.c; gives where the plugin is, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    source, plugin = Path(__file__).with_name(f"{name}.c"), folder / f"{name}.so"
    flags = ["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden"]
    subprocess.run(["cc", *flags, "-o", plugin, source, "-lpthread"], check=True)
    return plugin
