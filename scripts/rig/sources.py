"""The sources, in a folder where they can be broken."""

import shutil
import subprocess

from rig.place import REPOSITORY


def copy(tree):
    """Copies them as they are, committed or not. Only what differs is written, so that cargo builds no more than it must."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, capture_output=True, check=True,
    ).stdout  # fmt: skip
    names = {name for name in listing.decode().split("\0") if name and (REPOSITORY / name).is_file()}
    for path in [path for path in tree.rglob("*") if path.is_file()]:
        if str(path.relative_to(tree)) not in names:
            path.unlink()
    for name in names:
        source, target = REPOSITORY / name, tree / name
        if not target.exists() or target.read_bytes() != source.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
