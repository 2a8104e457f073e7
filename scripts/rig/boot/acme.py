"""ACME (RFC 8555): certbot has Pebble, Let's Encrypt's server for tests, make sure of the guest's name by HTTP-01."""

import json
import os
import re
import shlex
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from pathlib import Path

from ..checks import Failure, require
from ..machine import die_with_parent
from ..place import BUILD, REPOSITORY
from .client import get
from .secure import image, until
from .tls_certificates import certificate
from .tls_ramdisk import start, tar

NAME = "guest.example"
SECONDS = 300
DIRECTORY, MANAGEMENT, DNS, HOOKS = 14_000, 15_000, 8_053, 15_999
TOOLS = ("certbot", "pebble")


def prepare():
    """What it takes, from where there is a network."""
    subprocess.run([REPOSITORY / "scripts" / "need", *TOOLS], check=True)


class Inside(socketserver.TCPServer):
    """Runs in dom0 what certbot's hooks have to say; files that they name are sent there first."""

    allow_reuse_address = True

    def __init__(self, stage):
        super().__init__(("127.0.0.1", HOOKS), Hook)
        self.stage = stage
        self.said = []

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def run(self, words):
        """(status, output)"""
        machine = self.stage.machine
        own = [machine.send(word, Path(word).name) if os.path.isfile(word) else word for word in words]
        done = machine.run(f"/guest/bin/{shlex.join(own)}", SECONDS)
        self.said.append((words[0], done.status, done.output))
        return done.status, done.output


class Hook(socketserver.StreamRequestHandler):
    """One call."""

    def handle(self):
        status, output = self.server.run(shlex.split(self.rfile.read().decode()))
        self.wfile.write(f"{status}\n{output}".encode())


class Pebble:
    """The server, and a server of DNS that gives the guest's address for every name."""

    def __init__(self, folder, address):
        self.folder = folder
        self.log = folder / "pebble.log"
        self.trusted = certificate(folder, "localhost")
        self._address = address
        self._processes = []

    def __enter__(self):
        own = {
            "listenAddress": f"127.0.0.1:{DIRECTORY}",
            "managementListenAddress": f"127.0.0.1:{MANAGEMENT}",
            "certificate": str(self.trusted[0]),
            "privateKey": str(self.trusted[1]),
            "httpPort": 80,
            "tlsPort": 443,
        }
        config = self.folder / "pebble.json"
        config.write_text(json.dumps({"pebble": own}))
        none = [word for kind in ("-http01", "-https01", "-tlsalpn01") for word in (kind, "")]
        answers = ["-dns01", f"127.0.0.1:{DNS}", "-management", "127.0.0.1:8055", "-defaultIPv6", ""]
        self._start("pebble-challtestsrv", *none, *answers, "-defaultIPv4", self._address)
        self._start("pebble", "-config", config, "-dnsserver", f"127.0.0.1:{DNS}", "-strict")
        require(until(self._listens, 60), f"Pebble is not there: {self.log.read_text()}")
        return self

    def __exit__(self, *_):
        for process in self._processes:
            process.terminate()
            process.wait()

    def _start(self, *words):
        environment = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0"}
        with open(self.log, "ab") as log:
            options = {"stdout": log, "stderr": log, "env": environment, "preexec_fn": die_with_parent}
            self._processes.append(subprocess.Popen(words, **options))

    def _listens(self):
        try:
            socket.create_connection(("127.0.0.1", DIRECTORY), 1).close()
            socket.create_connection(("127.0.0.1", MANAGEMENT), 1).close()
            return True
        except OSError:
            require(all(process.poll() is None for process in self._processes), self.log.read_text())
            return False

    def root(self):
        """The file of its root certificate."""
        context = ssl.create_default_context(cafile=self.trusted[0])
        with socket.create_connection(("127.0.0.1", MANAGEMENT), 30) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as stream:
                stream.sendall(b"GET /roots/0 HTTP/1.0\r\nHost: localhost\r\n\r\n")
                answer = b"".join(iter(lambda: stream.recv(65_536), b""))
        path = self.folder / "root.pem"
        path.write_bytes(answer.split(b"\r\n\r\n", 1)[1])
        return path


