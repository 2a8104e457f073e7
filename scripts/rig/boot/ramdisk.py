"""Sites in the ramdisk: plain tars of every kind take the embedded site's place, and what is none is refused in a line."""

import gzip
import lzma
import re
import tarfile

from ..checks import require
from . import pvgrub, saving, web
from .client import get
from .counting import REQUESTS, fetched, told

MEMORY = 16
BIG = "big.bin"
# Of a file that the image's site has not.
SECRET = "only-in-the-ramdisk.txt"
SECONDS = 30
REFUSED = r"\] ERROR ramdisk: ({}); the site of the image is served instead\n"
FROM = "INFO  site: {} pages, .* KiB, from the {}\n"


def tar(site, path, kind=tarfile.GNU_FORMAT):
    """A plain tar of a folder."""
    (site / SECRET).write_text("found\n")
    with tarfile.open(path, "w", format=kind) as archive:
        archive.add(site, arcname=".")
    return path


def start(stage, config, path, memory=MEMORY):
    """Starts a guest with a ramdisk."""
    inside = stage.machine.send(path, "site.tar")
    stage.boot(config, f"memory={memory}", f'ramdisk="{inside}"')


def served(stage, config, site):
    """A sound one."""
    with stage.check("ramdisk: a plain tar takes the embedded site's place"):
        path = tar(site, stage.folder / "site.tar")
        start(stage, config, path)
        require(re.search(FROM.format(len(list(web.served(site))), "ramdisk"), stage.domain.said()), "it is not said")
        require(stage.store("data/site") == "ramdisk", f"the store says {stage.store('data/site')}")
    if not stage.address:
        return
    web.every_file(stage, site)
    web.hidden(stage, site)
    with stage.check("ramdisk: its large file goes out by reference"):
        length = (site / BIG).stat().st_size
        moved, _ = fetched(stage, f"/{BIG}", length)
        # Its bodies begin where they like, so that more of a packet's ends are too short for a slot of their own.
        print("figure", told("1 MiB of a plain tar", moved), flush=True)
        require(moved["net_tx_payload_referenced"] > REQUESTS * length // 10 * 9, f"it counted {moved}")
        require(moved["loop_network_allocations"] == 0, f"{moved['loop_network_allocations']} blocks")
    with stage.check("ramdisk: saved and restored, it is served as before"):
        saving.save(stage)
        saving.restore(stage)
        stage.domain.expect(r"\] INFO  suspend: Restored\n", SECONDS)
        require(get(stage.address, f"/{BIG}")[2] == (site / BIG).read_bytes(), f"{BIG} differs")
        require(get(stage.address, f"/{SECRET}")[2] == b"found\n", f"{SECRET} differs")
        require(stage.store("data/site") == "ramdisk", f"the store says {stage.store('data/site')}")
    with stage.check("ramdisk: xl shutdown -w ends it"):
        reason = stage.shutdown()
        require(reason == 0, f"shutdown's reason is {reason}")
    stage.destroy()


def broken(path):
    """{what: (bytes of a broken ramdisk, what the guest says of it)}"""
    sound = path.read_bytes()
    with tarfile.open(path) as archive:
        members = archive.getmembers()
    middle = members[len(members) // 2].offset
    last = max(members, key=lambda member: member.size)
    flipped = bytearray(sound)
    flipped[middle] ^= 1
    return {
        "a wrong byte in a header": (bytes(flipped), f"byte {middle}: the header's checksum is wrong"),
        "a tar that is cut off": (sound[: last.offset_data + 1000], f"byte {last.offset}: the tar is cut off"),
        "a tar that xz has packed": (lzma.compress(sound, preset=0), "it is packed by xz, .*"),
    }


def refused(stage, config, content, site):
    """What is no plain tar."""
    path = tar(site, stage.folder / "site.tar")
    bad = stage.folder / "bad.tar"
    for what, (content_of_it, reason) in broken(path).items():
        with stage.check(f"ramdisk: {what} is refused in one line, and the embedded site is served"):
            bad.write_bytes(content_of_it)
            start(stage, config, bad)
            said = re.findall(REFUSED.format(reason), stage.domain.said())
            require(len(said) == 1, f"it says {stage.domain.said()}")
            require(stage.domain.said().count("] ERROR") == 1, "it says more than that")
            require(get(stage.address, "/")[2] == (content / "index.html").read_bytes(), "another page")
            require(get(stage.address, f"/{SECRET}")[0] == 404, "the ramdisk is served")
            told = f"image, the ramdisk is refused: {said[0]}"
            require(stage.store("data/site") == told, f"the store says {stage.store('data/site')}")
        stage.destroy()
    with stage.check("ramdisk: one that gzip has packed is unpacked by Xen's domain builder, or refused in one line"):
        bad.write_bytes(gzip.compress(path.read_bytes(), 1))
        start(stage, config, bad)
        if stage.machine.dom0.suite.xen == "4.20":
            # Its domain builder leaves a ramdisk as it is.
            said = re.findall(REFUSED.format("it is packed by gzip, .*"), stage.domain.said())
            require(len(said) == 1, f"it says {stage.domain.said()}")
        else:
            require(get(stage.address, f"/{SECRET}")[2] == b"found\n", "another answer")
    stage.destroy()


def crowded(stage, config, site):
    """A domain that is hardly larger than its ramdisk."""
    with stage.check("ramdisk: one that leaves too little memory is refused, with the memory that it takes"):
        path = tar(site, stage.folder / "site.tar")
        with open(path, "r+b") as large:
            # As much as makes its domain too small by itself; behind a tar's end anything may follow.
            large.truncate((MEMORY << 20) - (MEMORY << 20) // 6)
        start(stage, config, path)
        said = re.search(REFUSED.format(r"it leaves too little memory: .* memory=(\d+) at least"), stage.domain.said())
        require(said, f"it says {stage.domain.said()}")
        enough = int(said[2])
        require(MEMORY < enough <= MEMORY + 4, f"it wants {enough} MiB")
    stage.destroy()
    with stage.check("ramdisk: with that much it is served"):
        start(stage, config, path, enough)
        require(stage.store("data/site") == "ramdisk", f"the store says {stage.store('data/site')}")
        require(get(stage.address, f"/{BIG}")[2] == (site / BIG).read_bytes(), f"{BIG} differs")
    stage.destroy()


def after_grub(stage, site):
    """A boot loader's."""
    with stage.check("ramdisk: PV GRUB's initrd line gives one"):
        pvgrub.start(stage, tar(site, stage.folder / "site.tar"))
        require(get(stage.address, f"/{SECRET}")[2] == b"found\n", "another answer")
        require(stage.store("data/site") == "ramdisk", f"the store says {stage.store('data/site')}")
    pvgrub.end(stage)
