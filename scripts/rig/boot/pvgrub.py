"""The guest after PV GRUB, as a cloud starts it: an ext2 disk with the gzipped image and a menu."""

import re
import shutil
import subprocess

from ..checks import require
from ..domain import described, mac
from ..place import BUILD
from .client import get

DISK_MIB = 16
GRUB_MEMORY = 64

MENU = """\
set timeout=0
menuentry halfpage {
    linux /boot/halfpage.gz log=debug
}
"""


def disk(folder):
    """Makes the disk, without root."""
    root = folder / "pvgrub-root"
    shutil.rmtree(root, ignore_errors=True)
    (root / "boot/grub").mkdir(parents=True)
    shutil.copyfile(BUILD / "halfpage.gz", root / "boot/halfpage.gz")
    (root / "boot/grub/grub.cfg").write_text(MENU)
    image = folder / "pvgrub.img"
    image.unlink(missing_ok=True)
    tool = shutil.which("mke2fs") or "/usr/sbin/mke2fs"
    subprocess.run(
        [tool, "-q", "-F", "-t", "ext2", "-d", root, image, f"{DISK_MIB}M"], check=True, stdout=subprocess.DEVNULL
    )
    return image


def boots(stage):
    """Starts it from the disk, fetches a page, ends it."""
    name = "pvgrub"
    with stage.check("starts from PV GRUB and serves"):
        path = stage.machine.send(disk(stage.machine.folder), "pvgrub.img")
        stage.machine.check(f"losetup /dev/loop0 {path}")
        more = ['disk=["script=block-rig,vdev=xvda,format=raw,access=rw,target=/dev/loop0"]']
        stage.domain = described(stage.machine, name, stage.machine.dom0.pvgrub, GRUB_MEMORY, more=more)
        stage.mac = mac(name)
        stage.domain.create()
        stage.listening()
        require(get(stage.address, "/")[0] == 200, "another status")
        reason = stage.shutdown()
        require(reason == 0, f"shutdown's reason is {reason}")
    with stage.check("it took the store's rings up where GRUB had left them"):
        # Grants are not seen here: this GRUB ends its own.
        stood = re.search(r" xenstore: the rings stand at (\d+) and (\d+)\n", stage.domain.said())
        require(stood and min(map(int, stood.groups())) > 0, f"it says {stood and stood[0]}")
    stage.destroy()
    stage.machine.run("losetup -d /dev/loop0")
