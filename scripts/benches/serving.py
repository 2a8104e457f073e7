"""Servers and wrk, each pair in namespaces of its own, pinned to processors.

    halfpage-tap --tap-- wrk        smoltcp-server --tap-- wrk        nginx --veth-- wrk
"""

import contextlib
import math
import os
import re
import resource
import shutil
import subprocess
from pathlib import Path

from . import senders
from .space import BenchError, Space, end_with_parent

SERVER, CLIENT = "198.18.0.2", "198.18.0.1"
NAMES = ("halfpage", "nginx", "smoltcp")
# Linux's names for what "offloads off" turns off, on both ends.
OFFLOADS = ("rx", "tx", "sg", "tso", "gso", "gro")
SCRIPT = Path(__file__).with_name("wrk.lua")
COUNT = re.compile(r"^counted (\d+) (\d+) (\d+)$", re.MULTILINE)
# From this size on a response that is under way counts by its bytes: of 4,096 at a time hardly any is finished in a second.
LARGE = 1 << 20
ERRORS = re.compile(r"^\s*(Socket errors|Non-2xx).*", re.MULTILINE)


class Serving:
    """One server, and where wrk runs."""

    # What more halfpage is started with, and what more stands in nginx's configuration.
    more, also = (), ""

    def __init__(self, name, site, folder, connections, offload, processors):
        self.name, self.site, self.folder = name, site, folder
        self.connections, self.offload, self.processors = connections, offload, processors
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True, exist_ok=True)
            self.client = stack.enter_context(Space(f"{self.name}-client"))
            start = self._veth if self.name == "nginx" else self._tap
            self.child = start(stack, ["taskset", "-c", str(self.processors[0])])
            self.client.run("curl", "-sSf", "--max-time", 10, "-o", "/dev/null", f"http://{SERVER}/100.bin")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *details):
        return self._stack.__exit__(*details)

    def _tap(self, _, prefix):
        options = [] if self.offload else ["--no-offload"]
        if self.name == "halfpage":
            options += ["--memory", "1024", *self.more]
            child = senders.halfpage(self.client, self.site, f"{SERVER}/24", "tap0", options, prefix)
        else:
            options += ["--connections", self.connections]
            options += ["--buffer", 262_144 if self.connections <= 256 else 65_536]
            child = senders.smoltcp(self.client, self.site, f"{SERVER}/24", "tap0", options, prefix)
        self._address(self.client, "tap0", CLIENT)
        return child

    def _veth(self, stack, prefix):
        server = stack.enter_context(Space("nginx-server"))
        self.client.ip(f"link add veth0 type veth peer name veth0 netns {server.name}")
        self._address(self.client, "veth0", CLIENT)
        self._address(server, "veth0", SERVER)
        return senders.nginx(server, self.site, self.folder, prefix, self.also)

    def _address(self, space, device, address):
        if not self.offload:
            words = [word for offload in OFFLOADS for word in (offload, "off")]
            space.run("ethtool", "-K", device, *words)
        space.ip(f"link set {device} up")
        space.ip(f"addr add {address}/24 dev {device}")
        # Linux's own default, whatever this machine was given: BBR, say, would pace what needs no pacing.
        space.ip(f"route replace 198.18.0.0/24 dev {device} src {address} congctl cubic")

    def wrk(self, size, seconds, scheme="http", environment=None):
        """Requests a second, and CPU seconds a request: the server's, wrk's and the kernel's for both."""
        words = ["wrk", "-t1", f"-c{self.connections}", f"-d{seconds}s"]
        words += ["--timeout", "10s", "-s", SCRIPT, f"{scheme}://{SERVER}/{size}.bin"]
        out, server, client = self.run(words, environment)
        counted = COUNT.search(out)
        if not counted:
            raise BenchError(f"wrk against {self.name}, {size} B, {self.connections} connections: {out.strip()}")
        errors = "; ".join(line.group(0).strip() for line in ERRORS.finditer(out))
        finished, transferred, micros = map(int, counted.groups())
        count = transferred / size if size >= LARGE else finished
        return {**shared(count, micros, server, client), "errors": errors}

    def run(self, words, environment=None):
        """What a client says, and the CPU seconds of the server and of the client meanwhile."""
        before = self._server_seconds()
        child = subprocess.Popen(
            self.client.line("taskset", "-c", self.processors[1], *words),
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
            preexec_fn=end_with_parent,
        )
        out = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        server = self._server_seconds() - before
        if self.child.poll() is not None:
            raise BenchError(f"{self.name} ended with status {self.child.returncode}")
        if child.returncode != 0:
            raise BenchError(f"{words[0]} against {self.name}: {out.strip()}")
        return out, server, usage.ru_utime + usage.ru_stime

    def _server_seconds(self):
        tasks = list(Path(f"/proc/{self.child.pid}/task").iterdir())
        return sum(run_time(task) for task in tasks + soft_interrupts())


def shared(count, micros, server, client):
    """A second's share of what was counted in a time, and each one's of the CPU seconds."""
    return {
        "speed": count / micros * 1e6,
        "cpu": (server + client) / count if count else math.inf,
        "server": server / count if count else math.inf,
    }


def soft_interrupts():
    """The kernel's threads that do what was put off: for whom cannot be told, so it is counted as the server's."""
    return [Path("/proc", name) for name in os.listdir("/proc") if name.isdigit() and is_soft_interrupt(name)]


def is_soft_interrupt(pid):
    """Whether a process is one of the ksoftirqd."""
    try:
        return Path("/proc", pid, "comm").read_text(encoding="utf-8").startswith("ksoftirqd/")
    except OSError:
        return False


def run_time(task):
    """Seconds on a processor (Documentation/scheduler/sched-stats.rst, /proc/<pid>/schedstat)."""
    return int((task / "schedstat").read_text(encoding="utf-8").split()[0]) / 1e9


def allow_connections(connections):
    """Descriptors for so many connections, here and in what is started from here."""
    hard = max(resource.getrlimit(resource.RLIMIT_NOFILE)[1], connections + 1_024)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
