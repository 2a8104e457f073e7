"""The frames of the attacks, against bytes made by hand and the reading of captures."""

import unittest

from rig.capture import Packet
from rig.hostile import packets

SERVER_MAC = bytes.fromhex("00163e000002")
CLIENT_MAC = bytes.fromhex("00163e000003")
SERVER = bytes([192, 0, 2, 10])
CLIENT = bytes([198, 18, 0, 1])


def frame(packet):
    """In an Ethernet frame to the server."""
    return packets.ethernet(SERVER_MAC, CLIENT_MAC, 0x0800, packet)


class Golden(unittest.TestCase):
    """Bytes typed by hand."""

    def test_syn(self):
        syn = packets.tcp(CLIENT, SERVER, (40000, 80), 1000, 0, packets.SYN, window=8192)
        self.assertEqual(syn[:20].hex(), "4500002800000000" + "4006f2b2" + "c6120001" + "c000020a")
        self.assertEqual(syn[20:36].hex(), "9c400050" + "000003e8" + "00000000" + "50022000")
        self.assertEqual(len(syn), 40)

    def test_arp(self):
        request = packets.arp_request(CLIENT_MAC, CLIENT, SERVER)
        self.assertEqual(request[:22].hex(), "ffffffffffff" + "00163e000003" + "0806" + "0001080006040001")
        self.assertEqual(request[22:42].hex(), "00163e000003" + "c6120001" + "000000000000" + "c000020a")
        self.assertEqual(len(request), 60)


class Sums(unittest.TestCase):
    """Every checksum is right to whoever reads captures, for even and odd lengths."""

    def test_all(self):
        for payload in (b"", b"x", b"xy", b"\xff" * 1001):
            for packet in (
                packets.tcp(CLIENT, SERVER, (1, 2), 3, 4, packets.ACK, options=packets.OFFER, payload=payload),
                packets.udp(CLIENT, SERVER, (1, 2), payload),
                packets.echo_request(CLIENT, SERVER, 1, 2, payload),
            ):
                self.assertEqual(Packet(frame(packet)).wrong, [])


class Reading(unittest.TestCase):
    """What a frame says."""

    def test_segment(self):
        made = packets.tcp(CLIENT, SERVER, (40000, 80), 5, 6, packets.ACK, 7, packets.OFFER, b"abc")
        read = packets.Segment(frame(made))
        self.assertEqual((read.source, read.destination, read.ports), (CLIENT, SERVER, (40000, 80)))
        self.assertEqual((read.sequence, read.acknowledgment, read.flags), (5, 6, packets.ACK))
        self.assertEqual((read.window, read.length), (7, 3))

    def test_others(self):
        datagram = frame(packets.udp(CLIENT, SERVER, (1, 2), b"x" * 60))
        for other in (datagram, packets.arp_request(CLIENT_MAC, CLIENT, SERVER)):
            self.assertIsNone(packets.Segment(other).flags)
