"""TCP peers without a kernel: they answer nothing by themselves, so they can do what no kernel would."""

import time

from .packets import ACK, FIN, PSH, RST, SYN, Segment, tcp

CONNECTING, OPEN, FINISHED, RESET, REFUSED = "connecting", "open", "finished", "reset", "refused"
HTTP = 80
AGAIN_SECONDS = 1.0
# The option: 1460 (RFC 9293 section 3.2).
MSS = bytes.fromhex("020405b4")


class Peer:
    """One end of a connection, at an address that is nobody's."""

    __slots__ = (
        "address", "port", "next", "expected", "acknowledged", "state", "received", "asked", "window", "offered",
    )  # fmt: skip

    def __init__(self, address, port, sequence, window):
        self.address, self.port = address, port
        self.next = sequence
        self.expected = 0
        # What the server has acknowledged of what was sent, and the window it offers.
        self.acknowledged = sequence
        self.offered = 0
        self.state = CONNECTING
        self.received = 0
        self.asked = 0.0
        self.window = window


class Peers:
    """All peers of an attack. `turn` has to be called often."""

    def __init__(self, wire, window=64_240, heeds_data=True):
        self.wire = wire
        self.all = {}
        self.connecting = {}
        self.window = window
        # Acknowledges what comes in order, and so keeps the server sending.
        self.heeds_data = heeds_data
        self.on_open = lambda peer: None
        self.opened = 0

    def connect(self):
        """A new peer sends its SYN."""
        wire = self.wire
        peer = Peer(wire.nobody(), wire.port(), wire.random.getrandbits(32), self.window)
        self.all[peer.address, peer.port] = self.connecting[peer.address, peer.port] = peer
        self._syn(peer)
        return peer

    def in_state(self, *states):
        """The peers in one of the states."""
        return [peer for peer in self.all.values() if peer.state in states]

    def segment(self, peer, flags, payload=b"", at=0, options=b"", acknowledgment=None):
        """Sends a segment; `at`: so many bytes beyond what is next, which it leaves as it is."""
        acknowledgment = peer.expected if acknowledgment is None else acknowledgment
        packet = tcp(
            peer.address, self.wire.server, (peer.port, HTTP), peer.next + at, acknowledgment, flags, peer.window,
            options, payload,
        )  # fmt: skip
        self.wire.packet(packet)

    def send(self, peer, payload):
        """Sends bytes in order."""
        self.segment(peer, ACK | PSH, payload)
        peer.next += len(payload)

    def finish(self, peer):
        """Sends a FIN."""
        self.segment(peer, ACK | FIN)
        peer.next += 1

    def reset(self, peer):
        """Resets the connection, at the number that RFC 5961 asks for: what was sent may not all have arrived."""
        for sequence in {peer.next, peer.acknowledged}:
            self.segment(peer, RST | ACK, at=sequence - peer.next)
        peer.state = RESET

    def turn(self):
        """Takes what has come."""
        for frame in self.wire.received():
            segment = Segment(frame)
            if segment.flags is not None and (peer := self.all.get((segment.destination, segment.ports[1]))):
                self._arrives(peer, segment)

    def retry(self):
        """The one that has waited longest for an answer asks again, if that is a second."""
        peer = next(iter(self.connecting.values()), None)
        if peer and time.monotonic() - peer.asked > AGAIN_SECONDS:
            self.connecting[peer.address, peer.port] = self.connecting.pop((peer.address, peer.port))
            self._syn(peer)

    def leave(self):
        """Resets whatever is open."""
        self.turn()
        for peer in self.in_state(OPEN, FINISHED):
            self.reset(peer)

    def _syn(self, peer):
        peer.asked = time.monotonic()
        packet = tcp(
            peer.address, self.wire.server, (peer.port, HTTP), peer.next, 0, SYN, peer.window,
            MSS,
        )  # fmt: skip
        self.wire.packet(packet)

    def _arrives(self, peer, segment):
        if peer.state == CONNECTING and segment.flags & (SYN | RST):
            self.connecting.pop((peer.address, peer.port), None)
        if segment.flags & RST:
            peer.state = REFUSED if peer.state == CONNECTING else RESET
            return
        if peer.state == CONNECTING:
            if segment.flags & SYN and segment.acknowledgment == (peer.next + 1) & 0xFFFFFFFF:
                peer.next = (peer.next + 1) & 0xFFFFFFFF
                peer.acknowledged = peer.next
                peer.offered = segment.window
                peer.expected = (segment.sequence + 1) & 0xFFFFFFFF
                peer.state = OPEN
                self.opened += 1
                self.segment(peer, ACK)
                self.on_open(peer)
            return
        if segment.flags & SYN:
            # The acknowledgment was lost.
            self.segment(peer, ACK)
            return
        if segment.flags & ACK:
            peer.acknowledged, peer.offered = segment.acknowledgment, segment.window
        if segment.sequence == peer.expected and self.heeds_data:
            peer.received += segment.length
            peer.expected = (peer.expected + segment.length) & 0xFFFFFFFF
            if segment.flags & FIN:
                peer.expected = (peer.expected + 1) & 0xFFFFFFFF
                peer.state = FINISHED
            if segment.length or segment.flags & FIN:
                self.segment(peer, ACK)
