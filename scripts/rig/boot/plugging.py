"""An interface that comes and goes under a guest that serves."""

from ..checks import require
from .client import Exchange, get
from .counting import shown
from .saving import Download

SECONDS = 60


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


def moved(stage):
    """The lease is another server's to give: the address is another, and nobody speaks at the old one."""
    with stage.check("plugged in where its address is not to be had, it says so, asks for another and serves there"):
        old = stage.address
        connection = Exchange(old)
        stage.domain.mark()
        detach(stage)
        stage.segment.renumber()
        attach(stage)
        stage.address = stage.domain.expect(r"\] INFO  network: the address is ([0-9.]+)\n", SECONDS)[1]
        require(stage.address != old, f"it is {old} still")
        lease = stage.segment.lease(stage.mac)
        require(lease == (stage.address, stage.domain.name), f"the lease is {lease}, the guest says {stage.address}")
        require(get(stage.address, "/")[0] == 200, "another status")
        require("] WARN  network: the address is gone\n" in stage.domain.said(), "it does not say that the old one is")
        found = stage.store("data/address")
        require(found == stage.address, f"the store has {found}")
        open_still = shown(stage)[1]["connections"]
        require(open_still["established"] == "0", f"connections at the old address: {open_still}")
        connection.close()