class Certbot:
    """The client, as the words above scripts/acme-challenge say, with our way into dom0."""

    def __init__(self, folder, trusted, guest):
        self._where = [word for kind in ("config", "work", "logs") for word in (f"--{kind}-dir", folder / kind)]
        self._environment = {**os.environ, "REQUESTS_CA_BUNDLE": str(trusted)}
        hook = f"{REPOSITORY / 'scripts/rig/boot/inside'} {HOOKS}"
        self._hooks = [
            "--manual-auth-hook", f'{hook} acme-challenge {guest} "$CERTBOT_TOKEN" "$CERTBOT_VALIDATION"',
            "--manual-cleanup-hook", f'{hook} acme-challenge {guest} "$CERTBOT_TOKEN"',
            "--deploy-hook",
            f'{hook} tls-reload {guest} "$RENEWED_LINEAGE/fullchain.pem" "$RENEWED_LINEAGE/privkey.pem"',
        ]  # fmt: skip

    def run(self, *words):
        """Fails where it does."""
        line = ["certbot", *words, "--non-interactive", "--server", f"https://localhost:{DIRECTORY}/dir", *self._where]
        done = subprocess.run(line, env=self._environment, capture_output=True, timeout=SECONDS, check=False)
        require(done.returncode == 0, f"certbot says {(done.stdout + done.stderr).decode()[-2_000:]}")

    def issue(self):
        """A first certificate."""
        account = ["--agree-tos", "--register-unsafely-without-email"]
        manner = ["--manual", "--preferred-challenges", "http", "--key-type", "ecdsa"]
        self.run("certonly", *account, *manner, *self._hooks, "-d", NAME)

    def renew(self):
        """One more, by what it wrote down."""
        self.run("renew", "--force-renewal", "--no-random-sleep-on-renew")


def shown(address, trusted):
    """The serial number of the certificate that a client gets who trusts a root and asks for the name."""
    context = ssl.create_default_context(cafile=trusted)
    with socket.create_connection((address, 443), 60) as plain:
        with context.wrap_socket(plain, server_hostname=NAME) as stream:
            return stream.getpeercert()["serialNumber"]


def issued(stage, content):
    """A guest that begins with a certificate of its own, and gets two of an authority's."""
    folder = BUILD / "test" / "acme"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    own = certificate(folder, "first.example")
    with stage.check("acme: a guest boots with a certificate of its own"):
        start(stage, image(folder), tar(folder / "own.tar", content, {"": own}), 'extra="http=redirect"')
        require(f"listening on https://{stage.address}/" in stage.domain.said(), "it does not listen")
    if not stage.address:
        return
    for name in ("tls-reload", "acme-challenge"):
        stage.machine.send(REPOSITORY / "scripts" / name, f"bin/{name}")
    stage.machine.check("chmod +x /guest/bin/*")
    with Pebble(folder, stage.address) as pebble, Inside(stage) as inside:
        certbot = Certbot(folder, pebble.trusted[0], stage.domain.name)
        first = None
        with stage.check("acme: certbot gets a certificate, and the guest serves with it"):
            began = time.monotonic()
            certbot.issue()
            print(f"     after {time.monotonic() - began:.1f} s", flush=True)
            first = shown(stage.address, pebble.root())
            asked = re.findall(r"GET .*|Attempting to validate w/ HTTP: .*", pebble.log.read_text())
            wanted = f"http://{NAME}:80/.well-known/acme-challenge/"
            require(any(wanted in line for line in asked), f"Pebble asked for {asked}")
            calls = [(name, status) for name, status, _ in inside.said]
            require(calls == [("acme-challenge", 0)] * 2 + [("tls-reload", 0)], f"the hooks: {inside.said}")
        with stage.check("acme: it renews, and the guest serves with what is new"):
            certbot.renew()
            require(shown(stage.address, pebble.root()) != first, "the same certificate")
        with stage.check("acme: nothing of a challenge is left"):
            left = stage.machine.run(f"xenstore-list /local/domain/{stage.domid()}/data/acme").output
            require(not left.strip(), f"the store has {left}")
            tokens = re.findall(r"acme-challenge/([\w-]+)", pebble.log.read_text())
            require(tokens, "Pebble asked for nothing")
            status = [get(stage.address, f"/.well-known/acme-challenge/{token}")[0] for token in set(tokens)]
            require(set(status) == {301}, f"the guest still answers: {status}")
        with stage.check("acme: an authority that is not answered gives no certificate"):
            now = shown(stage.address, pebble.root())
            stage.machine.check("printf '#!/bin/sh\\n' > /guest/bin/acme-challenge")
            try:
                certbot.renew()
                raise RuntimeError("certbot renewed")
            except Failure:
                require("set INVALID by completed challenge" in pebble.log.read_text(), "Pebble did not refuse")
            require(shown(stage.address, pebble.root()) == now, "another certificate")
