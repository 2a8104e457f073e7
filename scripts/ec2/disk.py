"""A raw disk that PV-GRUB (GRUB 0.97), PV GRUB 2 and pygrub start the guest from: ext2 with the image and two menus.

It is made without root, and the same input gives the same bytes: whatever mke2fs would take from the clock, from chance or
from the folder's inodes is fixed here.
"""

import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

MIB = 1 << 20
SECTOR = 512
# Where partitions begin by custom. GRUB 0.97 asks nothing of the room before it.
PARTITION = MIB
# For the file system's own tables.
SLACK = 2 * MIB
# Nobody looks a disk up by these; chance would give other bytes each time.
UUID = "68616c66-7061-6765-8000-000000000001"
HASH_SEED = "68616c66-7061-6765-8000-000000000002"
SIGNATURE = 0x68616C66
# 2000-01-01, for each time on the disk.
TIME = 946684800
# The file system's type in the partition's entry: Linux.
LINUX = 0x83
# What GRUB 0.97 reads: no feature but these two, and inodes of 128 bytes.
FEATURES = "none,filetype,sparse_super"
INODE = 128
# In the place of the host's own mke2fs.conf.
CONFIGURATION = "[defaults]\ninode_ratio = 4096\n[fs_types]\next2 = {\n}\n"

# PV-GRUB's. `root` is where EC2 puts the disk: (hd0), or (hd0,0) on one with partitions.
MENU_LST = """\
default 0
timeout 0

title halfpage
    root {root}
    kernel /boot/halfpage.gz{words}
"""

# PV GRUB 2's, and pygrub's where there is no menu.lst.
GRUB_CFG = """\
set default=0
set timeout=0

menuentry "halfpage" {{
    linux /boot/halfpage.gz{words}
}}
"""

# With a ramdisk.
INITRD_LST = "    initrd /boot/site.tar\n"
INITRD_CFG = "    initrd /boot/site.tar\n}}\n"


class DiskError(Exception):
    """The disk could not be made."""


def menus(extra="", partitioned=False, ramdisk=False):
    """{path on the disk: text} of the two menus."""
    if any(character in extra for character in "\n\r$\"'\\{};#"):
        raise DiskError(f"EXTRA={extra}: a menu cannot hold this")
    words = f" {extra}" if extra else ""
    lst, cfg = MENU_LST, GRUB_CFG
    if ramdisk:
        lst, cfg = lst + INITRD_LST, cfg.removesuffix("}}\n") + INITRD_CFG
    root = "(hd0,0)" if partitioned else "(hd0)"
    return {
        "/boot/grub/menu.lst": lst.format(root=root, words=words),
        "/boot/grub/grub.cfg": cfg.format(words=words),
    }


def make(out, kernel, extra="", partitioned=False, ramdisk=None, texts=None):
    """Writes the disk. `texts` take the place of menus, or come to them."""
    files = {"/boot/halfpage.gz": Path(kernel).read_bytes()}
    if ramdisk:
        files["/boot/site.tar"] = Path(ramdisk).read_bytes()
    for path, text in {**menus(extra, partitioned, bool(ramdisk)), **(texts or {})}.items():
        files[path] = text.encode()
    out = Path(out)
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        system = Path(folder, "ext2")
        write_system(system, files, Path(folder))
        if partitioned:
            whole = Path(folder, "disk")
            with open(whole, "wb") as disk, open(system, "rb") as content:
                disk.write(boot_record(system.stat().st_size))
                disk.seek(PARTITION)
                shutil.copyfileobj(content, disk)
            whole.replace(out)
        else:
            system.replace(out)


def write_system(image, files, folder):
    """An ext2 with these files, {path: bytes}, all of them root's."""
    size = -(-(sum(map(len, files.values())) + SLACK) // MIB)
    configuration = folder / "mke2fs.conf"
    configuration.write_text(CONFIGURATION)
    environment = {
        "PATH": "/usr/sbin:/sbin:/usr/bin:/bin", "TZ": "UTC", "LC_ALL": "C",
        "E2FSPROGS_FAKE_TIME": str(TIME), "MKE2FS_CONFIG": str(configuration),
    }  # fmt: skip
    options = f"hash_seed={HASH_SEED},root_owner=0:0,nodiscard,lazy_itable_init=0"
    line = ["mke2fs", "-q", "-F", "-t", "ext2", "-b", "1024", "-I", INODE, "-m", 0, "-O", FEATURES, "-U", UUID]
    run([*line, "-L", "halfpage", "-E", options, image, f"{size}M"], environment)

    folders = sorted({str(parent) for path in files for parent in Path(path).parents if parent != Path("/")})
    script = [f"mkdir {path}" for path in folders]
    for number, (path, content) in enumerate(sorted(files.items())):
        source = folder / str(number)
        source.write_bytes(content)
        source.chmod(0o644)
        script.append(f"write {source} {path}")
    for path in [*folders, *sorted(files)]:
        # debugfs takes owner and times from here and there, as its version will have it.
        for field, value in (("uid", 0), ("gid", 0), ("atime", TIME), ("ctime", TIME), ("mtime", TIME), ("generation", 0)):
            script.append(f"set_inode_field {path} {field} {'@' if field.endswith('time') else ''}{value}")
    commands = folder / "commands"
    commands.write_text("\n".join(script) + "\n")
    said = run(["debugfs", "-w", "-f", commands, image], environment)
    # It ends with status 0 whatever happened; but it repeats each command behind a prompt, and what else it says is a fault.
    faults = [text for text in said.splitlines() if not text.startswith(("debugfs", "Allocated inode"))]
    if faults:
        raise DiskError(f"debugfs: {faults[0]}")


def run(line, environment):
    """Runs a tool; gives back what it said."""
    try:
        done = subprocess.run(
            [str(word) for word in line], env=environment, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise DiskError(f"no {line[0]} here; it is in the package e2fsprogs") from error
    if done.returncode:
        raise DiskError(f"{line[0]}: {done.stdout.strip()}")
    return done.stdout


def boot_record(size):
    """The first sector: one partition, of so many bytes, and no code."""
    # Cylinders, heads and sectors as "beyond them": all that counts is the sector's number.
    beyond = b"\xfe\xff\xff"
    entry = struct.pack("<B3sB3sII", 0, beyond, LINUX, beyond, PARTITION // SECTOR, size // SECTOR)
    return bytes(440) + struct.pack("<IH", SIGNATURE, 0) + entry + bytes(48) + b"\x55\xaa"
