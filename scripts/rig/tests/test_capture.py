"""The reading of captures, on packets made by hand."""

import struct
import tempfile
import unittest
from pathlib import Path

from rig.capture import ACK, FIN, RST, SYN, CaptureError, examine, frames, sums_to_zero

GUEST_MAC = "00:16:3e:00:00:02"
CLIENT_MAC = "00:16:3e:00:00:03"
GUEST = bytes([192, 0, 2, 100])
CLIENT = bytes([192, 0, 2, 1])


def checksum(data):
    """RFC 1071, word by word."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def segment(from_guest, flags, port=40000, payload=b"", spoil=None):
    """A whole TCP frame between client and guest."""
    source, destination = (GUEST, CLIENT) if from_guest else (CLIENT, GUEST)
    ports = (80, port) if from_guest else (port, 80)
    tcp = bytearray(struct.pack("!HHIIBBHHH", *ports, 1000, 2000, 5 << 4, flags, 8192, 0, 0) + payload)
    pseudo = source + destination + struct.pack("!BBH", 0, 6, len(tcp))
    tcp[16:18] = struct.pack("!H", checksum(pseudo + bytes(tcp) + b"\0" * (len(tcp) % 2)))
    ip = bytearray(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, source, destination))
    ip[10:12] = struct.pack("!H", checksum(bytes(ip)))
    if spoil == "TCP":
        tcp[17] ^= 1
    if spoil == "IPv4":
        ip[8] ^= 1
    macs = (CLIENT_MAC, GUEST_MAC) if from_guest else (GUEST_MAC, CLIENT_MAC)
    head = b"".join(bytes.fromhex(mac.replace(":", "")) for mac in macs) + b"\x08\x00"
    # A short frame is padded to 60 bytes: the padding is not part of the packet.
    return (head + bytes(ip) + bytes(tcp)).ljust(60, b"\xaa")


def capture_of(*frames_in):
    """A capture file of those frames."""
    path = Path(tempfile.mkstemp(suffix=".pcap")[1])
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65536, 1)
    records = b"".join(struct.pack("<IIII", n, 0, len(f), len(f)) + f for n, f in enumerate(frames_in))
    path.write_bytes(head + records)
    return path


class Sums(unittest.TestCase):
    """The quick sum against RFC 1071."""

    def test_example_of_rfc_1071(self):
        words = bytes.fromhex("0001f203f4f5f6f7")
        self.assertEqual(checksum(words), 0x220D)
        self.assertTrue(sums_to_zero(words, b"\x22\x0d"))
        self.assertFalse(sums_to_zero(words, b"\x22\x0e"))

    def test_odd_end_is_padded(self):
        self.assertTrue(sums_to_zero(b"\x12\x34", b"\xed\xcb"))
        self.assertTrue(sums_to_zero(b"\xed\xff", b"\x12"))


class Wrong(unittest.TestCase):
    """Wrong checksums are found, where they are and in whose packets."""

    def test_good_frames(self):
        found = examine(capture_of(segment(True, ACK, payload=b"odd"), segment(True, ACK, payload=b"even")), GUEST_MAC)
        self.assertEqual((found.packets, found.wrong), (2, []))

    def test_each_wrong_sum(self):
        for spoil in ("TCP", "IPv4"):
            found = examine(capture_of(segment(True, ACK), segment(True, ACK, spoil=spoil)), GUEST_MAC)
            self.assertEqual(found.wrong, [(1.0, spoil)])

    def test_the_client_is_not_judged(self):
        found = examine(capture_of(segment(False, ACK, spoil="TCP")), GUEST_MAC)
        self.assertEqual((found.packets, found.wrong), (0, []))


class Closing(unittest.TestCase):
    """A FIN counts when the guest closed first."""

    client = (CLIENT, 40000)

    def test_fin_of_the_guest(self):
        found = examine(capture_of(segment(False, SYN), segment(True, FIN | ACK), segment(False, FIN | ACK)), GUEST_MAC)
        self.assertEqual(found.fins[self.client], 1)

    def test_client_closed_first(self):
        found = examine(capture_of(segment(False, SYN), segment(False, FIN | ACK), segment(True, FIN | ACK)), GUEST_MAC)
        self.assertEqual(found.fins[self.client], 0)

    def test_reset_is_no_fin(self):
        found = examine(capture_of(segment(False, SYN), segment(True, RST | ACK)), GUEST_MAC)
        self.assertEqual(found.fins[self.client], 0)

    def test_port_used_again_counts_anew(self):
        first = [segment(False, SYN), segment(True, FIN | ACK), segment(False, FIN | ACK)]
        found = examine(capture_of(*first, segment(False, SYN), segment(False, RST)), GUEST_MAC)
        self.assertEqual(found.fins[self.client], 0)


class Files(unittest.TestCase):
    """What is no capture, or a cut one."""

    def test_not_a_capture(self):
        path = Path(tempfile.mkstemp()[1])
        path.write_bytes(b"x" * 40)
        with self.assertRaises(CaptureError):
            list(frames(path))

    def test_snapped_frame(self):
        path = capture_of(segment(True, ACK))
        data = bytearray(path.read_bytes())
        data[36:40] = struct.pack("<I", 1514)
        path.write_bytes(data)
        with self.assertRaises(CaptureError):
            list(frames(path))

    def test_file_still_being_written(self):
        path = capture_of(segment(True, ACK), segment(True, ACK))
        path.write_bytes(path.read_bytes()[:-5])
        self.assertEqual(len(list(frames(path))), 1)
