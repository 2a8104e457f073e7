"""A Linux PV guest that serves files over HTTP: to try the rig itself, and to measure against."""

from .archive import Archive
from .dom0 import ModuleTree, one

INIT = b"""#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
for module in $(cat /modules/order); do insmod "/modules/$module"; done
until [ -e /sys/class/net/eth0 ]; do mount -t sysfs sysfs /sys 2>/dev/null; usleep 10000; done
ip link set lo up
ip link set eth0 up
udhcpc -q -f -t 20 -T 1 -i eth0 -s /lease
httpd -p 80 -h /www
echo "listening on http://$(cat /address)/"
while :; do sleep 1000; done
"""

LEASE = b"""#!/bin/busybox sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/$mask" dev eth0
[ -z "$router" ] || ip route add default via "${router%% *}"
echo "$ip" >/address
"""


def ramdisk(suite, site, path):
    """Writes the ramdisk of the peer, with a folder as its site; its kernel is dom0's."""
    tree = suite.unpack()
    with open(path, "wb") as out:
        archive = Archive(out)
        for name in ("proc", "sys", "dev"):
            archive.folder(name)
        archive.device("dev/console", 5, 1)
        archive.file("sbin/poweroff", b"#!/bin/busybox sh\nexec /bin/busybox poweroff -f\n", 0o755)
        archive.file("bin/busybox", one(tree, "bin/busybox", "usr/bin/busybox").read_bytes(), 0o755)
        archive.file("init", INIT, 0o755)
        archive.file("lease", LEASE, 0o755)
        order = ModuleTree(one(tree, "lib/modules/*", "usr/lib/modules/*")).order(("xen-netfront", "af_packet"))
        for name, content in order:
            archive.file(f"modules/{name}", content)
        archive.file("modules/order", "".join(f"{name}\n" for name, _ in order).encode())
        for file in sorted(site.rglob("*")):
            if file.is_file():
                archive.file(f"www/{file.relative_to(site)}", file.read_bytes())
        archive.close()
    return path
