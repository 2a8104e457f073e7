"""The guest in an emulated Xen host, for a person: its console, and a local port to it."""

import os
import re
import socket
import subprocess
import sys
import time

from .accelerator import accelerator
from .dom0 import Dom0
from .domain import shipped
from .machine import Machine, MachineError, UserNetwork
from .place import BUILD, REPOSITORY
from .suite import Suite

LISTENING = re.compile(r"listening on (https?)://")
LISTENING_SECONDS = 120


class Visit:
    """An emulated host with the guest in it, from the configuration for a real one."""

    def __init__(self, config, words, interrupt):
        need = subprocess.run([REPOSITORY / "scripts/need", "qemu-system-x86_64", "dpkg-deb"], check=False)
        if need.returncode != 0:
            sys.exit(1)
        self._interrupt = interrupt
        self._config = config
        self._words = words
        self.xen = os.environ.get("XEN") or "4.17"
        self.port = int(os.environ.get("PORT") or free_port())
        self._domain = None
        dom0 = Dom0(Suite(self.xen)).assemble()
        self._accelerator = accelerator(dom0)
        self.secure_port = free_port() if os.environ.get("TLS") else None
        network = UserNetwork(self.port, self.secure_port)
        self._machine = Machine(dom0, self._accelerator, BUILD / "run", network)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._interrupt.hold()
        if self._domain:
            self._end()
        self._machine.stop()

    def run(self, out):
        """Boots, shows the console, and the URL as soon as the guest listens; until it ends."""
        print(f"rig: booting Xen {self.xen} under {self._accelerator.name}", file=out, flush=True)
        self._machine.start()
        domain = shipped(self._machine, self._config, self._words)
        domain.create()
        self._domain = domain
        print("rig: the guest's console follows; Ctrl-C ends it", file=out, flush=True)
        deadline = time.monotonic() + LISTENING_SECONDS
        while not LISTENING.search(domain.console()):
            if domain.follow(out, 0) or time.monotonic() > deadline:
                raise MachineError(f"the guest does not listen; its console is {domain.log}")
            time.sleep(0.05)
        if self.secure_port:
            # The line that says so comes right behind HTTP's, if at all.
            domain.follow(out, 1)
        domain.follow(out, 0)
        for url in urls(domain.console(), self.port, self.secure_port):
            print(url, file=out, flush=True)
        domain.follow(out, float("inf"))
        print("rig: the guest has ended", file=out, flush=True)

    def _end(self):
        """Lets the guest close its connections, for a few seconds."""
        try:
            self._machine.run(f"timeout 5 xl shutdown -w {self._domain.name}", seconds=8)
            self._domain.follow(sys.stdout, 0)
        except MachineError:
            pass


def urls(console, port, secure_port):
    """Where the guest is to be had from here, by what it says: http=off shuts one port, a broken certificate the other."""
    listening = LISTENING.findall(console)
    ports = {"http": port, "https": secure_port}
    return [f"{scheme}://127.0.0.1:{own}/" for scheme, own in ports.items() if own and scheme in listening]


def free_port():
    """A port of 127.0.0.1 that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
