"""A guest of the emulated host: its configuration, its life, its console."""

import hashlib
import time

from .machine import MachineError


def mac(name):
    """A stable address for a name, in the range that Xen owns."""
    digest = hashlib.sha256(name.encode()).digest()
    return f"00:16:3e:{digest[0] & 0x7F:02x}:{digest[1]:02x}:{digest[2]:02x}"


def vif(name, bridge="xenbr0"):
    """The network card of a guest of that name."""
    return f"mac={mac(name)},bridge={bridge}"


class Domain:
    """A guest, made from an xl configuration that lies in dom0."""

    def __init__(self, machine, name, kernel, memory=8, extra="", ramdisk=None, vif=(), more=()):
        self.machine = machine
        self.name = name
        self.log = machine.share / "console" / f"guest-{name}.log"
        self._seen = 0
        lines = [
            f'name="{name}"', 'type="pv"', f"memory={memory}", "vcpus=1",
            f'kernel="{machine.send(kernel, f"{name}.kernel")}"',
            f'extra="{extra}"', f"vif={list(vif)!r}", 'on_crash="destroy"', 'on_reboot="restart"',
        ]  # fmt: skip
        if ramdisk:
            lines.append(f'ramdisk="{machine.send(ramdisk, f"{name}.ramdisk")}"')
        self.config = f"/guest/{name}.cfg"
        machine.check(f"cat >{self.config} <<'END'\n" + "\n".join([*lines, *more]) + "\nEND")

    def create(self):
        """Starts it."""
        self.machine.check(f"xl create {self.config}")

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

    def expect(self, word, seconds):
        """Waits until the console has a word."""
        deadline = time.monotonic() + seconds
        while word not in self.console():
            if time.monotonic() > deadline:
                end = "\n".join(self.console().splitlines()[-50:])
                raise MachineError(f"{self.name} did not say {word!r} in {seconds} s; the end of {self.log}:\n{end}")
            time.sleep(0.05)
