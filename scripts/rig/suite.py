"""The Debian release that carries a Xen, and its packages, fetched by the host's own apt.

apt gets lists, cache and an empty package database of its own here, so nothing is installed on the
host and no root is needed. The mirror is the one that the host's own configuration names.
"""

import os
import re
import subprocess
from pathlib import Path

from .place import RIG

SUITES = {"4.14": "bullseye", "4.17": "bookworm", "4.20": "trixie"}

# What dom0 runs. The libraries they need are apt's to find.
PACKAGES = (
    "xen-hypervisor-{xen}-amd64",
    "xen-utils-{xen}",
    "xen-utils-common",
    "xenstore-utils",
    "linux-image-amd64",
    "busybox-static",
    "bash",
    "iproute2",
    "ethtool",
    "dnsmasq-base",
    "nftables",
    "tcpdump",
    "curl",
    "wrk",
    "grub-xen-host",
)

# What the Linux guest that is measured against runs.
PEER_PACKAGES = ("nginx",)

# What is written in Python needs.
PYTHON_PACKAGES = ("python3", "ncurses-base")

# What reads dom0/'s files besides xl.
HOST_PACKAGES = ("libvirt-daemon", "libvirt-daemon-driver-xen", "libvirt-clients", "libxml2-utils")


class SuiteError(Exception):
    """The packages of a suite could not be had."""


class Suite:
    """The packages that make a dom0 for one version of Xen."""

    def __init__(self, xen):
        if xen not in SUITES:
            raise SuiteError(f"XEN={xen}: known are {', '.join(SUITES)}")
        self.xen = xen
        self.name = SUITES[xen]
        self.folder = RIG / f"xen-{xen}"
        self.tree = self.folder / "tree"

    def unpack(self):
        """Fetches and unpacks what dom0 runs, once; gives back the folder it is in."""
        named = [package.format(xen=self.xen) for package in PACKAGES]
        return self._unpacked(self.tree, named, PACKAGES, f"Xen {self.xen} and the dom0 around it (about 95 MB)")

    def unpack_peer(self):
        """The same of what the Linux peer runs besides."""
        return self._unpacked(self.folder / "peer", PEER_PACKAGES, PEER_PACKAGES, "nginx (about 8 MB)")

    def unpack_python(self):
        """The same of what dom0's programs in Python need."""
        return self._unpacked(self.folder / "python", PYTHON_PACKAGES, PYTHON_PACKAGES, "Python (about 6 MB)", True)

    def unpack_host(self):
        """The same of libvirt, whose daemon starts guests in dom0."""
        return self._unpacked(self.folder / "host", HOST_PACKAGES, HOST_PACKAGES, "libvirt (about 15 MB)")

    def _unpacked(self, tree, named, packages, what, python=False):
        done = tree.with_name(f"{tree.name}.done")
        wanted = "\n".join(packages)
        if done.exists() and done.read_text() == wanted:
            return tree
        print(f"rig: fetching Debian {self.name}'s {what}, once, into {self.folder}; nothing is installed", flush=True)
        for name in ("lists/partial", "cache/archives/partial", "debs"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "sources.list").write_text(self._source())
        self._apt("apt-get", "update", "-qq")
        listing = self._apt("apt-get", "install", "--print-uris", "-qq", "-y", "--no-install-recommends", *named)
        files = re.findall(r"^'\S+' (\S+) \d+", listing, re.MULTILINE)
        packages = sorted({self._specified(name) for name in files if self._kept(name, named, python)})
        self._apt("apt-get", "download", "-qq", *packages, cwd=self.folder / "debs")
        for deb in sorted((self.folder / "debs").glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", deb, tree], check=True)
            deb.unlink()
        done.write_text(wanted)
        return tree

    @staticmethod
    def _kept(file, named, python):
        package = file.split("_")[0]
        if package.startswith(("python3", "libpython3")):
            return python
        library = package.startswith(("lib", "zlib"))
        return library or package in named or package.startswith("linux-image-")

    @staticmethod
    def _specified(file):
        package, version, _ = file.split("_")
        return f"{package}={version.replace('%3a', ':')}"

    def _source(self):
        uri, keyring = host_mirror()
        return f"deb [signed-by={keyring}] {uri} {self.name} main\n"

    def _apt(self, *command, cwd=None):
        options = {
            "Dir::Etc::sourcelist": self.folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State::lists": self.folder / "lists",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": self.folder / "cache",
            "APT::Architecture": "amd64",
            "APT::Update::Error-Mode": "any",
            "APT::Get::AllowUnauthenticated": "false",
        }
        if os.geteuid() == 0:
            options["APT::Sandbox::User"] = "root"
        line = [command[0]]
        for key, value in options.items():
            line += ["-o", f"{key}={value}"]
        result = subprocess.run(line + list(command[1:]), cwd=cwd, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise SuiteError(f"{' '.join(command[:2])} for {self.name}: {result.stderr.strip()}")
        return result.stdout


def host_mirror(root=Path("/")):
    """The address and keyring of the Debian archive in the host's apt configuration."""
    keyring = root / "usr/share/keyrings/debian-archive-keyring.gpg"
    if not keyring.exists():
        raise SuiteError("no debian-archive-keyring here: apt-get install debian-archive-keyring")
    folder = root / "etc/apt"
    lists = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*.list"))]
    for path in sorted((folder / "sources.list.d").glob("*.sources")):
        uri = mirror_of_stanzas(path.read_text())
        if uri:
            return uri, keyring
    for path in lists:
        uri = mirror_of_lines(path.read_text()) if path.exists() else None
        if uri:
            return uri, keyring
    raise SuiteError("no Debian archive in the host's apt configuration")


RELEASES = frozenset(SUITES.values()) | {"stable", "oldstable", "testing", "unstable", "sid", "forky"}


def mirror_of_stanzas(text):
    """The first Debian archive of a deb822 .sources file, or None."""
    for stanza in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^([\w-]+):[ \t]*(.*)$", stanza, re.MULTILINE))
        if fields.get("Enabled", "yes") == "no" or "deb" not in fields.get("Types", "").split():
            continue
        if RELEASES & set(fields.get("Suites", "").split()) and fields.get("URIs", "").split():
            return fields["URIs"].split()[0]
    return None


def mirror_of_lines(text):
    """The first Debian archive of a one-line-style sources.list, or None."""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s", line)
        if match and match[2] in RELEASES:
            return match[1]
    return None
