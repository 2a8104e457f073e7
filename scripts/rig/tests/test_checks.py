"""The checks can fail: on a scan that saw nothing, on a capture with too few closings or a wrong checksum."""

import contextlib
import io
import unittest

from rig.boot.closing import EACH, WAYS, Closings
from rig.boot.scan import open_of, states_of
from rig.capture import ACK, FIN, SYN
from rig.checks import Checks, Failure
from rig.tests.test_capture import CLIENT, GUEST_MAC, capture_of, segment


class Scans(unittest.TestCase):
    """nmap's report."""

    def test_no_host(self):
        with self.assertRaises(Failure):
            states_of("<nmaprun></nmaprun>")

    def test_ports(self):
        report = """<nmaprun><host><ports><extraports state="closed" count="65534"/>
            <port protocol="tcp" portid="80"><state state="open"/></port></ports></host></nmaprun>"""
        states = states_of(report)
        self.assertEqual(open_of(states), {80})
        self.assertEqual(states[None], {"closed": 65534})


class Judgement(unittest.TestCase):
    """A capture in which every way of closing has its connections, and then fewer."""

    def judged(self, frames, ports):
        """The names of the checks that failed."""
        checks = Checks()
        stage = type("Stage", (), {"check": checks, "mac": GUEST_MAC})()
        closings = Closings(stage)
        closings._ports = ports
        filler = [segment(True, ACK)] * 1001
        with contextlib.redirect_stdout(io.StringIO()):
            closings.judge(capture_of(*filler, *frames))
        return checks.failed

    def setUp(self):
        ways = (*WAYS, "idle time-out", "shutdown")
        self.ports = {way: list(range(20000 + 100 * n, 20000 + 100 * n + EACH)) for n, way in enumerate(ways)}
        self.frames = [
            frame for ports in self.ports.values() for port in ports
            for frame in (segment(False, SYN, port), segment(True, FIN | ACK, port), segment(False, FIN | ACK, port))
        ]  # fmt: skip
        self.assertEqual(CLIENT, bytes([192, 0, 2, 1]))

    def test_all_there(self):
        self.assertEqual(self.judged(self.frames, self.ports), [])

    def test_one_fin_too_few(self):
        without = [frame for n, frame in enumerate(self.frames) if n != 1]
        self.assertEqual(self.judged(without, self.ports), ["our FIN came first in 20 connections: Connection: close"])

    def test_connections_never_made(self):
        self.assertIn("our FIN came first in 20 connections: shutdown", self.judged(self.frames, {}))

    def test_wrong_checksum(self):
        frames = [*self.frames, segment(True, ACK, spoil="TCP")]
        self.assertEqual(self.judged(frames, self.ports), ["no frame of ours has a wrong checksum or length"])
