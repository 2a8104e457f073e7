"""The judgement of connections, on packets made by hand."""

import struct
import unittest

from rig.capture import ACK, SYN
from rig.streams import Streams
from rig.tests.test_capture import GUEST_MAC, capture_of, checksum, segment

FILE = bytes(range(256)) * 10
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2560\r\n\r\n"
GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
FIRST = 0xFFFF_FFF0


def at(sequence, *words, **more):
    """A frame of the guest with this sequence number."""
    frame = bytearray(segment(True, *words, **more))
    length = struct.unpack("!H", frame[16:18])[0]
    frame[38:42] = struct.pack("!I", sequence % (1 << 32))
    tcp = frame[34 : 14 + length]
    tcp[16:18] = b"\0\0"
    pseudo = bytes(frame[26:34]) + struct.pack("!BBH", 0, 6, len(tcp))
    frame[50:52] = struct.pack("!H", checksum(pseudo + bytes(tcp) + b"\0" * (len(tcp) % 2)))
    return bytes(frame)


def answer(*frames):
    """What is found in a connection with these answers."""
    begin = [segment(False, SYN), at(FIRST - 1, SYN | ACK), segment(False, ACK, payload=GET)]
    return Streams(GUEST_MAC, {"/a": FILE}).read(capture_of(*begin, *frames))


def data(place, payload):
    """A frame of the answer, so many bytes from its start."""
    return at(FIRST + place, ACK, payload=payload)


class Judged(unittest.TestCase):
    """All bytes are the file's, or the frame is told."""

    whole = HEAD + FILE

    def test_a_whole_answer_with_retransmissions(self):
        places = ((0, 100), (100, 1400), (1500, 1101), (100, 50), (0, 1400), (30, 20), (2600, 1))
        found = answer(*(data(place, self.whole[place : place + length]) for place, length in places))
        self.assertEqual((found.foreign, found.wrong), ([], []))
        self.assertEqual(found.counted["bytes"], sum(length for _, length in places))

    def test_a_head_that_was_lost_at_first(self):
        found = answer(data(1000, self.whole[1000:]), data(0, self.whole[:1000]))
        self.assertEqual(found.foreign, [])
        spoilt = self.whole[1000:2000] + b"x" + self.whole[2001:]
        self.assertEqual(answer(data(1000, spoilt), data(0, self.whole[:1000])).counted["foreign"], 1)
        self.assertEqual(answer(data(1000, spoilt)).counted["foreign"], 1)

    def test_a_foreign_byte_anywhere(self):
        for place in (3, len(HEAD), 700, 2600):
            spoilt = bytearray(self.whole)
            spoilt[place] ^= 1
            for frames in ([(0, 2601)], [(0, 60), (60, 2541)], [(0, 1000), (1000, 1601)]):
                good = [data(first, self.whole[first : first + length]) for first, length in frames]
                bad = [data(first, bytes(spoilt[first : first + length])) for first, length in frames]
                self.assertEqual(answer(*good, *bad).counted["foreign"], 1, f"{place} in {frames}")

    def test_bytes_behind_the_end(self):
        self.assertEqual(answer(data(0, self.whole), data(2601, b"x")).counted["foreign"], 1)

    def test_bytes_before_the_start(self):
        self.assertEqual(answer(data(0, self.whole), data(-1, b"x")).counted["foreign"], 1)

    def test_another_files_length_or_status(self):
        for head in (HEAD.replace(b"2560", b"2561"), HEAD.replace(b"200", b"404")):
            self.assertEqual(answer(data(0, head + FILE)).counted["foreign"], 1)

    def test_bytes_nobody_asked_for(self):
        unasked = [segment(False, SYN), at(FIRST - 1, SYN | ACK), data(0, self.whole)]
        self.assertEqual(Streams(GUEST_MAC, {"/a": FILE}).read(capture_of(*unasked)).counted["foreign"], 1)
        self.assertEqual(Streams(GUEST_MAC, {"/a": FILE}).read(capture_of(data(0, b"x"))).counted["foreign"], 1)

    def test_a_wrong_checksum(self):
        found = answer(data(0, self.whole), segment(True, ACK, spoil="TCP"))
        self.assertEqual((found.counted["wrong"], found.counted["foreign"]), (1, 0))

    def test_a_port_used_again(self):
        again = [segment(False, SYN), at(77, SYN | ACK), segment(False, ACK, payload=GET)]
        found = answer(data(0, self.whole), *again, at(78, ACK, payload=self.whole))
        self.assertEqual((found.foreign, found.counted["requests"]), ([], 2))


if __name__ == "__main__":
    unittest.main()
