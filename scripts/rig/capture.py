"""What a capture of the segment shows: checksums, and who closed each connection.

Reads the pcap files that QEMU's filter-dump writes (little-endian, microseconds, Ethernet).
"""

import struct
from collections import defaultdict

FIN, SYN, RST, ACK = 1, 2, 4, 16
ICMP, TCP, UDP = 1, 6, 17


class CaptureError(Exception):
    """The file is no capture we can read."""


def frames(path, begin=0):
    """The frames of a capture, from a size it once had on, each as (seconds, bytes); one cut short is an error."""
    with open(path, "rb") as file:
        head = file.read(24)
        if len(head) < 24 or struct.unpack("<I", head[:4])[0] != 0xA1B2C3D4 or struct.unpack("<I", head[20:])[0] != 1:
            raise CaptureError(f"{path}: not a little-endian Ethernet pcap")
        if begin > 24:
            file.seek(begin)
        while record := file.read(16):
            if len(record) < 16:
                return
            seconds, micros, captured, length = struct.unpack("<IIII", record)
            data = file.read(captured)
            if len(data) < captured:
                return
            if captured < length:
                raise CaptureError(f"{path}: a frame of {length} bytes has only {captured}")
            yield seconds + micros / 1e6, data


def sums_to_zero(*parts):
    """Whether the ones' complement sum over the parts, each of even length but the last, is right."""
    total = 0
    for part in parts:
        total += int.from_bytes(part + b"\0" * (len(part) % 2), "big") % 0xFFFF
    return total % 0xFFFF == 0


class Packet:
    """An IPv4 packet in a frame. Wrong checksums are noted, not refused."""

    def __init__(self, frame):
        self.source_mac = frame[6:12].hex(":")
        ip = frame[14:]
        header = (ip[0] & 15) * 4
        length = struct.unpack("!H", ip[2:4])[0]
        self.protocol = ip[9]
        self.source, self.destination = ip[12:16], ip[16:20]
        fragment = struct.unpack("!H", ip[6:8])[0] & 0x3FFF
        body = ip[header:length]
        self.wrong = []
        if not sums_to_zero(ip[:header]):
            self.wrong.append("IPv4")
        if length < header or len(ip) < length:
            self.wrong.append("length")
        elif not fragment:
            self._transport(body)

    def _transport(self, body):
        pseudo = self.source + self.destination + struct.pack("!BBH", 0, self.protocol, len(body))
        if self.protocol == ICMP and not sums_to_zero(body):
            self.wrong.append("ICMP")
        elif self.protocol == UDP and len(body) >= 8 and body[6:8] != b"\0\0" and not sums_to_zero(pseudo, body):
            self.wrong.append("UDP")
        elif self.protocol == TCP and len(body) >= 20:
            if not sums_to_zero(pseudo, body):
                self.wrong.append("TCP")
            self.ports = struct.unpack("!HH", body[:4])
            self.sequence = struct.unpack("!I", body[4:8])[0]
            self.flags = body[13]
            self.payload = body[(body[12] >> 4) * 4 :]


class Findings:
    """What was seen of one guest.

    wrong: (seconds, what) of each of its packets with a wrong checksum or length.
    fins: for each client (address, port), how many frames of its present connection to the guest's
    port 80 carry the guest's FIN before the client's own FIN or RST.
    """

    def __init__(self):
        self.packets = 0
        self.wrong = []
        self.fins = defaultdict(int)
        self.protocols = defaultdict(int)
        self._client_closed = set()

    def take(self, seconds, packet, mac):
        """Notes one packet, sent by or to the guest."""
        if packet.source_mac == mac:
            self.packets += 1
            self.protocols[packet.protocol] += 1
            self.wrong += [(seconds, what) for what in packet.wrong]
        flags = getattr(packet, "flags", None)
        if flags is None:
            return
        if packet.source_mac == mac and packet.ports[0] == 80:
            client = (packet.destination, packet.ports[1])
            if flags & FIN and not flags & RST and client not in self._client_closed:
                self.fins[client] += 1
        elif packet.source_mac != mac and packet.ports[1] == 80:
            client = (packet.source, packet.ports[0])
            if flags & SYN:
                self._client_closed.discard(client)
                self.fins.pop(client, None)
            elif flags & (FIN | RST):
                self._client_closed.add(client)


def examine(path, mac, begin=0):
    """Reads a capture, from a size it once had on, for what the guest with that mac address did."""
    findings = Findings()
    for seconds, frame in frames(path, begin):
        if len(frame) >= 34 and frame[12:14] == b"\x08\x00" and mac in (frame[6:12].hex(":"), frame[0:6].hex(":")):
            findings.take(seconds, Packet(frame), mac)
    return findings
