"""Network namespaces of our own: they end with the program, however it ends."""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

MARK = "HALFPAGE_BENCH"
NAMES = Path("/run/netns")

# Linux's defaults (Documentation/networking/ip-sysctl.rst), whatever this machine was given.
SYSCTLS = {
    "net/ipv4/tcp_rmem": "4096 131072 6291456",
    "net/ipv4/tcp_wmem": "4096 16384 4194304",
    "net/ipv4/tcp_slow_start_after_idle": "1",
    "net/ipv4/tcp_sack": "1",
    "net/ipv4/tcp_recovery": "1",
    "net/ipv4/ip_local_port_range": "1024 65535",
    "net/ipv6/conf/all/disable_ipv6": "1",
    "net/ipv6/conf/default/disable_ipv6": "1",
}


class BenchError(Exception):
    """What went wrong, for whoever started the measurement."""


def isolate():
    """Starts this program anew where the names of its namespaces are its own too."""
    if os.environ.get(MARK) == "1":
        NAMES.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(NAMES)], check=True)
        return
    line = ["unshare", "--net", "--mount"]
    if os.geteuid() != 0 or subprocess.run([*line, "true"], capture_output=True, check=False).returncode != 0:
        sys.exit("network namespaces are refused: root with CAP_SYS_ADMIN is needed")
    os.environ[MARK] = "1"
    os.execvp(line[0], [*line, sys.executable, *sys.argv])


def end_with_parent():
    """In the child: it ends when we end."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Space:
    """A network namespace, and what runs in it."""

    def __init__(self, name):
        self.name = name
        self._children = []

    def __enter__(self):
        run("ip", "netns", "add", self.name)
        self.ip("link set lo up")
        for name, value in SYSCTLS.items():
            self.sysctl(name, value)
        return self

    def __exit__(self, *_):
        for child in reversed(self._children):
            stop(child)
        run("ip", "netns", "del", self.name)

    def ip(self, words):
        """One ip command."""
        run("ip", "-n", self.name, *words.split())

    def line(self, *words):
        """A command line that runs here."""
        return ["ip", "netns", "exec", self.name, *map(str, words)]

    def sysctl(self, name, value):
        """Sets what a file of /proc/sys says; one that this kernel has not is passed over."""
        run(*self.line("sh", "-c", f"[ ! -w /proc/sys/{name} ] || echo '{value}' > /proc/sys/{name}"))

    def start(self, *words, **options):
        """Starts what runs until the namespace ends. `ip netns exec` becomes the command itself."""
        child = subprocess.Popen(self.line(*words), preexec_fn=end_with_parent, **options)
        self._children.append(child)
        return child

    def run(self, *words, **options):
        """Runs a command and gives what it printed."""
        return run(*self.line(*words), **options)


def run(*words, **options):
    """Runs a command and gives what it printed; a failure is a BenchError with what it said."""
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(map(str, words))}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def stop(child):
    """Ends a child: first as a user would."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(timeout=2)
        except subprocess.TimeoutExpired:
            child.kill()
    child.wait()
