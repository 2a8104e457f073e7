"""The URLs that make run prints for an emulated host."""

import unittest

from rig.visit import urls

HTTP = "[    0.100000] INFO  listening on http://10.0.2.15/\n"
HTTPS = "[    0.100000] INFO  listening on https://10.0.2.15/\n"


class Urls(unittest.TestCase):
    """Of the ports that the guest listens at, those that lead there."""

    def test_both(self):
        self.assertEqual(urls(HTTP + HTTPS, 8000, 8443), ["http://127.0.0.1:8000/", "https://127.0.0.1:8443/"])

    def test_http_is_off(self):
        self.assertEqual(urls(HTTPS, 8000, 8443), ["https://127.0.0.1:8443/"])

    def test_https_is_shut(self):
        self.assertEqual(urls(HTTP, 8000, 8443), ["http://127.0.0.1:8000/"])

    def test_no_port_leads_to_https(self):
        self.assertEqual(urls(HTTP + HTTPS, 8000, None), ["http://127.0.0.1:8000/"])
