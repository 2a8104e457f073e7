"""A guest of the emulated host: its configuration, its life, its console."""

import hashlib
import re
import shlex
import time
from pathlib import Path

from .machine import MachineError


def mac(name):
    """A stable address for a name, in the range that Xen owns."""
    digest = hashlib.sha256(name.encode()).digest()
    return f"00:16:3e:{digest[0]:02x}:{digest[1]:02x}:{digest[2]:02x}"


def mac_of(config):
    """The address that a configuration gives its guest."""
    return re.search(r"mac=([0-9a-f:]{17})", Path(config).read_text())[1]


class Domain:
    """A guest, made from an xl configuration that lies in dom0, with words added to it."""

    def __init__(self, machine, name, config, words=()):
        self.machine = machine
        self.name = name
        self.config = config
        self.words = list(words)
        self._seen = 0
        self._marked = 0
        self.logs_as(name)

    def create(self):
        """Starts it."""
        self.mark()
        self._seen = self._marked
        words = " ".join(shlex.quote(word) for word in self.words)
        self.machine.check(f"xl create {shlex.quote(str(self.config))} {words}")

    def logs_as(self, name):
        """From here on its console is this log: the console daemon names one when the domain comes, and one that is
        migrated gets its name only later."""
        self.log = self.machine.share / "console" / f"guest-{name}.log"

    def alive(self):
        """Whether xl still lists it."""
        return self.machine.run(f"xl domid {self.name}").status == 0

    def console(self):
        """All it has said."""
        if not self.log.exists():
            return ""
        return self.log.read_bytes().decode(errors="replace").replace("\r", "")

    def follow(self, out, seconds):
        """Copies the console to a stream for so many seconds; gives back whether the guest ended."""
        deadline = time.monotonic() + seconds
        check = 0.0
        while True:
            alive = True
            if time.monotonic() >= check:
                alive = self.alive()
                check = time.monotonic() + 1
            text = self.console()
            out.write(text[self._seen :])
            out.flush()
            self._seen = len(text)
            if not alive or time.monotonic() > deadline:
                return not alive
            time.sleep(0.05)

    def said(self):
        """What it has said since the last mark."""
        return self.console()[self._marked :]

    def mark(self):
        """From here on `expect` looks only at what is said from now on."""
        self._marked = len(self.console())

    def expect(self, pattern, seconds):
        """Waits until the console, since the last mark, matches; gives back the match."""
        deadline = time.monotonic() + seconds
        while True:
            if match := re.search(pattern, self.said()):
                return match
            if time.monotonic() > deadline:
                end = "\n".join(self.console().splitlines()[-50:])
                raise MachineError(f"{self.name} did not say {pattern} in {seconds} s; the end of {self.log}:\n{end}")
            time.sleep(0.05)


def described(machine, name, kernel, memory=8, extra="", ramdisk=None, more=()):
    """A guest for a kernel that lies on the host, with a configuration made here."""
    lines = [
        f'name="{name}"', 'type="pv"', f"memory={memory}", "vcpus=1",
        f'kernel="{machine.send(kernel, f"{name}.kernel")}"', f'extra="{extra}"',
        f'vif=["mac={mac(name)},bridge=xenbr0"]', 'on_crash="destroy"', 'on_reboot="restart"',
    ]  # fmt: skip
    if ramdisk:
        lines.append(f'ramdisk="{machine.send(ramdisk, f"{name}.ramdisk")}"')
    config = f"/guest/{name}.cfg"
    machine.check(f"cat >{config} <<'END'\n" + "\n".join([*lines, *more]) + "\nEND")
    return Domain(machine, name, config)


def shipped(machine, config, words=()):
    """A guest from a configuration made for a real host: its files get the same paths in dom0."""
    text = Path(config).read_text()
    for path in (config, *re.findall(r'^(?:kernel|ramdisk) *= *"(/[^"]+)"', text, re.MULTILINE)):
        machine.place(path)
    return Domain(machine, re.search(r'^name *= *"([^"]+)"', text, re.MULTILINE)[1], config, words)
