"""An Ethernet segment for the tests: a tap in a network namespace of our own, with a DHCP server.

The whole test runs in the namespace, as root or, where the kernel lets ordinary users have one, as
the root of a user namespace. It ends with the test; nothing is left behind.
"""

import contextlib
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
import time

from .domain import mac
from .machine import MachineError, die_with_parent

ADDRESS = "192.0.2.1"
DOM0 = "192.0.2.2"
LEASES = ("192.0.2.100", "192.0.2.199")
# A guest of this name is given none.
LEASELESS = "leaseless"
OTHER_LEASES = ("192.0.2.200", "192.0.2.249")
# EC2's default network, as its DHCP server answers there.
EC2_GATEWAY = "172.31.0.1"
EC2_LEASES = ("172.31.7.20", "172.31.7.99")
EC2_OPTIONS = (
    f"--dhcp-option=3,{EC2_GATEWAY}", "--dhcp-option=6,172.31.0.2", "--dhcp-option=15,ec2.internal",
    "--dhcp-option-force=26,9001", "--dhcp-option-force=12,ip-172-31-7-20",
)  # fmt: skip
TAP = "rig0"

MARK = "HALFPAGE_NAMESPACE"

TUNSETIFF = 0x400454CA
TUNSETPERSIST = 0x400454CB
IFF_TAP, IFF_NO_PI = 2, 0x1000


def isolated():
    """Whether this program is in a network namespace of its own."""
    return os.environ.get(MARK) == "1"


def isolate():
    """Starts this program anew in a network namespace of its own, unless it is in one."""
    if isolated():
        return
    line = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--user", "--map-root-user"]
    if subprocess.run([*line, "true"], capture_output=True, check=False).returncode != 0:
        sys.exit(
            "network namespaces are refused: CAP_SYS_ADMIN is missing (root has it, or an ordinary user "
            "where kernel.unprivileged_userns_clone=1)"
        )
    os.environ[MARK] = "1"
    os.execvp(line[0], [*line, sys.executable, *sys.argv])


def require_capabilities():
    """Says which capability is missing before a test stumbles over it."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
    except PermissionError:
        sys.exit("raw sockets are refused: CAP_NET_RAW is missing")
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        sys.exit("taps are refused: /dev/net/tun is missing or not ours to open")


class Segment:
    """The tap with its address, and dnsmasq on it; also the network that a Machine is given."""

    dom0 = f"{DOM0}/24"
    prefix = ()

    def __init__(self, folder):
        self.folder = folder
        self.leases = folder / "leases"
        self._dnsmasq = None

    def __enter__(self):
        require_capabilities()
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            make_tap(TAP)
        except PermissionError:
            sys.exit("a tap is refused: CAP_NET_ADMIN is missing")
        for line in (
            f"addr add {ADDRESS}/24 dev {TAP}", f"link set {TAP} up", "link set lo up",
        ):  # fmt: skip
            subprocess.run(["ip", *line.split()], check=True)
        (self.folder / "dnsmasq.log").unlink(missing_ok=True)
        self._serve(*LEASES)
        return self

    def __exit__(self, *_):
        self._end()
        subprocess.run(["ip", "link", "del", TAP], check=False)

    def renumber(self):
        """From here on the server knows none of its leases any more, and gives other addresses."""
        self._end()
        self._serve(*OTHER_LEASES)

    @contextlib.contextmanager
    def as_ec2(self):
        """While entered, the segment is a subnet of EC2's default network: a /20, and that server's options."""
        self._end()
        subprocess.run(["ip", "addr", "add", f"{EC2_GATEWAY}/20", "dev", TAP], check=True)
        self._serve(*EC2_LEASES, "255.255.240.0", EC2_OPTIONS)
        try:
            yield
        finally:
            self._end()
            subprocess.run(["ip", "addr", "del", f"{EC2_GATEWAY}/20", "dev", TAP], check=True)
            self._serve(*LEASES)

    def _serve(self, first, last, mask="255.255.255.0", options=(f"--dhcp-option=3,{ADDRESS}",)):
        """Starts the server, for addresses that nobody has yet."""
        self.leases.unlink(missing_ok=True)
        self._dnsmasq = subprocess.Popen(
            [
                shutil.which("dnsmasq", path=os.environ["PATH"] + ":/usr/sbin"), "--no-daemon", "--conf-file=/dev/null",
                "--port=0", "--no-ping", f"--interface={TAP}", "--bind-interfaces",
                f"--dhcp-range={first},{last},{mask},1h", f"--dhcp-host={mac(LEASELESS)},ignore", *options,
                "--dhcp-authoritative", f"--dhcp-leasefile={self.leases}", "--log-dhcp", "--pid-file",
            ],
            stdout=subprocess.DEVNULL, stderr=open(self.folder / "dnsmasq.log", "ab"), preexec_fn=die_with_parent,
        )  # fmt: skip
        time.sleep(0.2)
        if self._dnsmasq.poll() is not None:
            raise MachineError("dnsmasq: " + (self.folder / "dnsmasq.log").read_text())

    def _end(self):
        self._dnsmasq.terminate()
        self._dnsmasq.wait()

    @staticmethod
    def arguments():
        """QEMU's words for the network card's other end."""
        return ["-netdev", f"tap,id=net,ifname={TAP},script=no,downscript=no"]

    def lease(self, mac):
        """(address, host name) that dnsmasq gave to a mac address, or None."""
        for line in self.leases.read_text().splitlines() if self.leases.exists() else []:
            _, owner, address, name, _ = line.split(maxsplit=4)
            if owner == mac:
                return address, name
        return None


def make_tap(name):
    """A tap that stays after we close it."""
    with open("/dev/net/tun", "r+b", buffering=0) as tun:
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
        fcntl.ioctl(tun, TUNSETPERSIST, 1)
