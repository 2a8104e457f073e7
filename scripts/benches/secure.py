"""HTTPS on the tap: our server and nginx with OpenSSL, each with the client on the same processor."""

import re
import subprocess
from pathlib import Path

from rig.place import REPOSITORY
from .serving import SERVER, Serving, shared
from .space import BenchError, end_with_parent

NAMES = ("halfpage", "nginx")
IDENTITY = REPOSITORY / "site" / "tests" / "tls"
CERTIFICATE, KEY = IDENTITY / "cert.pem", IDENTITY / "key.pem"
# Tickets as ours, so nothing of a session stays with the server; all its suites and groups.
HTTPS = """\
    server {{
        listen 443 ssl backlog=16384;
        root {site};
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache off;
        ssl_session_tickets on;
        ssl_session_timeout 1h;
        ssl_buffer_size 16k;
    }}
"""
# What wrk's OpenSSL offers.
CLIENT = """\
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = offered
[offered]
Ciphersuites = {suite}
Groups = {group}
"""
CLIENTS = 16
DONE = re.compile(r"^sessions (\d+) (\d+)$", re.MULTILINE)


def compiled(name, folder, *options):
    """Compiles NAME.c from this folder, with OpenSSL."""
    folder.mkdir(parents=True, exist_ok=True)
    source = Path(__file__).with_name(f"{name}.c")
    subprocess.run(["cc", "-O2", "-Wall", *options, "-o", folder / name, source, "-lssl", "-lcrypto"], check=True)


class Secure(Serving):
    """One server of HTTPS, and its clients."""

    def __init__(self, name, site, folder, sessions):
        super().__init__(name, site, folder, CLIENTS, True, (1, 1))
        self.sessions = sessions
        self.more = ["--tls-cert", CERTIFICATE, "--tls-key", KEY]
        self.also = HTTPS.format(site=site, certificate=CERTIFICATE, key=KEY)

    def handshakes(self, kind, group, seconds):
        """Sessions a second, each with a handshake, a short response and its end, and CPU seconds for one."""
        words = [self.sessions, SERVER, "/100.bin", kind, group, int(seconds * 1e3), CLIENTS]
        out, server, client = self.run(words)
        done = DONE.search(out)
        if not done:
            raise BenchError(f"{kind} sessions with {self.name}: {out.strip()}")
        count, micros = map(int, done.groups())
        return shared(count, micros, server, client)

    def requests(self, size, suite, seconds):
        """Requests a second on kept connections, and CPU seconds for one."""
        config = self.folder / "openssl.cnf"
        config.write_text(CLIENT.format(suite=suite, group="X25519"), encoding="utf-8")
        result = self.wrk(size, max(round(seconds), 1), "https", {"OPENSSL_CONF": str(config)})
        if result["errors"]:
            raise BenchError(f"wrk against {self.name}: {result['errors']}")
        return result

    def held(self, count):
        """Bytes of the server's memory for each of so many sessions that wait for a request."""
        self.handshakes("full", "X25519", 0.2)
        before = self._resident()
        words = [self.sessions, SERVER, "/100.bin", "hold", "X25519", count]
        client = subprocess.Popen(
            self.client.line(*words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=end_with_parent,
        )
        said = client.stdout.readline()
        grown = self._resident() - before
        client.communicate()
        if said != f"held {count}\n":
            raise BenchError(f"{count} sessions with {self.name}: {said.strip()}")
        return grown / count

    def _resident(self):
        rollup = Path(f"/proc/{self.child.pid}/smaps_rollup").read_text(encoding="utf-8")
        return int(re.search(r"^Anonymous: +(\d+) kB$", rollup, re.MULTILINE)[1]) * 1024
