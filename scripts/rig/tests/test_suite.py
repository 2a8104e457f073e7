"""Finding the host's mirror."""

import unittest

from rig.suite import mirror_of_lines, mirror_of_stanzas


class Mirror(unittest.TestCase):
    """Which address of apt's configuration is the Debian archive."""

    def test_stanza_of_a_release(self):
        other = "Types: deb\nURIs: http://a.example/x\nSuites: nodistro\n"
        debian = "Types: deb\n# a note\nURIs: http://b.example/debian\nSuites: bookworm bookworm-updates\n"
        text = f"{other}\n{debian}"
        self.assertEqual(mirror_of_stanzas(text), "http://b.example/debian")

    def test_security_alone_is_no_archive(self):
        text = "Types: deb\nURIs: http://b.example/debian-security\nSuites: bookworm-security\n"
        self.assertIsNone(mirror_of_stanzas(text))

    def test_disabled_stanza_is_left_out(self):
        text = "Enabled: no\nTypes: deb\nURIs: http://b.example/debian\nSuites: trixie\n"
        self.assertIsNone(mirror_of_stanzas(text))

    def test_line_with_options(self):
        text = "# deb http://no.example bookworm main\ndeb [arch=amd64] http://c.example/debian trixie main\n"
        self.assertEqual(mirror_of_lines(text), "http://c.example/debian")

    def test_line_of_another_archive(self):
        self.assertIsNone(mirror_of_lines("deb http://c.example/apt cloud-sdk-bookworm main\n"))
