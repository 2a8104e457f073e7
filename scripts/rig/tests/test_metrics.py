"""scripts/metrics and scripts/top, on what xenstore-ls says of a host; and the table of the sources' counters."""

import importlib.machinery
import importlib.util
import os
import re
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from rig import counted
from rig.place import REPOSITORY

SCRIPTS = REPOSITORY / "scripts"


def script(name):
    """A script without the ending of a module."""
    loader = importlib.machinery.SourceFileLoader(name, str(SCRIPTS / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


metrics, top = script("metrics"), script("top")

STORE = """\
/local/domain/0 = ""
/local/domain/0/name = "Domain-0"
/local/domain/0/data/counters/forged = "5"
/local/domain/7 = ""
/local/domain/7/name = "blog"
/local/domain/7/data/state = "listening"
/local/domain/7/data/address = "192.0.2.100"
/local/domain/7/data/counters = ""
/local/domain/7/data/counters/http_requests = "18446744073709551615"
/local/domain/7/data/counters/tcp_land = "3"
/local/domain/7/data/counters/BAD = "1"
/local/domain/7/data/counters/worded = "one"
/local/domain/7/data/counters/signed = "-1"
/local/domain/7/data/counters/long = "123456789012345678901"
/local/domain/7/data/counters/deep/er = "1"
/local/domain/8/name = "a linux"
/local/domain/9/name = "s\\"t\\\\age"
/local/domain/9/data/state = "listening\\" 1"
/local/domain/9/data/counters/http_requests = "2"
"""

KNOWN = {"http_requests": "Requests whose head was sound.", "tcp_paws": "A segment with a \\ in it."}

EXPECTED = r"""# HELP halfpage_listening Whether the guest takes connections.
# TYPE halfpage_listening gauge
halfpage_listening{domain="blog",domid="7"} 1
halfpage_listening{domain="s\\\"t\\\\age",domid="9"} 0
# HELP halfpage_http_requests_total Requests whose head was sound.
# TYPE halfpage_http_requests_total counter
halfpage_http_requests_total{domain="blog",domid="7"} 18446744073709551615
halfpage_http_requests_total{domain="s\\\"t\\\\age",domid="9"} 2
# HELP halfpage_tcp_land_total As the guest counts it.
# TYPE halfpage_tcp_land_total counter
halfpage_tcp_land_total{domain="blog",domid="7"} 3
halfpage_tcp_land_total{domain="s\\\"t\\\\age",domid="9"} 0
# HELP halfpage_tcp_paws_total A segment with a \\ in it.
# TYPE halfpage_tcp_paws_total counter
halfpage_tcp_paws_total{domain="blog",domid="7"} 0
halfpage_tcp_paws_total{domain="s\\\"t\\\\age",domid="9"} 0
"""


def run(name, *words, store=STORE):
    """A script, with an xenstore-ls that says this."""
    with tempfile.TemporaryDirectory() as folder:
        tool = Path(folder, "xenstore-ls")
        Path(folder, "store").write_text(store, encoding="ascii")
        tool.write_text(f'#!/bin/sh\n[ "$*" = "-f /local/domain" ] && cat {folder}/store\n', encoding="ascii")
        tool.chmod(0o755)
        environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
        line = [sys.executable, SCRIPTS / name, *map(str, words)]
        return subprocess.run(line, env=environment, capture_output=True, text=True, check=False)


class Metrics(unittest.TestCase):
    def test_the_text_has_what_the_guests_count_and_nothing_else_that_they_wrote(self):
        self.assertEqual(metrics.prometheus(metrics.guests(STORE), KNOWN), EXPECTED)

    def test_a_guest_that_writes_many_counters_is_cut_short(self):
        store = "".join(f'/local/domain/7/data/counters/c{n} = "1"\n' for n in range(1000))
        self.assertEqual(len(metrics.guests(store)[0].counters), 512)

    def test_no_guest_is_no_text(self):
        self.assertEqual(metrics.prometheus(metrics.guests(""), KNOWN), "")

    def test_the_file_is_replaced_as_a_whole_and_everyone_may_read_it(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "halfpage.prom")
            path.write_text("old", encoding="ascii")
            with open(path, encoding="ascii") as held:
                done = run("metrics", "--out", path)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual(held.read(), "old")
            self.assertIn('halfpage_tcp_land_total{domain="blog",domid="7"} 3\n', path.read_text(encoding="utf-8"))
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o644)
            self.assertEqual(os.listdir(folder), ["halfpage.prom"])

    def test_where_the_store_fails_the_file_stays(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "halfpage.prom")
            path.write_text("old", encoding="ascii")
            line = [sys.executable, SCRIPTS / "metrics", "--out", path]
            done = subprocess.run(line, env={"PATH": folder}, capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1))
            self.assertEqual(path.read_text(encoding="ascii"), "old")


