"""make run on a machine that is a Xen dom0, with tools that only look like xl and xenstore-read."""

import io
import os
import tempfile
import unittest
from pathlib import Path

from rig.here import Here, is_dom0

XL = """#!/bin/sh
echo "xl $*" >>"$LOG"
case $1 in
create) : >"$LOG.alive" ;;
domid) [ -e "$LOG.alive" ] && echo 7 ;;
shutdown) rm "$LOG.alive" ;;
console) exec sleep 60 ;;
esac
"""

STORE = """#!/bin/sh
case $1 in
/local/domain/7/data/address) echo 192.0.2.7 ;;
/local/domain/7/data/tls/status) echo "$STATUS" ;;
*) exit 1 ;;
esac
"""


class Interrupt:
    """Nobody interrupts."""

    def hold(self):
        """Nothing to hold."""


class Ended(Exception):
    """Thrown out of the wait, as Ctrl-C would be."""


class Output(io.StringIO):
    """A stream that a process can write to as well, and that stops everything once it has the last URL."""

    def __init__(self, last):
        super().__init__()
        self._last = last

    def fileno(self):
        """Where the console goes."""
        return os.open(os.devnull, os.O_WRONLY)

    def write(self, text):
        """Takes text."""
        super().write(text)
        if text.startswith(self._last):
            raise Ended
        return len(text)


class OnDom0(unittest.TestCase):
    """Xen's own tools are asked, in order."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        for name, text in (("xl", XL), ("xenstore-read", STORE)):
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o755)
        before = dict(os.environ)
        self.addCleanup(lambda: (os.environ.clear(), os.environ.update(before)))
        os.environ.update(PATH=f"{self.folder}:{os.environ['PATH']}", LOG=str(self.folder / "log"))

    def test_capabilities(self):
        path = self.folder / "capabilities"
        self.assertFalse(is_dom0(path))
        path.write_text("control_d\n")
        self.assertTrue(is_dom0(path))
        path.write_text("")
        self.assertFalse(is_dom0(path))

    def _run(self, last):
        """What it prints up to a URL with this beginning."""
        config = self.folder / "xen.cfg"
        config.write_text('name = "halfpage"\n')
        out = Output(last)
        with self.assertRaises(Ended), Here(config, ["memory=16"], Interrupt()) as guest:
            guest.run(out)
        return out.getvalue()

    def test_urls_of_a_guest_with_https(self):
        os.environ.update(STATUS="ok", EXTRA="")
        self.assertEqual(self._run("https://"), "http://192.0.2.7/\nhttps://192.0.2.7/")
        os.environ["EXTRA"] = "log=debug http=off"
        self.assertEqual(self._run("https://"), "https://192.0.2.7/")
        # HTTP is served in spite of it where 443 is shut.
        os.environ["STATUS"] = "there is no certificate"
        self.assertEqual(self._run("http://"), "http://192.0.2.7/")

    def test_url_from_the_store_and_a_clean_end(self):
        config = self.folder / "xen.cfg"
        self.assertEqual(self._run("http://"), "http://192.0.2.7/")
        said = (self.folder / "log").read_text().splitlines()
        self.assertEqual(said[0], f"xl create {config} memory=16")
        self.assertEqual(said[-1], "xl shutdown -w halfpage")
        self.assertFalse((self.folder / "log.alive").exists())
