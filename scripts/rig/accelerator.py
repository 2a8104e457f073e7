"""Whether hardware virtualisation boots Xen here: some machines have a /dev/kvm that opens and cannot."""

import os

from .machine import Machine, MachineError
from .place import RIG


class Accelerator:
    """What runs the machine's instructions."""

    def __init__(self, name, arguments):
        self.name = name
        self.arguments = arguments

    def with_cpu(self, features):
        """The same with features of the processor added or, as -erms, taken."""
        added = [f"{word},{features}" if features and word.startswith("max,") else word for word in self.arguments]
        return Accelerator(self.name, added)

    def with_arguments(self, arguments):
        """The same with further words for QEMU."""
        return Accelerator(self.name, [*self.arguments, *arguments])


SOFTWARE = Accelerator("software emulation (TCG)", ("-accel", "tcg,thread=multi", "-cpu", "max,-smap", "-smp", "2"))
HARDWARE = Accelerator("KVM", ("-accel", "kvm", "-cpu", "host,-smap", "-smp", "2"))

TRIAL_SECONDS = 30

# One virtual microsecond is a thousand instructions, whatever the load of the host.
COUNTED = Accelerator(
    "counted instructions",
    ("-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-cpu", "max,-smap", "-smp", "1"),
)


def accelerator(dom0):
    """The fastest that boots Xen here: RIG_ACCELERATOR=tcg or kvm, or what a trial found and build/ remembers."""
    chosen = os.environ.get("RIG_ACCELERATOR") or remembered(dom0)
    return HARDWARE if chosen == "kvm" else SOFTWARE


def remembered(dom0):
    """ "kvm" or "tcg"."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    note = RIG / f"accelerator-{os.stat('/dev/kvm').st_ctime_ns}"
    if not note.exists():
        note.write_text("kvm" if boots(dom0) else "tcg")
    return note.read_text()


def boots(dom0):
    """Whether KVM brings dom0 up, in a bounded time."""
    try:
        with Machine(dom0, HARDWARE, RIG / "trial", boot_seconds=TRIAL_SECONDS):
            return True
    except MachineError:
        return False
