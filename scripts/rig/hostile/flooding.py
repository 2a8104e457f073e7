"""Attacks that keep no state: floods of frames, most of them from addresses that are nobody's.

Each takes a wire and a number of seconds, and says in words what it saw; it fails where the target was not reached.
"""

from ..checks import require
from . import packets
from .packets import ACK, FIN, OFFER, RST, SYN, Segment
from .wire import at_pace

SYNS = 2000
RATE = 2000
HTTP = 80
# The head of the option, after two bytes of none (RFC 7323 section 3.2).
STAMPS = bytes.fromhex("0101080a")


class Answers:
    """Counts what comes back to those who attack, by TCP flags or ICMP type."""

    def __init__(self, wire):
        self._wire = wire
        self.flags = {}
        self.icmp = {}

    def take(self):
        """Counts what has come."""
        for frame in self._wire.received():
            segment = Segment(frame)
            if segment.flags is not None:
                self.flags[segment.flags] = self.flags.get(segment.flags, 0) + 1
            elif frame[23] == packets.ICMP and len(frame) > 34:
                self.icmp[frame[34]] = self.icmp.get(frame[34], 0) + 1


def flood(wire, seconds, rate, packet):
    """Sends what `packet` makes at a rate; gives the answers."""
    answers = Answers(wire)
    for _ in at_pace(rate, seconds, answers.take):
        wire.packet(packet())
    answers.take()
    return answers


def share(answered, sent, least=0.5):
    """At least so much of it was answered."""
    require(answered >= sent * least, f"{sent} were sent, {answered} were answered")


def syns(wire, seconds):
    """SYNs from everywhere; none of them goes on."""

    def packet():
        return packets.tcp(
            wire.nobody(), wire.server, (wire.port(), HTTP), wire.random.getrandbits(32), 0, SYN, options=OFFER
        )

    answers = flood(wire, seconds, SYNS, packet)
    answered = answers.flags.get(SYN | ACK, 0)
    share(answered, wire.sent)
    return f"{wire.sent} SYN, {answered} SYN-ACK"


def near_syns(wire, seconds):
    """SYNs from addresses of the segment that nobody has: an answer to them waits for ARP."""
    near = neighbours(wire)

    def packet():
        source = wire.random.choice(near)
        return packets.tcp(source, wire.server, (wire.port(), HTTP), wire.random.getrandbits(32), 0, SYN, options=OFFER)

    flood(wire, seconds, SYNS, packet)
    return f"{wire.sent} SYN"


def stray(wire, seconds, flags, choose):
    """Segments that belong to no connection, or to one of the honest client's whose numbers they do not know."""

    def packet():
        source, port = choose()
        numbers = wire.random.getrandbits(32), wire.random.getrandbits(32) if flags & ACK else 0
        stamps = STAMPS + wire.random.randbytes(8) if wire.random.getrandbits(1) else b""
        return packets.tcp(source, wire.server, (port, HTTP), *numbers, flags, options=stamps)

    return flood(wire, seconds, RATE, packet)


def at_honest(wire):
    """The honest client's address; half of the time with the port of the connection that it keeps."""

    def choose():
        kept = wire.target.honest_port
        return wire.host, kept if kept and wire.random.getrandbits(1) else wire.port()

    return choose


def resets(wire, seconds):
    """RSTs in the honest client's name."""
    stray(wire, seconds, RST, at_honest(wire))
    return f"{wire.sent} RST in the client's name"


def fins(wire, seconds):
    """FINs in the honest client's name."""
    stray(wire, seconds, FIN | ACK, at_honest(wire))
    return f"{wire.sent} FIN in the client's name"


def acks(wire, seconds):
    """ACKs from everywhere, any of which might bring a cookie back."""
    answers = stray(wire, seconds, ACK, lambda: (wire.nobody(), wire.port()))
    answered = answers.flags.get(RST, 0)
    share(answered, wire.sent)
    return f"{wire.sent} ACK, {answered} RST"


def land(wire, seconds):
    """SYNs from the target to itself."""

    def packet():
        return packets.tcp(wire.server, wire.server, (HTTP, HTTP), wire.random.getrandbits(32), 0, SYN, options=OFFER)

    flood(wire, seconds, RATE, packet)
    return f"{wire.sent} SYN"


def echoes(wire, seconds):
    """Echo requests of any length that one frame takes."""
    body = wire.random.randbytes(1472)

    def packet():
        length = wire.random.choice((0, 56, 600, 1472))
        return packets.echo_request(wire.nobody(), wire.server, 1, wire.sent & 0xFFFF, body[:length])

    answers = flood(wire, seconds, RATE, packet)
    share(answers.icmp.get(0, 0), wire.sent)
    return f"{wire.sent} requests, {answers.icmp.get(0, 0)} replies"


def datagrams(wire, seconds):
    """UDP to any port; the refusals have a limit on their rate, 50 and then 100 a second."""

    def packet():
        return packets.udp(wire.nobody(), wire.server, (wire.port(), wire.random.randrange(1000, 60000)), b"x" * 200)

    answers = flood(wire, seconds, RATE, packet)
    refused = answers.icmp.get(3, 0)
    require(0 < refused <= 50 + 100 * (seconds + 2), f"{refused} refusals in {seconds} s")
    return f"{wire.sent} datagrams, {refused} refusals"


def fragments(wire, seconds):
    """First fragments of what never becomes whole, and pairs that overlap."""
    body = wire.random.randbytes(1480)

    def packet():
        number = wire.random.getrandbits(16)
        offset = 0 if wire.random.getrandbits(1) else 8 * wire.random.randrange(100)
        return packets.ipv4(
            wire.nobody(), wire.server, packets.UDP, body, number & 0xFFF, packets.MORE_FRAGMENTS | offset // 8
        )

    flood(wire, seconds, RATE, packet)
    return f"{wire.sent} fragments"


def arps(wire, seconds):
    """ARP requests for the target, from every address of the segment, each time with another link address."""
    near = neighbours(wire)
    for _ in at_pace(RATE, seconds):
        mac = b"\x02" + wire.random.randbytes(5)
        wire.frame(packets.arp_request(mac, wire.random.choice(near), wire.server))
    return f"{wire.sent} requests"


def neighbours(wire):
    """The addresses of the segment that nobody has."""
    taken = {wire.server[3], wire.host[3]}
    return [wire.server[:3] + bytes([number]) for number in range(1, 255) if number not in taken]


def noise(wire, seconds):
    """Frames whose headers are cut, wrong or random."""
    good = packets.ethernet(
        wire.theirs, wire.ours, 0x0800,
        packets.tcp(wire.nobody(), wire.server, (wire.port(), HTTP), 1, 0, SYN, options=OFFER),
    )  # fmt: skip
    for _ in at_pace(RATE, seconds):
        frame = bytearray(good[: wire.random.randrange(14, len(good) + 1)])
        for _ in range(wire.random.randrange(1, 4)):
            frame[wire.random.randrange(12, len(frame))] = wire.random.getrandbits(8)
        wire.frame(bytes(frame))
    return f"{wire.sent} frames"
