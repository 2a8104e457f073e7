"""Python in dom0, with what is written in it there: pygrub, and the project's own metrics and top.

The emulated host boots without it, since hardly a test needs it: this brings it there.
"""

import shutil
import tarfile

from .place import REPOSITORY

# Of Debian's Python, what no program here asks for.
WITHOUT = ("/test/", "/idlelib/", "/tkinter/", "/ensurepip/", "/pydoc_data/", "/share/", "/lib2to3/")
PROGRAMS = ("metrics", "top")


def install(machine):
    """Brings it to a machine's dom0. The programs lie in /root."""
    suite = machine.dom0.suite
    tree = suite.unpack_python()
    packed = suite.folder / "python.tar"
    with tarfile.open(packed, "w") as tar:
        for path in files(tree):
            # What dom0 has is in use.
            if not (suite.tree / path).exists() and not any(part in f"/{path}" for part in WITHOUT):
                tar.add(tree / path, merged(path), recursive=False)
        for path in files(suite.tree / f"usr/lib/xen-{suite.xen}/lib"):
            name = f"usr/lib/xen-{suite.xen}/lib/{path}"
            if ".so" not in path or "/python/" in name or "/xenfsimage/" in name:
                tar.add(suite.tree / name, name, recursive=False)
        tool = f"usr/lib/xen-{suite.xen}/bin/pygrub"
        tar.add(suite.tree / tool, tool)
        for program in PROGRAMS:
            tar.add(REPOSITORY / "scripts" / program, f"root/{program}")
    # From where the host has put it: dom0's memory has no room for it twice.
    shared = machine.share / packed.name
    shutil.copyfile(packed, shared)
    machine.check(f"tar -xf /rig/{packed.name} -C / && python3 -c 'import subprocess'")
    shared.unlink()


def files(folder):
    """The paths in a folder that are no folders."""
    return [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_symlink() or path.is_file()]


def merged(path):
    """A package's path, under the merged /usr."""
    return f"usr/{path}" if path.startswith(("bin/", "sbin/", "lib/", "lib64/")) else path
