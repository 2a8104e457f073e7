"""The emulated Xen host: QEMU, booted into dom0, with a channel for commands and a shared folder."""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

# Xen gets a serial port for itself and dom0. SMAP is off because an emulated one makes Xen fault on
# the stack of its guest. dom0 has one CPU: with two, every change of a page table waits in emulation for
# the other CPU's thread, and the tools run ten times slower. The guest takes the other CPU.
XEN_COMMAND_LINE = (
    "console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all noreboot"
    " dom0_mem=768M,max:768M dom0_max_vcpus=1 dom0_vcpus_pin"
)
# What Xen does by itself on hardware with that flaw: it looks at every absent page-table entry of a guest. Linux's are
# sound there, but not for the physical address width that is emulated: such a guest would run on shadow page tables.
WATCH_PAGE_TABLES = "pv-l1tf=domu"
DOM0_COMMAND_LINE = "console=hvc0 quiet loglevel=4 net.ifnames=0 random.trust_cpu=on"

BOOT_SECONDS = 180


class MachineError(Exception):
    """The emulated host did not do what it should."""


class Command:
    """What a command in dom0 gave back."""

    def __init__(self, line, status, output):
        self.line = line
        self.status = status
        self.output = output


class UserNetwork:
    """QEMU's own network: needs no root. The guest is 10.0.2.15, dom0 is 10.0.2.5."""

    guest = "10.0.2.15"
    dom0 = "10.0.2.5/24"
    prefix = ()

    def __init__(self, port=None, secure_port=None):
        self._ports = [(port, 80), (secure_port, 443)]

    def arguments(self):
        """QEMU's words for the network card's other end."""
        ports = ((local, own) for local, own in self._ports if local)
        forwards = (f",hostfwd=tcp:127.0.0.1:{local}-{self.guest}:{own}" for local, own in ports)
        return ["-netdev", f"user,id=net{''.join(forwards)}"]


