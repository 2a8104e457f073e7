"""What others can make the guest say: EC2 keeps only the last 64 KB of a console."""

import re

from ..checks import require
from ..hostile import packets
from ..hostile.wire import Wire, at_pace

RATE = 400
SECONDS = 5
# Ten lines at once, then one a second; the machine may be slow.
LINES = 10 + 60
LINE = 120


def bounded(stage):
    """A flood of messages, each of which would be worth a line."""
    with stage.check("the console under a flood of what is worth a line: bounded, and what is left out is told"):
        stage.domain.mark()
        with Wire(stage, 11) as wire:
            # From the server of addresses, and no message.
            spoiled = packets.udp(wire.host, wire.server, (67, 68), b"halfpage")
            for _ in at_pace(RATE, SECONDS):
                wire.packet(spoiled)
            stage.machine.check("sleep 2")
            # A second later there is a line again.
            wire.packet(spoiled)
            sent = wire.sent
            told = stage.domain.expect(r"WARN  dhcp: a message from .*\((\d+) such lines left out\)\n", 30)
        said = stage.domain.said()
        require(len(said) < LINES * LINE, f"{len(said)} bytes after {sent} messages")
        lines = len(re.findall(r"WARN  dhcp: a message from ", said))
        left = sum(map(int, re.findall(r"\((\d+) such lines left out\)", said)))
        require(0 < int(told[1]) and lines < LINES, f"{lines} lines")
        require(lines + left <= sent, f"{sent} messages: {lines} lines, {left} left out")
        # A busy host loses some on their way.
        require(left > lines, f"{sent} messages: {lines} lines, and only {left} said to be left out")
