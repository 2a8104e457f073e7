"""The initramfs of dom0: Xen's tools, the few kernel modules they need, busybox, and init."""

import gzip
import hashlib
import lzma
import re
import shutil
from pathlib import Path

from .archive import Archive

# xen-*: what the tools and the back ends need; e1000, bridge: the segment; virtio, 9p: the way in
# and out for commands and files; loop: disks of a guest; sch_netem: delay and loss; crc32c, nf_*, nft_*:
# sending connections on to a guest.
MODULES = (
    "xen-evtchn", "xen-gntdev", "xen-gntalloc", "xen-privcmd", "xenfs", "xen-netback",
    "xen-blkback", "bridge", "e1000", "virtio_pci", "virtio_console", "9p", "9pnet_virtio",
    "loop", "sch_netem", "crc32c_generic", "nf_tables", "nft_chain_nat", "nft_nat", "nft_masq", "nft_ct",
)  # fmt: skip

XEN_TOOLS = (
    "xl", "xenstored", "xenconsoled", "xen-init-dom0", "xenconsole", "libxl-save-helper", "xentop", "xentrace",
)  # fmt: skip

PROGRAMS = (
    "bin/bash", "bin/ip", "sbin/bridge", "sbin/tc", "sbin/ethtool", "usr/sbin/nft", "usr/sbin/dnsmasq",
    "usr/bin/tcpdump", "usr/sbin/tcpdump", "usr/bin/curl", "usr/bin/wrk", "bin/busybox",
)  # fmt: skip

FOLDERS = (
    "usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "dev", "proc", "sys", "tmp", "rig", "root", "run/xen",
    "run/lock", "run/xenstored", "var/lib/xen", "var/lib/xenstored", "var/lib/misc", "var/log/xen", "guest",
)  # fmt: skip

# Debian's merged /usr, and where the tools look for what runs.
LINKS = {
    "bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64", "var/run": "../run",
    "var/lock": "../run/lock", "etc/mtab": "../proc/mounts",
}  # fmt: skip

INIT = Path(__file__).with_name("init")
AGENT = Path(__file__).with_name("agent")
BLOCK = Path(__file__).with_name("block")


class Dom0:
    """The three files that boot a Xen host: hypervisor, kernel, initramfs."""

    def __init__(self, suite):
        self.suite = suite
        self.xen = suite.folder / "xen"
        self.kernel = suite.folder / "vmlinuz"
        self.initramfs = suite.folder / "dom0.cpio"
        self.pvgrub = suite.folder / "pvgrub"

    def assemble(self):
        """Makes the files where they are missing or older than what they are made of."""
        tree = self.suite.unpack()
        stamp = self.suite.folder / "dom0.done"
        sources = [INIT, AGENT, BLOCK, Path(__file__), Path(__file__).with_name("archive.py")]
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
        if stamp.exists() and stamp.read_text() == digest:
            return self
        self.xen.write_bytes(gzip.decompress(one(tree, "boot/xen-*-amd64.gz").read_bytes()))
        shutil.copyfile(one(tree, "boot/vmlinuz-*"), self.kernel)
        shutil.copyfile(one(tree, "usr/lib/grub-xen/grub-x86_64-xen.bin"), self.pvgrub)
        with open(self.initramfs, "wb") as out:
            self._pack(Archive(out), tree)
        stamp.write_text(digest)
        return self

    def _pack(self, archive, tree):
        for name in FOLDERS:
            archive.folder(name)
        for name, target in LINKS.items():
            archive.link(name, target)
        archive.device("dev/console", 5, 1)
        for name in PROGRAMS:
            if (tree / name).exists():
                put(archive, tree, tree / name)
            elif (tree / "usr" / name).exists():
                put(archive, tree, tree / "usr" / name)
        tools = f"usr/lib/xen-{self.suite.xen}/bin"
        for name in XEN_TOOLS:
            put(archive, tree, tree / tools / name)
            archive.link(f"usr/sbin/{name}", f"/{tools}/{name}")
        for pattern in (
            "usr/bin/xenstore*", "etc/xen/scripts/*", "etc/xen/xl.conf", "lib*/ld-linux*", "usr/lib64/ld-linux*",
            "lib/x86_64-linux-gnu/*.so*", "usr/lib/x86_64-linux-gnu/*.so*",
            "usr/lib/xen-*/lib/x86_64-linux-gnu/*.so*",
        ):  # fmt: skip
            for path in sorted(tree.glob(pattern)):
                put(archive, tree, path)
        archive.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n")
        archive.file("etc/group", b"root:x:0:\nnogroup:x:65534:\n")
        archive.file("etc/hosts", b"127.0.0.1 localhost dom0\n")
        order = ModuleTree(one(tree, "lib/modules/*", "usr/lib/modules/*")).order(MODULES)
        for path, content in order:
            archive.file(f"modules/{path}", content)
        archive.file("modules/order", "".join(f"{path}\n" for path, _ in order).encode())
        archive.file("init", INIT.read_bytes(), 0o755)
        archive.file("etc/xen/scripts/block-rig", BLOCK.read_bytes(), 0o755)
        archive.file("agent", AGENT.read_bytes(), 0o755)
        archive.close()


class ModuleTree:
    """The modules of one kernel package, which has no modules.dep: each names what it depends on."""

    def __init__(self, folder):
        self._paths = {}
        for path in folder.rglob("*.ko*"):
            self._paths[path.name.split(".")[0].replace("-", "_")] = path
        self._builtin = (folder / "modules.builtin").read_text().replace("-", "_")

    def order(self, names):
        """(file name, content) of the modules and those they need, in the order to load them."""
        order = {}
        for name in names:
            self._visit(name.replace("-", "_"), order)
        return [(f"{name}.ko", content) for name, content in order.items()]

    def _visit(self, name, order):
        if name in order or f"/{name}.ko" in self._builtin:
            return
        path = self._paths[name]
        content = path.read_bytes()
        if path.suffix == ".xz":
            content = lzma.decompress(content)
        depends = re.search(rb"\0depends=([^\0]*)\0", content)
        for needed in (depends[1] if depends else b"").decode().split(","):
            if needed:
                self._visit(needed.replace("-", "_"), order)
        order[name] = content


def put(archive, tree, path):
    """A file or link of the tree, under the merged /usr."""
    name = str(path.relative_to(tree))
    if name.split("/")[0] in ("bin", "sbin", "lib", "lib64"):
        name = f"usr/{name}"
    if path.is_symlink():
        archive.link(name, str(path.readlink()))
    elif path.is_file():
        archive.file(name, path.read_bytes(), path.stat().st_mode & 0o777)


def one(tree, *patterns):
    """The one file that a pattern names."""
    found = [path for pattern in patterns for path in tree.glob(pattern)]
    if len(found) != 1:
        raise FileNotFoundError(f"{len(found)} files match {patterns} in {tree}")
    return found[0]
