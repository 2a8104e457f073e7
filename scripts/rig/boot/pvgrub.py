"""The guest after PV GRUB, as a cloud starts it: an ext2 disk with the gzipped image and a menu."""

import re

from ec2.disk import make

from ..checks import require
from ..domain import described, mac
from ..place import BUILD
from .client import get

GRUB_MEMORY = 64
NAME = "pvgrub"
# More than the image says by itself, and what is not in the default menu.
EXTRA = "log=debug"


def attach(stage, image):
    """Brings a disk to dom0; gives back the line of a configuration that has it."""
    path = stage.machine.send(image, "pvgrub.img")
    stage.machine.check(f"losetup /dev/loop0 {path}")
    return 'disk=["script=block-rig,vdev=xvda,format=raw,access=rw,target=/dev/loop0"]'


def start(stage, ramdisk=None):
    """Starts a guest from a disk, with a ramdisk beside the image if there is to be one."""
    image = stage.folder / "pvgrub.img"
    make(image, BUILD / "halfpage.gz", EXTRA, ramdisk=ramdisk)
    started(stage, image)
    stage.domain.create()
    stage.listening()


def started(stage, image):
    """The stage's guest is one that PV GRUB takes from this disk; it is not started yet."""
    more = [attach(stage, image)]
    stage.domain = described(stage.machine, NAME, stage.machine.dom0.pvgrub, GRUB_MEMORY, more=more)
    stage.mac = mac(NAME)


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
