"""scripts/publish in dom0: a second guest takes over under load, or one gives way to itself; what fails changes nothing."""

import hashlib
import random
import re
import shutil
import signal
import subprocess
import threading
import time

from ..checks import require
from ..place import BUILD, REPOSITORY
from ..segment import DOM0
from .client import Exchange, get

# A network of the guests' own, whose way out is dom0: so a client's address reaches them.
INSIDE, ROUTER, LEASES = "web0", "10.9.0.1", ("10.9.0.100", "10.9.0.199")
BIG = "big.bin"
SIZE = 4 << 20
SECONDS = 300
# Bytes a second of a download that is to be older than the guest that takes over.
PACE = 200_000
TOOL = "/guest/bin/publish"

NETWORK = f"""
ip link add {INSIDE} type bridge forward_delay 0
ip addr add {ROUTER}/24 dev {INSIDE}
ip link set {INSIDE} up
sysctl -w net.ipv4.ip_forward=1 >/dev/null
dnsmasq --conf-file=/dev/null --port=0 --no-ping --user=root --interface={INSIDE} --bind-interfaces \
    --dhcp-range={LEASES[0]},{LEASES[1]},255.255.255.0,1h --dhcp-option=3,{ROUTER} --dhcp-authoritative \
    --dhcp-leasefile=/tmp/inside.leases --pid-file=/run/inside.pid
"""


def prepare(stage, config):
    """Brings the tool, its packer and a configuration into dom0."""
    subprocess.run([REPOSITORY / "scripts/tar", "packer"], check=True, stderr=subprocess.DEVNULL)
    for path, name in ((REPOSITORY / "scripts/publish", "publish"), (BUILD / "site-pack", "site-pack")):
        stage.machine.send(path, f"bin/{name}")
    stage.machine.check("chmod +x /guest/bin/*")
    text = config.read_text()
    stage.machine.place(re.search(r'^kernel *= *"([^"]+)"', text, re.MULTILINE)[1])
    for name, bridge in (("inside", INSIDE), ("alone", "xenbr0")):
        text = re.sub(r'^name *= *".*"', f'name = "{name}"', config.read_text(), flags=re.MULTILINE)
        path = stage.folder / f"{name}.cfg"
        path.write_text(text.replace("bridge=xenbr0", f"bridge={bridge}"))
        stage.machine.send(path, f"{name}.cfg")


def site(stage, version):
    """A folder in dom0 that tells which one it is."""
    folder = stage.folder / "published"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "index.html").write_text(f"<!doctype html><title>{version}</title>\n")
    (folder / BIG).write_bytes(content(version))
    for path in folder.iterdir():
        stage.machine.send(path, f"site/{path.name}")
    return "/guest/site"


def content(version):
    """The large file of a version."""
    return random.Random(version).randbytes(SIZE)


def publish(stage, *words):
    """Runs the tool; gives back its status and what it said."""
    command = stage.machine.run(f"{TOOL} --state /tmp/published {' '.join(words)}", SECONDS)
    print("".join(f"     {line}\n" for line in command.output.splitlines()), end="", flush=True)
    return command


def shows(address, version):
    """Fails unless a version is served at an address."""
    status, _, body = get(address, "/")
    require((status, f"<title>{version}</title>".encode() in body) == (200, True), f"status {status}, {body[:80]}")


def guests(stage):
    """The names of all guests."""
    return sorted(line.split()[0] for line in stage.machine.check("xl list").splitlines()[2:])


