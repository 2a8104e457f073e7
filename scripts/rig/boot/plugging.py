"""An interface that comes and goes under a guest that serves, and a backend that does."""

import time

from ..checks import require
from .client import get
from .counting import shown, whole
from .saving import Download

SECONDS = 60
ROUNDS = 5


def detach(stage):
    """xl network-detach."""
    stage.machine.check(f"xl network-detach {stage.domain.name} {number(stage)}", SECONDS * 2)


def attach(stage):
    """xl network-attach, with the address that it had."""
    stage.machine.check(f"xl network-attach {stage.domain.name} mac={stage.mac} bridge=xenbr0", SECONDS * 2)


def number(stage):
    """The interface's number."""
    listing = stage.machine.check(f"xl network-list {stage.domain.name}").splitlines()
    require(len(listing) == 2, f"it has {listing[1:]}")
    return listing[1].split()[0]


def connected(stage):
    """Waits until frames pass again, and whoever wants it has it."""
    stage.domain.expect(r"\] INFO  network: connected, ", SECONDS)


def replugged(stage):
    """The same interface, gone and back."""
    with stage.check("a download goes on across network-detach and network-attach, lease kept, digest right"):
        before = stage.segment.lease(stage.mac)
        asked = requests(stage)
        stage.domain.mark()
        download = Download(stage.address).begun()
        detach(stage)
        attach(stage)
        connected(stage)
        download.whole()
        require(stage.segment.lease(stage.mac) == before, "it has another lease")
        require(requests(stage) > asked, "it did not ask whether the lease holds")
        odd = [line for line in stage.domain.said().splitlines() if "] WARN" in line or "] ERROR" in line]
        require(not odd, f"the console says {odd[:3]}")


def requests(stage):
    """DHCPREQUESTs that the server has seen."""
    return (stage.segment.folder / "dnsmasq.log").read_text(errors="replace").count("DHCPREQUEST(")


def flapping(stage):
    """Detached in the middle of the handshake, again and again."""
    with stage.check(f"{ROUNDS} interfaces are plugged in and out at once, and the last one serves"):
        before = shown(stage)[1]
        for _ in range(ROUNDS):
            detach(stage)
            attach(stage)
        stage.domain.mark()
        deadline = time.monotonic() + SECONDS
        while shown(stage)[1]["ring"]["phase"] != "Connected":
            require(time.monotonic() < deadline, "it does not connect")
        require(get(stage.address, "/")[0] == 200, "another status")
        after = shown(stage)[1]
        whole(before, after)


def restarted(stage):
    """netback lets go of the device and takes it up again."""
    with stage.check("a download goes on across a restart of the backend"):
        stage.domain.mark()
        download = Download(stage.address).begun()
        domain = stage.domid()
        device = f"vif-{domain}-{number(stage)}"
        vif = device.replace("vif-", "vif").replace("-", ".")
        back = f"/local/domain/0/backend/{device.replace('-', '/')}"
        # The scripts that xl ran when it made the device do not run again.
        stage.machine.check(
            "set -e; cd /sys/bus/xen-backend/drivers/vif; "
            f"echo {device} >unbind; while [ -e /sys/class/net/{vif} ]; do usleep 50000; done; "
            f"echo {device} >bind; until [ -e /sys/class/net/{vif} ]; do usleep 50000; done; "
            f"ip link set {vif} master xenbr0 up; xenstore-write {back}/hotplug-status connected",
            SECONDS,
        )
        connected(stage)
        download.whole()
