"""Frames, made by hand: Ethernet, ARP, IPv4, ICMP, UDP, TCP.

Addresses are bytes: 6 of Ethernet, 4 of IPv4.
"""

import struct

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
ICMP, TCP, UDP = 1, 6, 17
BROADCAST = b"\xff" * 6

MORE_FRAGMENTS = 0x2000

# What a Linux client offers: MSS 1460, SACK, timestamps, window scale 7 (RFC 9293 3.1, 2018, 7323).
OFFER = bytes.fromhex("020405b40402080a0000000100000000") + bytes.fromhex("01030307")


def checksum(*parts):
    """RFC 1071 over the parts, each of even length but the last."""
    total = sum(int.from_bytes(part + b"\0" * (len(part) % 2), "big") for part in parts)
    return 0xFFFF - total % 0xFFFF


def ethernet(destination, source, kind, payload):
    """A frame, padded to 60 bytes."""
    return (destination + source + struct.pack("!H", kind) + payload).ljust(60, b"\0")


def arp_request(source_mac, source, target):
    """Who has the target? (RFC 826)"""
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + source_mac + source + bytes(6) + target
    return ethernet(BROADCAST, source_mac, 0x0806, body)


def ipv4(source, destination, protocol, payload, identification=0, fragment=0, ttl=64):
    """A packet without options. fragment: the flags and the offset in 8 bytes, as the header has them."""
    head = struct.pack(
        "!BBHHHBBH", 0x45, 0, 20 + len(payload), identification, fragment, ttl, protocol, 0
    )  # fmt: skip
    head += source + destination
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def tcp(source, destination, ports, sequence, acknowledgment, flags, window=64_240, options=b"", payload=b""):
    """A segment with its checksum, in its packet."""
    length = 20 + len(options)
    head = struct.pack(
        "!HHIIBBHHH", *ports, sequence & 0xFFFFFFFF, acknowledgment & 0xFFFFFFFF, length << 2, flags, window, 0, 0
    )  # fmt: skip
    pseudo = source + destination + struct.pack("!HH", TCP, length + len(payload))
    total = checksum(pseudo, head, options, payload)
    return ipv4(source, destination, TCP, head[:16] + struct.pack("!H", total) + head[18:] + options + payload)


def udp(source, destination, ports, payload):
    """A datagram with its checksum, in its packet."""
    head = struct.pack("!HHHH", *ports, 8 + len(payload), 0)
    pseudo = source + destination + struct.pack("!HH", UDP, 8 + len(payload))
    total = checksum(pseudo, head, payload) or 0xFFFF
    return ipv4(source, destination, UDP, head[:6] + struct.pack("!H", total) + payload)


def echo_request(source, destination, identifier, sequence, payload):
    """An ICMP echo request, in its packet."""
    body = struct.pack("!BBHHH", 8, 0, 0, identifier, sequence) + payload
    return ipv4(source, destination, ICMP, body[:2] + struct.pack("!H", checksum(body)) + body[4:])


class Segment:
    """What a TCP segment says, of the frame that carries it; `flags` is None where the frame carries none."""

    def __init__(self, frame):
        self.flags = None
        if len(frame) < 54 or frame[12:14] != b"\x08\x00" or frame[23] != TCP:
            return
        start = 14 + (frame[14] & 15) * 4
        length = struct.unpack_from("!H", frame, 16)[0]
        self.source, self.destination = frame[26:30], frame[30:34]
        self.ports = struct.unpack_from("!HH", frame, start)
        self.sequence, self.acknowledgment = struct.unpack_from("!II", frame, start + 4)
        self.flags = frame[start + 13]
        self.window = struct.unpack_from("!H", frame, start + 14)[0]
        self.length = 14 + length - start - (frame[start + 12] >> 4) * 4
