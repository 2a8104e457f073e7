"""HTTPS: pages, where HTTP leads, other certificates under load, ACME's challenges, a resume."""

import http.client
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time

from ..checks import require
from ..place import BUILD, REPOSITORY
from . import saving, web
from .client import get
from .tls_certificates import certificate
from .tls_client import Secure, trusting
from .tls_ramdisk import start, tar
from .tls_reload import bring, reload

SECONDS = 60
HSTS = 31_536_000
# With the newest version, and with the one before by each of its ciphers.
CIPHERS = (None, *(f"ECDHE-ECDSA-{name}" for name in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")))
TOKEN = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
AUTHORIZATION = f"{TOKEN}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"


def image(folder):
    """The configuration of an image with HTTPS, and without a certificate of its own."""
    out = folder / "image"
    environment = {**os.environ, "TLS": "1", "HALFPAGE_BUILD": str(out)}
    subprocess.run([REPOSITORY / "scripts/image"], env=environment, check=True, stderr=subprocess.DEVNULL)
    return out / "xen.cfg"


class Client:
    """A connection that trusts one certificate alone."""

    def __init__(self, address, trusted):
        context = ssl.create_default_context(cafile=trusted)
        context.check_hostname = False
        plain = socket.create_connection((address, 443), SECONDS)
        self.socket = context.wrap_socket(plain, server_hostname="first.example")
        self.http = http.client.HTTPSConnection(address)
        self.http.sock = self.socket

    def get(self, path):
        """(status, fields, body)"""
        self.http.request("GET", path, headers={"Host": "first.example"})
        answer = self.http.getresponse()
        fields = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, fields, answer.read()

    def close(self):
        """Closes our side."""
        self.http.close()


class Load(threading.Thread):
    """Requests in a row, on a connection that stays and on new ones, until they are to end."""

    def __init__(self, address, trusted, body):
        super().__init__(daemon=True)
        self.kept, self.made, self.failure = 0, 0, None
        self._address, self._trusted, self._body = address, trusted, body
        self._over = threading.Event()
        self.start()

    def run(self):
        try:
            kept = Client(self._address, self._trusted)
            while not self._over.is_set():
                require(kept.get("/")[2] == self._body, "other bytes on a connection that was open")
                self.kept += 1
                fresh = Client(self._address, self._trusted)
                require(fresh.get("/")[2] == self._body, "other bytes on a new connection")
                fresh.close()
                self.made += 1
        except Exception as error:  # pylint: disable=broad-exception-caught
            self.failure = error

    def end(self):
        """Fails where a request did."""
        self._over.set()
        self.join(SECONDS)
        require(self.failure is None, f"after {self.kept} and {self.made} requests: {self.failure}")
        return self.kept, self.made


def until(holds, seconds):
    """Whether it holds before so many seconds are over."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def served(stage, content, full=False):
    """A guest with HTTPS, with `full` also across a checkpoint; gives the configuration of its image, and its certificate."""
    folder = BUILD / "test" / "secure"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    first, second = certificate(folder, "first.example"), certificate(folder, "second.example")
    both = folder / "both.pem"
    both.write_bytes(first[0].read_bytes() + second[0].read_bytes())
    config = None
    with stage.check("https: an image with HTTPS builds, under 2 MiB"):
        config = image(folder)
        size = (config.parent / "halfpage").stat().st_size
        print(f"figure https: the image has {size} bytes", flush=True)
        require(size < 2 << 20, f"it has {size} bytes")
    with stage.check("https: it boots and says where it listens"):
        ramdisk = tar(folder / "first.tar", content, {"": first})
        start(stage, config, ramdisk, f'extra="http=redirect hsts={HSTS}"')
        require(f"listening on https://{stage.address}/" in stage.domain.said(), "it does not listen")
        require(stage.store("data/tls/status") == "ok", "the store says otherwise")
    if not stage.address:
        return config, first
    bring(stage)
    index = (content / "index.html").read_bytes()
    pages(stage, content, first)
    leads(stage)
    challenged(stage)
    with stage.check("https: another certificate comes under load, and no request fails"):
        load = Load(stage.address, both, index)
        status, said = reload(stage, second)
        kept, made = load.end()
        print(f"figure https: {kept} requests on one connection and {made} on new ones across a reload", flush=True)
        require(status == 0, f"tls-reload says {said}")
        Client(stage.address, second[0]).close()
        left = stage.machine.check(f"xenstore-ls /local/domain/{stage.domid()}/data/tls")
        require("cert" not in left and "key" not in left, f"the store still has {left}")
    with stage.check("https: a key that does not fit is refused with the reason, and what was served is served on"):
        status, said = reload(stage, (first[0], second[1]))
        require(status == 1 and "the key does not fit the certificate" in said, f"tls-reload says {said}")
        Client(stage.address, second[0]).close()
    resumed(stage, second, index, full)
    stage.destroy()
    return config, first


def pages(stage, content, pair):
    """All of them."""
    with stage.check("https: every file of the site has its bytes"):
        client = Client(stage.address, pair[0])
        for path in web.served(content):
            name = path.relative_to(content)
            status, fields, body = client.get(f"/{name}")
            require((status, body) == (200, (content / path).read_bytes()), f"/{path}: {status}, {len(body)} bytes")
            require(fields["strict-transport-security"] == f"max-age={HSTS}", f"its fields are {fields}")
        client.close()
    with stage.check("https: curl takes it by the certificate's name"):
        line = ["curl", "-sS", "--cacert", pair[0], "--resolve", f"first.example:443:{stage.address}"]
        done = subprocess.run([*line, "https://first.example/"], capture_output=True, check=False)
        require(done.stdout == (content / "index.html").read_bytes(), f"curl says {done.stderr}")


def leads(stage):
    """HTTP."""
    with stage.check("https: http=redirect leads there, without HSTS"):
        status, fields, _ = get(stage.address, "/about/?a")
        require((status, fields["location"]) == (301, "https://test/about/?a"), f"{status}, {fields}")
        require("strict-transport-security" not in fields, f"its fields are {fields}")


def challenged(stage):
    """ACME."""
    with stage.check("https: an ACME challenge is answered over HTTP while it lasts"):
        path = f"/.well-known/acme-challenge/{TOKEN}"
        require(get(stage.address, path)[0] == 301, "it is answered before it is there")
        stage.machine.check(f"/guest/bin/acme-challenge {stage.domain.name} {TOKEN} {AUTHORIZATION}")
        said = until(lambda: get(stage.address, path)[2] == AUTHORIZATION.encode(), SECONDS)
        require(said, f"it answers {get(stage.address, path)}")
        stage.machine.check(f"/guest/bin/acme-challenge {stage.domain.name} {TOKEN}")
        require(until(lambda: get(stage.address, path)[0] == 301, SECONDS), "it is answered for ever")


def resumed(stage, pair, index, full):
    """After a restore, and after a checkpoint that it goes on from."""
    ways = {"a restore": (lambda: (saving.save(stage), saving.restore(stage)), r"\] INFO  suspend: Restored\n")}
    if full:
        ways["a checkpoint"] = (lambda: saving.save(stage, "-c"), saving.goes_on(stage))
    for what, (happen, told) in ways.items():
        with stage.check(f"https: after {what} an old session is reset, and new ones served"):
            client = Client(stage.address, pair[0])
            require(client.get("/")[2] == index, "other bytes")
            stage.domain.mark()
            happen()
            stage.domain.expect(told, SECONDS)
            try:
                status = client.get("/")[0]
                require(False, f"it is answered: {status}")
            except (OSError, http.client.HTTPException) as error:
                print(f"     the old session: {error}", flush=True)
            # Ciphers use the processor's wide registers, which another machine may have had to turn on again.
            for suite in CIPHERS if full else CIPHERS[:1]:
                context = trusting(pair[0], ssl.TLSVersion.TLSv1_2 if suite else None, suite)
                require(Secure(stage.address, context).get("/", close=True)[2] == index, f"other bytes by {suite}")
