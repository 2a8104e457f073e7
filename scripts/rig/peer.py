"""A Linux guest that serves files with nginx, both at their best: what the guest is measured against.

Its kernel is dom0's. Its ramdisk holds only what is needed: busybox for the address, nginx with its libraries, and the
site.
"""

import lzma
import re
import struct
import subprocess

from .archive import Archive
from .dom0 import ModuleTree, one

# Nothing is said that nobody reads, and nothing guarded against that a guest which runs one program need not fear.
COMMAND_LINE = "console=hvc0 quiet mitigations=off"

INIT = b"""#!/bin/busybox sh
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
for module in $(/bin/busybox cat /modules/order); do /bin/busybox insmod "/modules/$module"; done
until [ -e /sys/class/net/eth0 ]; do /bin/busybox usleep 2000; done
/bin/busybox ip link set lo up
/bin/busybox ip link set eth0 up
/usr/sbin/nginx -c /nginx.conf &
/bin/busybox udhcpc -q -f -t 20 -T 1 -i eth0 -s /lease
read -r up idle </proc/uptime
echo "[ $up] listening on http://$(/bin/busybox cat /address)/"
while :; do /bin/busybox sleep 100000; done
"""

LEASE = b"""#!/bin/busybox sh
[ "$1" = bound ] || exit 0
/bin/busybox ip addr add "$ip/$mask" dev eth0
[ -z "$router" ] || /bin/busybox ip route add default via "${router%% *}"
echo "$ip" >/address
"""

NGINX = """\
worker_processes 1;
daemon off;
master_process off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
worker_rlimit_nofile 65536;
events {{ worker_connections 16384; use epoll; multi_accept on; }}
http {{
    access_log off;
    sendfile on;
    sendfile_max_chunk 2m;
    tcp_nopush on;
    tcp_nodelay on;
    open_file_cache max=1000 inactive=1h;
    open_file_cache_valid 1h;
    open_file_cache_min_uses 1;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    reset_timedout_connection on;
    server_tokens off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen 80 backlog=16384; root {site}; }}
}}
"""


def ramdisk(suite, site, path):
    """Writes the ramdisk of the peer, with a folder as its site."""
    tree, peer = suite.unpack(), suite.unpack_peer()
    with open(path, "wb") as out:
        archive = Archive(out)
        for name in ("proc", "sys", "dev", "run", "tmp"):
            archive.folder(name)
        archive.device("dev/console", 5, 1)
        archive.file("sbin/poweroff", b"#!/bin/busybox sh\nexec /bin/busybox poweroff -f\n", 0o755)
        archive.file("bin/busybox", one(tree, "bin/busybox", "usr/bin/busybox").read_bytes(), 0o755)
        archive.file("init", INIT, 0o755)
        archive.file("lease", LEASE, 0o755)
        archive.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
        archive.file("etc/group", b"root:x:0:\n")
        archive.file("nginx.conf", NGINX.format(folder="/run", site="/www").encode())
        server = one(peer, "usr/sbin/nginx")
        archive.file("usr/sbin/nginx", server.read_bytes(), 0o755)
        for name, library in sorted(libraries(peer, server).items()):
            folder = "lib64" if name.startswith("ld-") else "lib/x86_64-linux-gnu"
            archive.file(f"{folder}/{name}", library.read_bytes(), 0o755)
        order = ModuleTree(one(tree, "lib/modules/*", "usr/lib/modules/*")).order(("xen-netfront", "af_packet"))
        for name, content in order:
            archive.file(f"modules/{name}", content)
        archive.file("modules/order", "".join(f"{name}\n" for name, _ in order).encode())
        for file in sorted(site.rglob("*")):
            if file.is_file():
                archive.file(f"www/{file.relative_to(site)}", file.read_bytes())
        archive.close()
    return path


def libraries(tree, program):
    """What a program is linked with, and what that is: names, and where each lies in the tree."""
    found, left = {}, [program]
    while left:
        dynamic = subprocess.run(["objdump", "-p", left.pop()], capture_output=True, text=True, check=True).stdout
        for name in re.findall(r"^ +NEEDED +(\S+)$", dynamic, re.MULTILINE):
            if name not in found:
                found[name] = library(tree, name)
                left.append(found[name])
    found["ld-linux-x86-64.so.2"] = library(tree, "ld-linux-x86-64.so.2")
    return found


def library(tree, name):
    """Where a library lies."""
    return next(path for path in sorted(tree.rglob(name)) if path.exists()).resolve()


def kernel(dom0, path):
    """Writes the peer's kernel as Xen loads it fastest: unpacked, where it is packed in a form that Python knows."""
    image = dom0.kernel.read_bytes()
    # The boot protocol's header (Documentation/x86/boot.rst): setup_sects, payload_offset, payload_length.
    begin = (image[0x1F1] + 1) * 512
    offset, length = struct.unpack_from("<II", image, 0x248)
    packed = image[begin + offset : begin + offset + length]
    if packed.startswith(b"\xfd7zXZ\0"):
        image = lzma.LZMADecompressor().decompress(packed)
    path.write_bytes(image)
    return path
