"""The guests that are measured side by side, each with one vCPU, on one emulated Xen host."""

import gzip
import re

from rig.domain import Domain, described, mac
from rig.machine import MachineError
from rig.peer import COMMAND_LINE

from . import trace

# Lines of an xl configuration by which each differs from the rig's usual PV guest.
HALFPAGE, LINUX_PV, LINUX_PVH = "halfpage", "linux-pv", "linux-pvh"
NAMES = (HALFPAGE, LINUX_PV, LINUX_PVH)
ADDRESSES = {HALFPAGE: "10.0.2.71", LINUX_PV: "10.0.2.72", LINUX_PVH: "10.0.2.73"}

SERVER = """dnsmasq --conf-file=/dev/null --port=0 --no-ping --user=root --interface=xenbr0 --bind-interfaces \
    --dhcp-range=10.0.2.70,10.0.2.79,255.255.255.0,1h --dhcp-authoritative --dhcp-leasefile=/tmp/leases \
    --pid-file=/run/dnsmasq.pid {hosts}"""

COUNT = re.compile(r"^\s*(\d+) requests in \S+, ([\d.]+)([KMG]?)B read", re.MULTILINE)
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
# From this size on responses that are under way count by their bytes: of 256 at a time none may be finished in a second.
LARGE = 1 << 20
ERRORS = re.compile(r"^\s*(Socket errors|Non-2xx).*", re.MULTILINE)


class Guests:
    """The guests of a run. The machine's dom0 gives each its address."""

    def __init__(self, machine, images, strings=None):
        self.machine = machine
        self._images = images
        self._strings = strings
        machine.send(images.clock, "domain-time")
        machine.send(images.hold, "hold")
        # Its first run is the mark before which there is no guest.
        machine.check("chmod +x /guest/domain-time /guest/hold && /guest/domain-time 0")
        hosts = " ".join(f"--dhcp-host={mac(name)},{address}" for name, address in ADDRESSES.items())
        machine.isolate()
        machine.check(SERVER.format(hosts=hosts))
        machine.send(images.vmlinux, "linux.kernel")
        machine.send(images.ramdisk, "linux.ramdisk")
        machine.send(images.halfpage, "halfpage.kernel")

    def image(self, name):
        """Bytes to bring to a host: the kernel as it is packed, and the ramdisk, packed."""
        if name == HALFPAGE:
            return self._images.halfpage.stat().st_size
        return self._images.packed.stat().st_size + len(gzip.compress(self._images.ramdisk.read_bytes()))

    def describe(self, name, memory):
        """A guest that is not yet there."""
        kind = "halfpage" if name == HALFPAGE else "linux"
        lines = [
            f'name="{name}"', f'type="{"pvh" if name == LINUX_PVH else "pv"}"', f"memory={memory}", "vcpus=1",
            f'kernel="/guest/{kind}.kernel"', f'vif=["mac={mac(name)},bridge=xenbr0"]', 'on_crash="destroy"',
        ]  # fmt: skip
        if kind == "linux":
            lines += ['ramdisk="/guest/linux.ramdisk"', f'extra="{COMMAND_LINE}"']
        if name == LINUX_PVH:
            # Its time stamp counter is the machine's: intercepts of RDTSC do not work in emulation.
            lines.append('tsc_mode="native"')
        config = f"/guest/{name}.cfg"
        self.machine.check(f"cat >{config} <<'END'\n" + "\n".join(lines) + "\nEND")
        return Guest(self.machine, name, config, self._strings)


class Guest(Domain):
    """One guest."""

    def __init__(self, machine, name, config, strings):
        super().__init__(machine, name, config)
        self._strings = strings
        self.address = ADDRESSES[name]
        self.number = None

    def serve(self, seconds=600):
        """Starts it, and waits until it answers."""
        self.create()
        self.number = int(self.machine.check(f"xl domid {self.name}"))
        script = f"until curl -sf --max-time 5 -o /dev/null http://{self.address}/100.bin; do sleep 0.1; done"
        self.machine.check(script, seconds)

    def end(self):
        """Ends it at once."""
        line = f"xl destroy {self.name}; while xl domid {self.name} >/dev/null 2>&1; do sleep 0.1; done"
        self.machine.check(line, 600)

    def trace(self, path, connections, seconds):
        """What Xen sees it do for a request: its hypercalls by name, its wakes."""
        out = self.machine.check(trace.script(self, path, connections, seconds), 1800)
        counts = trace.read((self.machine.share / "trace").read_bytes(), self.number)
        if counts["lost"] or not counts["wake"]:
            raise MachineError(f"the trace of {self.name} lost {counts['lost']} records, saw {counts['wake']} wakes")
        requests = self._answered(path, out)
        return {name: count / requests for name, count in counts.most_common()}

    def settle(self):
        """Gives it time to end what it began at its boot."""
        self.machine.check("sleep 10", 600)

    def idle(self, seconds):
        """The share of so many seconds for which it runs though nobody asks anything of it."""
        line = f"/guest/domain-time {self.number} && sleep {seconds} && /guest/domain-time {self.number}"
        before, after = map(int, self.machine.check(line, 1200).split())
        return (after - before) / seconds / 1e9

    def events(self):
        """How often it has notified dom0's network backend so far."""
        found = self.machine.check(f"grep -E ' vif{self.number}[.]' /proc/interrupts")
        return sum(int(line.split()[1]) for line in found.splitlines())

    def hold(self, connections):
        """How many connections are open at once, asked for the small file one after another, and again; and what went
        wrong."""
        script = f"""
ulimit -n {connections + 1000}
sysctl -qw net.ipv4.ip_local_port_range='1024 65535'
/guest/hold {self.address}:80 {connections} 100.bin 2>&1
"""
        done = self.machine.run(script, 1800)
        held, answers = map(int, done.output.splitlines()[0].split())
        return {"open": held, "requests": answers, "errors": "" if done.status == 0 else done.output.strip()}

    def wrk(self, path, connections, seconds):
        """One measurement: requests, and what was run for them."""
        line = f"wrk -t1 -c{connections} -d{seconds}s --timeout 10s http://{self.address}:80/{path}"
        out, result = self.measured(line)
        errors = "; ".join(line.group(0).strip() for line in ERRORS.finditer(out))
        return {"requests": self._answered(path, out), **result, "errors": errors}

    def measured(self, line):
        """What a client in dom0 says, the nanoseconds that this guest and dom0 ran meanwhile, and those that were further
        steps of string instructions."""
        events = self.events()
        clock = f"/guest/domain-time {self.number} 0"
        out = self.machine.check(f"{clock} && {line} && {clock}", 1200)
        lines = out.split()
        before, after = [int(word) for word in lines[:2]], [int(word) for word in lines[-2:]]
        guest, dom0 = (later - earlier for earlier, later in zip(before, after))
        events = self.events() - events
        steps = self._strings.between_marks() if self._strings else {}
        return out, {"guest": guest, "dom0": dom0, "events": events, "steps": steps}

    def _answered(self, path, out):
        """How many requests for NUMBER.bin were answered, by what wrk says. There has to be one."""
        size, count = int(path.removesuffix(".bin")), COUNT.search(out)
        requests = count and (float(count[2]) * UNITS[count[3]] / size if size >= LARGE else int(count[1]))
        if not requests:
            raise MachineError(f"wrk against {self.name}: {out}")
        return requests
