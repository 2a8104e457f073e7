"""Headless Chromium walks a site, by the WebDriver protocol (W3C WebDriver)."""

import base64
import http.client
import json
import subprocess
import time
import urllib.parse

from ..machine import MachineError, die_with_parent
from ..visit import free_port

SECONDS = 120
STARTING_SECONDS = 60

# What a page shows and has fetched: its links, what came with a status of an error, pictures that are none.
LOOK = """
const links = [...document.querySelectorAll('a[href]')].map(a => a.href);
const entries = performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'));
const failed = entries.filter(e => e.responseStatus >= 400).map(e => `${e.responseStatus} ${e.name}`);
const broken = [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => `no picture ${i.src}`);
const styled = [...document.styleSheets].length;
return {links, styled, fetched: entries.length, wrong: failed.concat(broken), title: document.title};
"""


class Browser:
    """A session of Chromium behind chromedriver. `key`: the public key of a certificate that is trusted whoever made it, as
    Base64 of its SHA-256."""

    def __init__(self, log, host="127.0.0.1", key=None):
        self._host = host
        self._port = free_port()
        self._log = log
        self._key = key
        self._driver = None
        self._session = None

    def __enter__(self):
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._driver = subprocess.Popen(
            ["chromedriver", f"--port={self._port}"], stdout=open(self._log, "wb"), stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent,
        )  # fmt: skip
        # Nothing but the site is asked for anything.
        words = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
        words.append(f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE {self._host}")
        if self._key:
            words.append(f"--ignore-certificate-errors-spki-list={self._key}")
        options = {"args": words}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self._up()
        self._session = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        return self

    def __exit__(self, *_):
        if self._session:
            self._ask("DELETE", f"/session/{self._session}")
        self._driver.terminate()
        self._driver.wait()

    def _up(self):
        deadline = time.monotonic() + STARTING_SECONDS
        while True:
            try:
                return self._ask("GET", "/status")
            except OSError:
                if time.monotonic() > deadline:
                    raise MachineError(f"chromedriver does not answer; its log is {self._log}") from None
                time.sleep(0.1)

    def _ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=SECONDS)
        connection.request(method, path, json.dumps(body) if body is not None else None)
        value = json.loads(connection.getresponse().read())["value"]
        if isinstance(value, dict) and "error" in value:
            raise MachineError(f"{method} {path}: {value['error']}: {value['message'].splitlines()[0]}")
        return value

    def look(self, url):
        """Goes to a page; gives what LOOK says of it, with the errors on the browser's console."""
        base = f"/session/{self._session}"
        self._ask("POST", f"{base}/url", {"url": url})
        seen = self._ask("POST", f"{base}/execute/sync", {"script": LOOK, "args": []})
        entries = self._ask("POST", f"{base}/se/log", {"type": "browser"})
        seen["wrong"] += [entry["message"] for entry in entries if entry["level"] == "SEVERE"]
        return seen

    def run(self, script):
        """What a script on the page gives."""
        return self._ask("POST", f"/session/{self._session}/execute/sync", {"script": script, "args": []})

    def pretend(self, width, height, scheme):
        """A screen of so many CSS pixels, and a reader who prefers a colour scheme."""
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        for command, words in (
            ("Emulation.setDeviceMetricsOverride", screen),
            ("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}),
        ):
            self._ask("POST", f"/session/{self._session}/goog/cdp/execute", {"cmd": command, "params": words})

    def picture(self, path):
        """The screen as a PNG."""
        path.write_bytes(base64.b64decode(self._ask("GET", f"/session/{self._session}/screenshot")))

    def walk(self, start, most):
        """Every page that is linked, from the first one on, at most so many. Gives the pages and what was wrong."""
        ahead, pages, wrong = [start], {}, []
        while ahead and len(pages) < most:
            url = ahead.pop(0)
            if url in pages:
                continue
            pages[url] = seen = self.look(url)
            wrong += [f"{url}: {what}" for what in seen["wrong"]]
            if not seen["styled"]:
                wrong.append(f"{url}: no style came")
            links = (urllib.parse.urldefrag(link).url for link in seen["links"])
            ahead += [link for link in links if link.startswith(start) and is_page(link)]
        return pages, wrong


def is_page(link):
    """Whether a link leads to a document."""
    return urllib.parse.urlsplit(link).path.endswith(("/", ".html"))