class Slowly(threading.Thread):
    """A download that takes longer than a publication."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.digest = hashlib.sha256()
        self.failure = None
        self.hurry = threading.Event()
        self._exchange = Exchange(address, SECONDS)
        self._exchange.send(f"GET /{BIG} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        self.start()

    def run(self):
        try:
            for part in self._exchange.body():
                self.digest.update(part)
                self.hurry.wait(len(part) / PACE)
        except OSError as error:
            self.failure = error


def in_turn(stage, config):
    """Two guests behind an address of dom0."""
    download = command = None
    words = [f"--listen {DOM0}", "--routed", "--config /guest/inside.cfg"]
    with stage.check("publish: the first site is served at dom0's address"):
        prepare(stage, config)
        stage.machine.check(NETWORK)
        command = publish(stage, *words, site(stage, "one"))
        require(command.status == 0, f"it ended with {command.status}")
        shows(DOM0, "one")
        require(guests(stage) == ["inside-a"], f"guests are {guests(stage)}")
    if not command or command.status != 0:
        return
    with stage.check("publish: wrk sees no failed request while the next site takes over"):
        folder = site(stage, "two")
        download = Slowly(DOM0)
        line = ["wrk", "-t1", "-c4", f"-d{SECONDS}s", "--timeout", "20s", f"http://{DOM0}/"]
        load = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
        number = stage.machine.begin(f"{TOOL} --state /tmp/published {' '.join(words)} {folder}")
        try:
            moved(stage, "two")
            download.hurry.set()
            command = stage.machine.finish(number, SECONDS)
            time.sleep(1)
        finally:
            load.send_signal(signal.SIGINT)
            said = load.communicate()[0]
        print("".join(f"     {line}\n" for line in command.output.splitlines()), end="", flush=True)
        require(command.status == 0, f"it ended with {command.status}")
        require(re.search(r"inside-a had no connection left", command.output), "the old one was not drained")
        asked = re.search(r"(\d+) requests in", said)
        print(f"figure publish: wrk, {asked[0]}", flush=True)
        require(not re.search(r"Socket errors|Non-2xx", said), f"wrk says {said}")
        shows(DOM0, "two")
        require(guests(stage) == ["inside-b"], f"guests are {guests(stage)}")
    with stage.check("publish: a download that was begun before ends with the right digest"):
        require(download, "there was none")
        download.join(SECONDS)
        require(download.failure is None, f"it failed: {download.failure}")
        require(download.digest.digest() == hashlib.sha256(content("one")).digest(), "another digest")
    with stage.check("publish: a broken tar changes nothing, and the reason is told"):
        stage.machine.check("head -c 100000 /tmp/published/inside-b.tar >/guest/broken.tar")
        command = publish(stage, *words, "/guest/broken.tar", "--memory 16")
        require(command.status == 1 and "the tar is cut off" in command.output, f"it says {command.output}")
        require("inside-b serves on" in command.output, f"it says {command.output}")
        shows(DOM0, "two")
        require(guests(stage) == ["inside-b"], f"guests are {guests(stage)}")
    with stage.check("publish: a guest that cannot be created changes nothing"):
        command = publish(stage, *words, "/guest/site", "--memory 65536")
        require(command.status == 1 and "xl create failed" in command.output, f"it says {command.output}")
        shows(DOM0, "two")
        require(guests(stage) == ["inside-b"], f"guests are {guests(stage)}")
    stage.machine.run("xl destroy inside-b; nft delete table ip halfpage_inside; kill $(cat /run/inside.pid)")


def moved(stage, version):
    """Waits until new connections reach a version."""
    deadline = time.monotonic() + SECONDS
    while f"<title>{version}</title>".encode() not in get(DOM0, "/")[2]:
        require(time.monotonic() < deadline, f"{version} does not come")
        time.sleep(0.2)


def one_address(stage, config):
    """A guest in its own place."""
    words = ["--restart", "--config /guest/alone.cfg"]
    found = None
    with stage.check("publish --restart: a guest is stopped and started with the new site"):
        require(publish(stage, *words, site(stage, "three")).status == 0, "it failed")
        command = publish(stage, *words, site(stage, "four"))
        require(command.status == 0, f"it ended with {command.status}")
        found = re.search(r"published: http://([0-9.]+)/ after a gap of ([0-9.]+) s", command.output)
        require(found, f"it says {command.output}")
        shows(found[1], "four")
    with stage.check("publish --restart: what does not serve gives way to what did"):
        command = publish(stage, *words, "/guest/broken.tar", "--memory 16")
        require(command.status == 1 and "the old site is served again" in command.output, f"it says {command.output}")
        require(found, "nothing was served before")
        shows(found[1], "four")
        require(guests(stage) == ["alone"], f"guests are {guests(stage)}")
    stage.machine.run("xl destroy alone")
