"""The judgement of connections with TLS, on packets made by hand: what their clients got is all that may be on the wire."""

import struct
import unittest

from rig.boot.tls_foreign import Wire, mark
from rig.capture import ACK, SYN
from rig.tests.test_capture import GUEST_MAC, capture_of, checksum, segment

FIRST = 0xFFFF_FFF0
PORT = 40000
RAW = bytes(number * 37 % 251 for number in range(3000))


class Client:
    """One that got these bytes."""

    def __init__(self, name, port, raw):
        self.name = name
        self.streams = {("192.0.2.1", PORT, port): [bytearray(raw)]}


def at(sequence, flags=ACK, payload=b"", port=443, spoil=False):
    """A frame of the guest's port with this sequence number."""
    frame = bytearray(segment(True, flags, PORT, payload))
    length = struct.unpack("!H", frame[16:18])[0]
    frame[34:36] = struct.pack("!H", port)
    frame[38:42] = struct.pack("!I", sequence % (1 << 32))
    tcp = frame[34 : 14 + length]
    tcp[16:18] = b"\0\0"
    pseudo = bytes(frame[26:34]) + struct.pack("!BBH", 0, 6, len(tcp))
    frame[50:52] = struct.pack("!H", checksum(pseudo + bytes(tcp) + b"\0" * (len(tcp) % 2)) ^ spoil)
    return bytes(frame)


def data(place, payload, **more):
    """A frame so many bytes from the stream's start."""
    return at(FIRST + place, payload=payload, **more)


def found(*frames, raw=RAW, port=443):
    """What is found in a connection with these frames; there are clients of other pages too."""
    clients = [Client("left", port, raw), Client("plain", 1, b""), Client("right", 2, b"")]
    return Wire(GUEST_MAC, clients).read(capture_of(at(FIRST - 1, SYN | ACK, port=port), *frames), 0)


class Judged(unittest.TestCase):
    """Each byte is its connection's, whenever it is sent."""

    def test_a_stream_out_of_order_and_sent_again(self):
        places = ((1400, 1400), (0, 1400), (2800, 200), (100, 50))
        wire = found(*(data(place, RAW[place : place + length]) for place, length in places))
        self.assertEqual((wire.strange, wire.clear, wire.wrong), ([], [], []))
        self.assertEqual(wire.counted, {"frames": 4, "bytes": 3050, "again": 1})

    def test_a_foreign_byte_in_what_is_sent_again(self):
        for place in (0, 700, 1399):
            spoilt = bytearray(RAW[:1400])
            spoilt[place] ^= 1
            wire = found(data(0, RAW[:1400]), data(0, bytes(spoilt)), data(1400, RAW[1400:2800]))
            self.assertEqual(wire.counted["strange"], 1, place)

    def test_bytes_behind_the_end_and_before_the_start(self):
        for place in (3000, -1):
            self.assertEqual(found(data(place, b"x")).counted["strange"], 1, place)

    def test_a_port_that_comes_again(self):
        client = Client("left", 443, RAW)
        client.streams["192.0.2.1", PORT, 443].append(bytearray(RAW[::-1]))
        again = FIRST + 5_000_000

        def judged(*more):
            first = (at(FIRST - 1, SYN | ACK), at(FIRST - 1, SYN | ACK), data(0, RAW[:100]))
            return Wire(GUEST_MAC, [client]).read(capture_of(*first, at(again - 1, SYN | ACK), *more), 0)

        self.assertEqual(judged(at(again, payload=RAW[::-1][:100])).strange, [])
        self.assertEqual(judged(at(again, payload=RAW[:100])).counted["strange"], 1)

    def test_a_connection_of_nobody(self):
        wire = found(data(0, RAW[:1400], port=80))
        self.assertEqual(wire.counted["strange"], 1)

    def test_a_page_in_clear(self):
        for name in ("left", "plain", "right"):
            raw = RAW[:100] + mark(name) + RAW[100:]
            self.assertEqual(found(data(0, raw[:1400]), raw=raw).counted["clear"], 1, name)

    def test_without_tls_only_its_own_page_is_in_clear(self):
        for name, clear in (("plain", 0), ("left", 1), ("right", 1)):
            raw = RAW[:100] + mark(name) + RAW[100:]
            self.assertEqual(found(data(0, raw[:1400], port=80), raw=raw, port=80).counted["clear"], clear, name)

    def test_a_wrong_checksum(self):
        self.assertEqual(found(data(0, RAW[:1400], spoil=True)).counted["wrong"], 1)
