"""The guest as EC2 starts it: from the disk of make ec2-image, on its network, with a backend of its age."""

import re

from ec2.disk import make

from .. import python
from ..checks import require
from ..domain import Domain
from ..place import BUILD
from . import counting, pvgrub, scan
from .client import get
from .stage import LISTENING

SECONDS = 60
# GRUB draws its menu slowly on a console that is emulated, and looks for its files on disk and partitions by reading them all;
# on a machine with much else to do the partitioned disk took more than three minutes once.
GRUB_SECONDS = 400
# GRUB 0.97's menu, read by a GRUB that has this command for it.
LEGACY = {"/boot/grub/grub.cfg": "legacy_configfile /boot/grub/menu.lst\n"}
# Its name, whether it has a partition table, and what differs from its menus.
FORMS = (("whole", False, {}), ("partitioned", True, {}), ("menu.lst", False, LEGACY))
PYGRUB = "pygrub"
# All that a netback of Xen 3.4's time offers is copying into the guest's pages.
OLD = "feature-rx-copy"


def boots(stage, full):
    """The disk by PV GRUB, on EC2's network, with `full` in each form; and by pygrub, which is faster, in both."""
    with stage.segment.as_ec2():
        for name, partitioned, texts in FORMS if full else FORMS[:1]:
            image = stage.folder / "ec2.img"
            make(image, BUILD / "halfpage.gz", pvgrub.EXTRA, partitioned, texts=texts)
            with stage.check(f"EC2's disk, {name}: PV GRUB starts it with an old backend, and it has its address"):
                begin(stage, image)
            if stage.address:
                judge(stage, name)
            pvgrub.end(stage)
    by_pygrub(stage)


def begin(stage, image):
    """Starts the guest; it sees the backend as one of Xen 3.4's time."""
    stage.address = None
    pvgrub.started(stage, image)
    stage.domain.words = ["-p"]
    stage.domain.create()
    backend = f"/local/domain/0/backend/vif/{stage.domid()}/0"
    for key in re.findall(r"^(feature-\S+) =", stage.machine.check(f"xenstore-ls {backend}"), re.MULTILINE):
        if key != OLD:
            stage.machine.check(f"xenstore-rm {backend}/{key}")
    stage.machine.check(f"xl unpause {stage.domain.name}")
    stage.address = stage.domain.expect(LISTENING, GRUB_SECONDS)[1]
    require(re.fullmatch(r"172\.31\.7\.\d+", stage.address), f"its address is {stage.address}")


def judge(stage, name):
    """What EC2 looks at (ping, HTTP), and how it goes out."""
    with stage.check(f"EC2's disk, {name}: it works with what the backend has: checksums, one slot a frame"):
        stage.domain.expect(r"network: connected, offloads: csum\n", SECONDS)
        require(not (complaints := stage.complaints()), f"it complains: {complaints}")
    scan.ping(stage)
    with stage.check(f"EC2's disk, {name}: HTTP"):
        before = counting.shown(stage)[0]
        require(get(stage.address, "/")[0] == 200, "another status")
        moved = counting.difference(before, counting.shown(stage)[0])
        # The server of addresses says 9001 here as well; the interface does not take it.
        require(moved["net_tx_bytes"] <= 1514 * moved["net_tx_frames"], f"{moved}: larger than the interface takes")
        require(moved["net_tx_slots"] == moved["net_tx_frames"], f"{moved}: more than a slot a frame")


def by_pygrub(stage):
    """pygrub, in dom0 as xl calls it, reads the disk; the guest is what it found there."""
    python.install(stage.machine)
    # xl itself names the script of a disk that a bootloader reads.
    stage.machine.check("cp /etc/xen/scripts/block-rig /etc/xen/scripts/block")
    for name, partitioned in (("whole", False), ("partitioned", True)):
        with stage.check(f"EC2's disk, {name}: pygrub finds the image and its command line, and it serves"):
            image = stage.folder / "ec2.img"
            make(image, BUILD / "halfpage.gz", pvgrub.EXTRA, partitioned)
            stage.address, stage.mac = None, pvgrub.mac(PYGRUB)
            stage.domain = found_by_pygrub(stage, image)
            stage.domain.create()
            require(get(stage.listening(), "/")[0] == 200, "another status")
            require("] DEBUG " in stage.domain.said(), f"{pvgrub.EXTRA} did not reach it")
        pvgrub.end(stage)


def found_by_pygrub(stage, image):
    """A guest whose configuration has a disk and nothing else to start."""
    stage.machine.check(f"losetup /dev/loop0 {stage.machine.send(image, 'pygrub.img')}")
    lines = [
        f'name="{PYGRUB}"', 'type="pv"', "memory=16", "vcpus=1", 'bootloader="pygrub"', 'bootloader_args=["-q"]',
        'disk=["/dev/loop0,raw,xvda,w"]', f'vif=["mac={stage.mac},bridge=xenbr0"]', 'on_crash="destroy"',
    ]  # fmt: skip
    config = f"/guest/{PYGRUB}.cfg"
    stage.machine.check(f"cat >{config} <<'END'\n" + "\n".join(lines) + "\nEND")
    return Domain(stage.machine, PYGRUB, config)
