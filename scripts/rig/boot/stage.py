"""What every group of checks needs: the host, the segment, the guest under test."""

import re

from ..checks import require
from ..domain import mac_of, shipped
from ..segment import ADDRESS, TAP
from . import counting

LISTENING = re.compile(r"listening on http://([0-9.]+)/")
BOOT_SECONDS = 60

# What would be the guest's own fault.
FAULT = re.compile(r"CRASH.*|.*\] ERROR .*")


class Stage:
    """One emulated host on one segment; guests come and go. With a guest it is a target of rig.hostile."""

    interface = TAP
    host = ADDRESS
    configured_by_dhcp = True
    # Connections that the guest holds at once.
    room = 1500

    def __init__(self, machine, segment, checks):
        self.machine = machine
        self.segment = segment
        self.check = checks
        self.domain = None
        self.address = None
        self.mac = None
        self.honest_port = None
        self._judged = 0

    @property
    def folder(self):
        """Where a test may leave files."""
        return self.machine.folder

    @property
    def capture(self):
        """All that crossed the segment, outside of QEMU's network card."""
        return self.machine.capture

    def boot(self, config, *words):
        """Starts a guest from a configuration for a real host; gives back its address."""
        self.start(config, *words)
        return self.listening()

    def start(self, config, *words):
        """Starts it, and waits for nothing."""
        self.address = None
        self.domain = shipped(self.machine, config, words)
        self.mac = mac_of(config)
        self._judged = len(self.domain.console())
        self.domain.create()

    def listening(self):
        """Waits until the guest says since its last start where it listens."""
        said = self.domain.expect(LISTENING, BOOT_SECONDS)
        self.address = said[1]
        return self.address

    def domid(self):
        """Xen's number for the guest."""
        return self.machine.check(f"xl domid {self.domain.name}").strip()

    def store(self, key):
        """A value under the guest's own part of the store."""
        return self.machine.check(f"xenstore-read /local/domain/{self.domid()}/{key}").strip()

    def shutdown(self):
        """Ends the guest; gives back the reason code that Xen has (0 is poweroff)."""
        said = self.machine.check(f"timeout 30 xl shutdown -w {self.domain.name}")
        reason = re.search(r"reason code (\d+)", said)
        require(reason, f"xl shutdown -w said: {said.strip()}")
        return int(reason[1])

    def destroy(self):
        """Ends the guest without asking it, if it is still there."""
        if self.domain and self.domain.alive():
            self.machine.run(f"xl destroy {self.domain.name}")

    def complaints(self):
        """What the guest said since the last time that would be a fault of its own, or that it is gone."""
        said = self.domain.console()
        new, self._judged = said[self._judged :], len(said)
        return FAULT.findall(new) + ([] if self.domain.alive() else ["it has ended"])

    def counters(self):
        """What the guest has counted; what is 0 is not there."""
        return counting.shown(self)[0]

    def gauges(self):
        """What the guest's tables hold, and the bytes that its heap has given out."""
        _, tables = counting.shown(self)
        held = re.findall(r"\] INFO  gauge (\w+)=(\d+)\n", self.domain.said())
        return {name: int(value) for name, value in held} | {"heap_bytes": int(tables["heap"]["bytes"])}