class Top(unittest.TestCase):
    def guest(self, **counters):
        guest = metrics.Guest(7)
        guest.name, guest.state, guest.counters = "blog", "listening", counters
        return guest

    def test_rates_are_differences_over_the_time(self):
        moved = top.rates(self.guest(http_requests=10, tcp_paws=1), self.guest(http_requests=30, tcp_paws=1), 2)
        self.assertEqual(moved, {"http_requests": 10})

    def test_a_counter_that_went_back_began_at_zero(self):
        moved = top.rates(self.guest(http_requests=1000), self.guest(http_requests=8), 2)
        self.assertEqual(moved, {"http_requests": 4})

    def test_a_guest_seen_for_the_first_time_has_no_rates(self):
        self.assertEqual(top.rates(None, self.guest(http_requests=8), 2), {})

    def test_a_guest_is_a_line_and_its_drops_by_name(self):
        moved = {"http_requests": 1234.5, "net_rx_bytes": 99_000, "net_tx_bytes": 5_500_000, "http_responses_4xx": 2,
                 "tcp_established": 7, "tcp_land": 3, "tcp_checksum": 9}  # fmt: skip
        self.assertEqual(top.lines(self.guest(), moved), [
            "blog                 listening     1234.5     2.0     99.0K      5.5M      7.0     12.0",
            "    tcp_checksum 9.0/s",
            "    tcp_land 3.0/s",
        ])  # fmt: skip

    def test_a_name_brings_the_terminal_no_commands(self):
        guest = self.guest()
        guest.name = "\x1b[2Jblog"
        self.assertNotIn("\x1b", top.lines(guest, {})[0])

    def test_it_shows_the_store_as_it_is(self):
        done = run("top", "--rounds", "1", "--every", "0", "blog")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"\ADOMAIN .*\nblog +listening +0\.0 .*\n\Z")

    def test_each_drop_is_a_counter_of_the_sources(self):
        known = [line.partition("\t")[0] for line in counted.table().splitlines()]
        unknown = [drop for drop in top.DROPS if not any(name.startswith(drop) for name in known)]
        self.assertEqual(unknown, [])


class Counted(unittest.TestCase):
    def test_both_forms_of_the_macro_are_read(self):
        source = '''
xen::counters! {
    /// What befell the door.
    pub(crate) struct DoorCounters: "door" {
        /// Knocks nobody answered,
        /// day or night.
        unanswered,
    }
}
netstack::counters! {
    /// Others.
    pub struct Counters {
        /// Those of tcp.
        tcp_one,
        /// Others.
        tcp_two,
    }
}
'''
        self.assertEqual(counted.of(source), [
            ("door_unanswered", "Knocks nobody answered, day or night."), ("tcp_one", "Those of tcp."),
            ("tcp_two", "Others."),
        ])  # fmt: skip

    def test_the_sources_have_them_all(self):
        lines = counted.table().splitlines()
        for name in ("http_requests", "tcp_paws", "net_rx_frames", "grant_made", "store_conflicts", "hypercall_poll"):
            self.assertTrue(any(re.match(rf"{name}\t\S.*", line) for line in lines), name)


if __name__ == "__main__":
    unittest.main()
