"""The handshake with a backend that breaks it off: netback in dom0, or, where netback has let go of the device, whoever
writes a backend's states into the store."""

import time

from ..checks import require
from .client import get
from .counting import difference, shown, whole
from .plugging import SECONDS, attach, detach, number
from .saving import Download

# XenbusState (xen/io/xenbus.h).
INITIALISING, INIT_WAIT, INITIALISED, CONNECTED, CLOSING, CLOSED = range(1, 7)

# What the backend shows, and what the guest shows then. It waits for a backend that is closed; keys and rings; frames.
BEGIN, READY, OPEN = (INIT_WAIT, CONNECTED), (INITIALISED, CONNECTED), (CONNECTED, CONNECTED)
# In order, and at once.
END, END_AT_ONCE = ((CLOSING, CLOSED), (CLOSED, INITIALISING)), ((CLOSED, INITIALISING),)

# Times that netback is made to close, each time as soon as it is connected.
CLOSINGS = 6


class Backend:
    """The device in dom0: netback's, until that lets go of it."""

    def __init__(self, stage):
        self._stage = stage
        domain, interface = stage.domid(), number(stage)
        self._device = f"vif-{domain}-{interface}"
        self._vif = f"vif{domain}.{interface}"
        self.directory = f"/local/domain/0/backend/vif/{domain}/{interface}"
        self._front = f"/local/domain/{domain}/device/vif/{interface}"

    def unbind(self):
        """netback lets go of it; its keys stay."""
        self._driver(f"echo {self._device} >unbind; while [ -e /sys/class/net/{self._vif} ]; do usleep 20000; done")

    def bind(self):
        """netback takes it up. The scripts that xl ran when it made the device do not run again."""
        self._driver(
            f"echo {self._device} >bind; until [ -e /sys/class/net/{self._vif} ]; do usleep 20000; done; "
            f"ip link set {self._vif} master xenbr0 up; xenstore-write {self.directory}/hotplug-status connected"
        )

    def _driver(self, line):
        self._stage.machine.check(f"set -e; cd /sys/bus/xen-backend/drivers/vif; {line}", SECONDS)

    def show(self, *steps):
        """Shows states in the backend's place, each time waiting for what the guest shows then."""
        self._stage.machine.check(
            f"step() {{ xenstore-write {self.directory}/state $1; for n in $(seq {SECONDS * 10}); do "
            f"[ $(xenstore-read {self._front}/state) = $2 ] && return; usleep 20000; done; "
            f"echo to $1 the guest says $(xenstore-read {self._front}/state), not $2; exit 1; }}; "
            + "; ".join(f"step {state} {answer}" for state, answer in steps),
            SECONDS * 2,
        )


def until(stage, phase):
    """Waits until the guest says that it has come so far; gives back its counters and tables."""
    deadline = time.monotonic() + SECONDS
    while True:
        counters, tables = shown(stage)
        if tables["ring"]["phase"] == phase:
            return counters, tables
        require(time.monotonic() < deadline, f"it is {tables['ring']['phase']}, not {phase}")


def restarted(stage):
    """netback lets go of the device and takes it up again."""
    with stage.check("a download goes on across a restart of the backend"):
        stage.domain.mark()
        download = Download(stage.address).begun()
        backend = Backend(stage)
        backend.unbind()
        backend.bind()
        stage.domain.expect(r"\] INFO  network: connected, ", SECONDS)
        download.whole()


def broken_off(stage):
    """Closing at each step, by a backend that does nothing but write its states."""
    with stage.check("a backend closes at each step of the handshake: no frame before Connected, no page lost"):
        counted, before = shown(stage)
        backend = Backend(stage)
        backend.unbind()
        backend.show(*END, *END)
        backend.show(BEGIN, *END, BEGIN, READY, *END, BEGIN, *END_AT_ONCE)
        frames = shown(stage)[0]["net_tx_frames"]
        backend.show(BEGIN, READY)
        sent = until(stage, "Connecting")[0]["net_tx_frames"] - frames
        require(not sent, f"{sent} frames before the backend was connected")
        backend.show(OPEN)
        counters, tables = until(stage, "Connected")
        sent = counters["net_tx_frames"] - frames
        require(sent and int(tables["ring"]["tx_in_flight"]), f"{sent} frames once it was")
        backend.show(*END, BEGIN, OPEN)
        until(stage, "Connected")
        backend.show(*END_AT_ONCE)
        backend.bind()
        counters, after = until(stage, "Connected")
        require(get(stage.address, "/")[0] == 200, "another status")
        # Twice by hand, and netback.
        moved = difference(counted, counters)
        found = moved["net_connects"], moved["net_disconnects"], counters.get("net_lies", 0)
        require(found == (3, 3, 0), f"connects, disconnects, lies: {found}")
        whole(before, after)


def flapping(stage):
    """netback itself closes, again and again."""
    with stage.check(f"a download goes on across {CLOSINGS} closings of netback in a row"):
        counted, before = shown(stage)
        download = Download(stage.address).begun()
        state = f"{Backend(stage).directory}/state"
        stage.machine.check(
            f"for n in $(seq {CLOSINGS}); do until [ $(xenstore-read {state}) = {CONNECTED} ]; do usleep 5000; done; "
            f"xenstore-write {state} {CLOSING}; done",
            SECONDS * 2,
        )
        counters, after = until(stage, "Connected")
        download.whole()
        moved = difference(counted, counters)
        found = moved["net_connects"], moved["net_disconnects"]
        require(found[0] == found[1] > 0, f"connects and disconnects: {found}")
        require("net_lies" not in counters, f"it counted {counters}")
        whole(before, after)


def missed(stage):
    """What happens while the guest does not run."""
    with stage.check("an interface that closes, and one that goes, before the guest has seen it; the next one serves"):
        counted, before = shown(stage)
        name = stage.domain.name

        def attached():
            detach(stage)
            stage.machine.check(f"xl pause {name}")
            attach(stage)
            return Backend(stage).directory

        stage.machine.check(f"xenstore-write {attached()}/state {CLOSING}; xl unpause {name}")
        until(stage, "Connected")
        gone = f"until [ $(xenstore-read {attached()}/online) = 0 ]; do usleep 20000; done"
        stage.machine.check(f"xl network-detach {name} {number(stage)} & {gone}; xl unpause {name}; wait $!", SECONDS)
        attach(stage)
        counters, after = until(stage, "Connected")
        require(get(stage.address, "/")[0] == 200, "another status")
        moved = difference(counted, counters)
        require(moved["net_connects"] == 2, f"it counted {moved['net_connects']} connections")
        whole(before, after)
