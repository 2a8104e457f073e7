"""Each protection has an image that breaks it: it must crash there, and be told so.

The image first does the nearest thing that is permitted, and prints where. The report's rip and fault
address are compared with the symbols of the image, not with what the image says of itself.
"""

import random
import re
import subprocess

from ..checks import require
from ..domain import described
from ..place import REPOSITORY
from . import flight

NAMES = ("text", "data", "null", "stack", "panic")
TARGET = "x86_64-unknown-linux-gnu"
SECONDS = 30

FAULT = re.compile(r"CRASH: page fault: (\w+) at fault address 0x([0-9a-f]+) .*\n  rip 0x([0-9a-f]+) ")
BY_XEN = re.compile(
    r"Domain (\d+) \(vcpu#0\) crashed on cpu.*?RIP: +e033:\[<([0-9a-f]+)>\].*?rsp: ([0-9a-f]+).*?cr2: ([0-9a-f]+)",
    re.DOTALL,
)


def images():
    """Builds them; gives back the folder they are in."""
    line = ["cargo", "build", "-q", "--release", "--config", "kernel/cargo.toml", "-p", "halfpage"]
    line += ["--features", "protect", "--target", TARGET, "--target-dir", "target"]
    for name in ("check-memory", "protect-watchdog", *(f"protect-{name}" for name in NAMES)):
        line += ["--bin", name]
    subprocess.run(line, cwd=REPOSITORY, check=True)
    return REPOSITORY / "target" / TARGET / "release"


def symbols(image):
    """{name: address} of an image."""
    listing = subprocess.run(["nm", image], capture_output=True, text=True, check=True).stdout
    fields = (line.split() for line in listing.splitlines())
    return {name: int(address, 16) for address, _, name in (f for f in fields if len(f) == 3)}


def all_hold(stage):
    """Boots each image."""
    with stage.check("the images that break the protections build"):
        folder = images()
    with stage.check("page tables, pages, heap and copy functions, from inside"):
        ramdisk = stage.folder / "ramdisk-of-5000-bytes"
        ramdisk.write_bytes(random.Random(3).randbytes(5000))
        domain = described(stage.machine, "check-memory", folder / "check-memory", ramdisk=ramdisk)
        domain.create()
        domain.expect("check-memory: ok", SECONDS)
        # Xen 4.14's domain builder says how many pages it takes, in bytes.
        length, behind = (8192, 0) if stage.machine.dom0.suite.xen == "4.14" else (5000, 3192)
        said = f"module of {length} bytes, {behind} behind it cleared, 100..{length - 1} wiped"
        require(said in domain.console(), "it found no module")
    hangs(stage, folder / "protect-watchdog")
    for name in NAMES:
        with stage.check(f"protection: {name}"):
            domain = described(
                stage.machine, f"protect-{name}", folder / f"protect-{name}", more=['on_crash="preserve"']
            )
            stage.machine.check("xl dmesg -c >/dev/null")
            domain.create()
            try:
                judge(name, domain, crashed(stage, domain), symbols(folder / f"protect-{name}"))
            finally:
                stage.machine.run(f"xl destroy {domain.name}")


def hangs(stage, image):
    """Xen ends an image that hangs, but neither one that feeds its watchdog nor one that waits for the store."""
    with stage.check("protection: watchdog, also while the store is slow"):
        domain = described(stage.machine, "protect-watchdog", image, more=['on_watchdog="destroy"'])
        domain.create()
        number = stage.machine.check(f"xl domid {domain.name}").strip()
        try:
            domain.expect("; stop the store now", SECONDS)
            # Longer than its time-out of 3 s, and than the 4 s that it takes for long.
            stage.machine.check("kill -STOP $(pidof xenstored); sleep 6; kill -CONT $(pidof xenstored)")
            domain.expect("; now hanging", SECONDS)
            gone = f"for n in $(seq {SECONDS * 5}); do xl domid {domain.name} || exit 0; sleep 0.2; done; exit 1"
            require(stage.machine.run(gone, SECONDS * 4).status == 0, "it hangs on")
            log = stage.machine.check(f"cat /var/log/xen/xl-{domain.name}.log*")
            # SHUTDOWN_watchdog.
            require(f"Domain {number} has shut down, reason code 4 " in log, f"xl says: {log[-500:]}")
        finally:
            stage.machine.run(f"xl destroy {domain.name}")


def crashed(stage, domain):
    """Waits for the crash; gives back its number and what Xen said meanwhile."""
    number = stage.machine.check(f"xl domid {domain.name}").strip()
    waiting = (
        f"for n in $(seq {SECONDS * 5}); do xl list {number} | grep -q ' [-a-z]*c- ' && exit; sleep 0.2; done; exit 1"
    )
    require(stage.machine.run(waiting, SECONDS * 4).status == 0, f"no crash; it said: {domain.console()}")
    return number, stage.machine.check("xl dmesg")


def last_frames(domain):
    """Of 201 frames all that are kept follow the report."""
    domain.expect(r"the domain crashes now\n(?s:.*)flight: end\n", SECONDS)
    frames = list(flight.frames(domain.console()))
    require([frame.number for frame in frames] == list(range(201 - 128, 201)), f"{len(frames)} frames")
    require(frames[-2].bytes == bytes([199]) * 100 and frames[-1].bytes == b"\xee" * 50 + b"the last one", "other bytes")


def judge(name, domain, crash, known):
    """Compares the report with what had to happen."""
    number, xen = crash
    said = domain.console()
    neighbour = re.search(rf"protect-{name}: .*; now ", said)
    require(neighbour, f"the permitted access is not there: {said}")
    require("was there" not in said, f"it went on: {said}")
    if name != "stack":
        report = said[said.find("CRASH: ") :]
        lines = re.findall(r"^  \| (.*)$", report[report.find("the last lines:") :], re.MULTILINE)
        require(lines and neighbour[0] in lines[-1], f"the report does not end with the last lines of the log: {said}")
    if name == "panic":
        require("CRASH: panic at kernel/src/protect/panic.rs:" in said, f"no report: {said}")
        require("index out of bounds: the len is 2 but the index is 2" in said, f"another panic: {said}")
        last_frames(domain)
        return
    if name == "stack":
        report = BY_XEN.search(xen)
        require(report and report[1] == number, f"Xen says nothing of it: {xen[-2000:]}")
        found = [int(value, 16) for value in report.groups()[1:]]
        wanted = [known["protect_forbidden"], known["_stack"], known["_stack"] - 8]
    else:
        report = FAULT.search(said)
        require(report, f"no report: {said}")
        found = [report[1], int(report[3], 16), int(report[2], 16)]
        wanted = {
            "text": ["write", known["protect_forbidden"], known["_text"]],
            "data": ["execution", known["protect_forbidden"], known["protect_forbidden"]],
            "null": ["read", known["protect_forbidden"], 8],
        }[name]
    require(found == wanted, f"found {found}, wanted {wanted}")