class Machine:
    """A running Xen host.

    folder: its artefacts (console of Xen and dom0, consoles of the guests, xl's logs, commands).
    """

    def __init__(
        self, dom0, accelerator, folder, network=None, memory=2048, capture=None, append="", boot_seconds=BOOT_SECONDS,
        xen=WATCH_PAGE_TABLES,
    ):  # fmt: skip
        self.dom0 = dom0
        self.folder = Path(folder)
        self.network = network or UserNetwork()
        self.share = self.folder / "share"
        self.serial = self.folder / "dom0.log"
        self._accelerator = accelerator
        self._memory = memory
        self.capture = capture
        self._append = append
        self._xen = xen
        self._boot_seconds = boot_seconds
        self._qemu = None
        self._socket = None
        self._number = 0
        self._answers = {}
        # What was put into dom0, in quotes.
        self._put = set()
        self._arrived = threading.Condition()

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Boots, until dom0 takes commands."""
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.share / "command").mkdir(parents=True)
        # A socket's path is at most 107 bytes: it is named relative to the folder QEMU runs in.
        with open(self.folder / "qemu.log", "wb") as log:
            self._qemu = subprocess.Popen(
                self._line(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=die_with_parent,
            )  # fmt: skip
        deadline = time.monotonic() + self._boot_seconds
        self._connect(deadline)
        self._wait("ready", deadline, "dom0 is not up")

    def _line(self):
        dom0_line = f"{DOM0_COMMAND_LINE} rig.address={self.network.dom0} {self._append}".replace(",", ",,")
        line = [*self.network.prefix, "qemu-system-x86_64", *self._accelerator.arguments]
        line += ["-m", str(self._memory), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
        line += ["-kernel", str(self.dom0.xen), "-append", f"{XEN_COMMAND_LINE} {self._xen}"]
        line += ["-initrd", f"{self.dom0.kernel} {dom0_line},{self.dom0.initramfs}"]
        line += ["-serial", "file:dom0.log"]
        line += ["-device", "virtio-serial-pci", "-chardev", "socket,id=rig,path=rig.sock,server=on,wait=off"]
        line += ["-device", "virtserialport,chardev=rig,name=rig"]
        line += ["-fsdev", "local,id=rig,path=share,security_model=none"]
        line += ["-device", "virtio-9p-pci,fsdev=rig,mount_tag=rig"]
        line += [*self.network.arguments(), "-device", "e1000,netdev=net,mac=00:16:3e:00:00:01"]
        if self.capture:
            line += ["-object", f"filter-dump,id=capture,netdev=net,file={self.capture}"]
        return line

    def _connect(self, deadline):
        path = self.folder / "rig.sock"
        while True:
            self._alive()
            link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                # The kernel takes 107 bytes of path; the folder may be deeper than that.
                handle = os.open(self.folder, os.O_RDONLY)
                try:
                    link.connect(f"/proc/self/fd/{handle}/{path.name}")
                finally:
                    os.close(handle)
                break
            except OSError:
                link.close()
                if time.monotonic() > deadline:
                    raise MachineError("QEMU did not open its channel") from None
                time.sleep(0.05)
        self._socket = link
        threading.Thread(target=self._listen, args=(link.makefile("r"),), daemon=True).start()

    def _listen(self, lines):
        try:
            for line in lines:
                key, _, status = line.strip().partition(" ")
                with self._arrived:
                    self._answers[key] = status
                    self._arrived.notify_all()
        except (OSError, ValueError):
            pass
        with self._arrived:
            self._arrived.notify_all()

    def _alive(self):
        if self._qemu.poll() is not None:
            log = (self.folder / "qemu.log").read_text(errors="replace").strip()
            raise MachineError(f"QEMU ended with status {self._qemu.returncode}: {log or self.tail()}")

    def _wait(self, key, deadline, complaint):
        with self._arrived:
            while key not in self._answers:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise MachineError(f"{complaint}; the end of {self.serial}:\n{self.tail()}")
                self._arrived.wait(min(left, 0.5))
                if key not in self._answers:
                    self._alive()
            return self._answers.pop(key)

    def begin(self, line):
        """Starts a bash script in dom0; gives back its number, for `finish`."""
        self._number += 1
        number = str(self._number)
        (self.share / "command" / number).write_text(line)
        self._socket.sendall(f"{number}\n".encode())
        return number

    def finish(self, number, seconds=120):
        """Waits for a script begun before, at most so many seconds."""
        line = (self.share / "command" / number).read_text()
        status = self._wait(number, time.monotonic() + seconds, f"no answer from dom0 to: {line}")
        output = (self.share / "command" / f"{number}.out").read_text(errors="replace")
        return Command(line, int(status), output)

    def run(self, line, seconds=120):
        """Runs a bash script in dom0."""
        return self.finish(self.begin(line), seconds)

    def check(self, line, seconds=120):
        """Runs a script that must succeed; gives back its output."""
        command = self.run(line, seconds)
        if command.status != 0:
            raise MachineError(f"in dom0: {line}\nstatus {command.status}: {command.output.strip()}")
        return command.output

    def isolate(self):
        """Takes the way out off the bridge: QEMU's own network answers DHCP too, and may be the first."""
        self.check("ip link set eth0 nomaster down")

    def send(self, path, name):
        """Puts a file of the host into dom0's memory as /guest/name."""
        self._copy(path, f"/guest/{name}")
        return f"/guest/{name}"

    def place(self, path):
        """Puts a file of the host into dom0 at the same absolute path."""
        self._copy(path, str(Path(path).absolute()))

    def _copy(self, path, target):
        staged = self.share / "staged"
        shutil.copyfile(path, staged)
        quoted = shlex.quote(target)
        self._put.add(quoted)
        self.check(f"mkdir -p $(dirname {quoted}) && cp /rig/staged {quoted}")
        staged.unlink()

    def clear(self):
        """Takes away what was put into dom0's memory, which is not much."""
        if self._put:
            self.check(f"rm -f {' '.join(sorted(self._put))}")
            self._put.clear()

    def tail(self, lines=50):
        """The end of what Xen and dom0 said."""
        if not self.serial.exists():
            return ""
        return "\n".join(self.serial.read_text(errors="replace").splitlines()[-lines:])

    def stop(self):
        """Ends the machine."""
        if self._socket:
            self._socket.close()
            self._socket = None
        if self._qemu and self._qemu.poll() is None:
            self._qemu.terminate()
            try:
                self._qemu.wait(10)
            except subprocess.TimeoutExpired:
                self._qemu.kill()
                self._qemu.wait()


def die_with_parent():
    """In the child: a group of its own, so that Ctrl-C reaches only us, and an end when we end."""
    import ctypes  # pylint: disable=import-outside-toplevel

    os.setpgid(0, 0)
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
