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
menuentry halfpage {{
    linux /boot/halfpage.gz log=debug
    {initrd}
}}
"""


def disk(folder, ramdisk=None):
    """Makes the disk, without root; with a ramdisk beside the image, if there is to be one."""
    root = folder / "pvgrub-root"
    shutil.rmtree(root, ignore_errors=True)
    (root / "boot/grub").mkdir(parents=True)
    shutil.copyfile(BUILD / "halfpage.gz", root / "boot/halfpage.gz")
    if ramdisk:
        shutil.copyfile(ramdisk, root / "boot/site.tar")
    (root / "boot/grub/grub.cfg").write_text(MENU.format(initrd="initrd /boot/site.tar" if ramdisk else ""))
    image = folder / "pvgrub.img"
    image.unlink(missing_ok=True)
    tool = shutil.which("mke2fs") or "/usr/sbin/mke2fs"
    subprocess.run(
        [tool, "-q", "-F", "-t", "ext2", "-d", root, image, f"{DISK_MIB}M"], check=True, stdout=subprocess.DEVNULL
    )
    return image


def start(stage, ramdisk=None):
    """Starts a guest from the disk."""
    name = "pvgrub"
    path = stage.machine.send(disk(stage.machine.folder, ramdisk), "pvgrub.img")
    stage.machine.check(f"losetup /dev/loop0 {path}")
    more = ['disk=["script=block-rig,vdev=xvda,format=raw,access=rw,target=/dev/loop0"]']
    stage.domain = described(stage.machine, name, stage.machine.dom0.pvgrub, GRUB_MEMORY, more=more)
    stage.mac = mac(name)
    stage.domain.create()
    stage.listening()


def end(stage):
    """Ends it, and lets go of the disk."""
    stage.destroy()
    stage.machine.run("losetup -d /dev/loop0")


def boots(stage):
    """Starts it from the disk, fetches a page, ends it."""
    with stage.check("starts from PV GRUB and serves"):
        start(stage)
        require(get(stage.address, "/")[0] == 200, "another status")
        reason = stage.shutdown()
        require(reason == 0, f"shutdown's reason is {reason}")
    with stage.check("it took the store's rings up where GRUB had left them"):
        # Grants are not seen here: this GRUB ends its own.
        stood = re.search(r" xenstore: the rings stand at (\d+) and (\d+)\n", stage.domain.said())
        require(stood and min(map(int, stood.groups())) > 0, f"it says {stood and stood[0]}")
    end(stage)
