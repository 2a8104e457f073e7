"""scripts/console-pcap: the recorder's lines as a capture, as tcpdump and tshark read it."""

import base64
import shutil
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

from rig.place import REPOSITORY

SCRIPT = REPOSITORY / "scripts" / "console-pcap"
# 2026-01-02 03:04:05 UTC, when the guest's clock stood at 10 s.
UNIX = 1767323045
BEGIN = f"flight: begin frames=2 first=5 clock=10000000 unix={UNIX}000000"

# A SYN from 192.0.2.1:20000 to 192.0.2.100:80, by hand.
SYN = bytes.fromhex(
    "00163ef1e7df 00163e000001 0800"
    "4500 0028 0001 4000 4006 b669 c0000201 c0000264"
    "4e20 0050 00000001 00000000 5002 ffff a8c5 0000"
)


def line(number, micros, data, verdict="", out=False, length=None):
    """A line of the recorder."""
    record = struct.pack("<QQIBB", number, micros, length or len(data), out, len(data)) + data + verdict.encode()
    record += struct.pack("<H", sum(record) & 0xFFFF)
    return "flight: " + base64.b64encode(record).decode()


LOG = "\r\n".join([
    "[  9.000000] INFO  listening on http://192.0.2.100/",
    BEGIN, line(5, 9_500_000, SYN), line(6, 9_750_001, SYN[:54], "tcp_paws", length=1514), "flight: end", "",
])  # fmt: skip


def converted(log):
    """The script's end."""
    return subprocess.run([SCRIPT], input=log.encode(), capture_output=True, check=False)


def tool(capture, *words):
    """What a tool says of a capture."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "out.pcapng")
        path.write_bytes(capture)
        line_ = [str(path) if word == "CAPTURE" else word for word in words]
        done = subprocess.run(line_, capture_output=True, text=True, check=True)
        return done.stdout


class ConsolePcap(unittest.TestCase):
    def test_the_recorders_own_golden_line_is_read(self):
        # The line of kernel/xen/tests/recorder.rs.
        golden = "flight: AAAAAAAAAAAEAwIBAAAAAAMAAAABA2FiY25ldF90eF9mdWxs2wU="
        capture = converted(f"{golden}\n").stdout
        self.assertIn(b"halfpage: counted as net_tx_full", capture)
        self.assertIn(struct.pack("<IIII", 0x01020304, 3, 3, int.from_bytes(b"abc\0", "little")), capture)

    @unittest.skipUnless(shutil.which("tshark"), "no tshark here")
    def test_tshark_shows_time_length_direction_and_verdict(self):
        fields = ("frame.time_epoch", "frame.len", "frame.cap_len", "frame.packet_flags_direction", "frame.comment",
                  "tcp.dstport")  # fmt: skip
        words = [word for field in fields for word in ("-e", field)]
        said = tool(converted(LOG).stdout, "tshark", "-r", "CAPTURE", "-T", "fields", *words)
        first, second = (shown.split("\t") for shown in said.splitlines())
        self.assertAlmostEqual(float(first[0]), UNIX - 0.5, places=6)
        self.assertEqual([first[1], first[2], int(first[3], 0), *first[4:]],
                         ["54", "54", 1, "halfpage: accepted", "80"])  # fmt: skip
        self.assertAlmostEqual(float(second[0]), UNIX - 0.249999, places=6)
        self.assertEqual([second[1], second[2], int(second[3], 0), *second[4:]],
                         ["1514", "54", 1, "halfpage: counted as tcp_paws", "80"])  # fmt: skip

    @unittest.skipUnless(shutil.which("tcpdump"), "no tcpdump here")
    def test_tcpdump_reads_it(self):
        said = tool(converted(LOG).stdout, "tcpdump", "-n", "-r", "CAPTURE")
        self.assertEqual(said.count("IP 192.0.2.1.20000 > 192.0.2.100.80: Flags [S]"), 2)

    def test_a_frame_that_stands_in_two_dumps_is_written_once(self):
        again = LOG.replace("clock=10000000", "clock=12000000").replace(f"{UNIX}000000", f"{UNIX + 2}000134")
        self.assertEqual(converted(LOG + again).stdout, converted(LOG).stdout)

    def test_what_the_console_spoiled_is_left_out_and_counted(self):
        whole = line(7, 9_800_000, SYN)
        spoiled = LOG + whole[:40] + "\n" + whole.replace("E", "F") + "\n" + whole[:60] + "?" + whole[61:] + "\n"
        done = converted(spoiled)
        self.assertEqual(done.stdout, converted(LOG).stdout)
        self.assertEqual(done.stderr, b"console-pcap: 3 spoiled lines are left out\n")

    def test_times_that_no_capture_can_hold_are_spoiled(self):
        for begin in (BEGIN.replace("clock=10000000", f"clock={10**19}"), BEGIN.replace(f"{UNIX}000000", "9" * 20)):
            done = converted(LOG + begin + "\n" + line(7, 9_800_000, SYN) + "\n")
            self.assertEqual(done.stdout, converted(LOG).stdout)
            self.assertEqual(done.stderr, b"console-pcap: 1 spoiled lines are left out\n")
        done = converted(LOG + line(7, (1 << 64) - 1, SYN) + "\n")
        self.assertEqual(done.stderr, b"console-pcap: 1 spoiled lines are left out\n")
        self.assertEqual(converted(LOG + BEGIN.replace("clock=", "clock=" + "9" * 5_000) + "\n").stdout, converted(LOG).stdout)

    def test_a_verdict_is_a_counters_name_and_nothing_else(self):
        for verdict in ("\x1b[2J", "x" * 33, "a" * 70_000, "two words"):
            done = converted(LOG + line(7, 9_800_000, SYN, verdict) + "\n")
            self.assertEqual(done.stdout, converted(LOG).stdout)
            self.assertEqual(done.stderr, b"console-pcap: 1 spoiled lines are left out\n")
        self.assertIn(b"tcp_paws (one of 12)", converted(LOG + line(7, 9_800_000, SYN, "tcp_paws (one of 12)")).stdout)

    def test_what_a_client_has_put_into_the_access_log_is_no_frame(self):
        for text in (line(7, 9_800_000, SYN), BEGIN.replace(str(UNIX), "1"), "flight: ?"):
            asked = f'192.0.2.1 - - [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1" 200 5 "-" "{text}"'
            done = converted(LOG.replace(BEGIN, f"{BEGIN}\n{asked}"))
            self.assertEqual((done.stdout, done.stderr), (converted(LOG).stdout, b""))

    def test_a_log_without_a_dump_is_one_line(self):
        done = converted("[  0.000001] INFO  halfpage\n")
        self.assertEqual((done.returncode, done.stdout, len(done.stderr.splitlines())), (1, b"", 1))


if __name__ == "__main__":
    unittest.main()
