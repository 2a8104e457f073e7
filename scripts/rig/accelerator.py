"""Whether hardware virtualisation boots Xen here: some machines have a /dev/kvm that opens and cannot."""

import os


class Accelerator:
    """What runs the machine's instructions."""

    def __init__(self, name, arguments):
        self.name = name
        self.arguments = arguments


SOFTWARE = Accelerator(
    "software emulation (TCG)", ("-accel", "tcg,thread=multi", "-cpu", "max,-smap", "-smp", "2")
)
HARDWARE = Accelerator("KVM", ("-accel", "kvm", "-cpu", "host,-smap", "-smp", "2"))

# One virtual microsecond is a thousand instructions, whatever the load of the host.
COUNTED = Accelerator(
    "counted instructions",
    ("-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-cpu", "max,-smap", "-smp", "1"),
)


def accelerator():
    """Software emulation, unless RIG_ACCELERATOR says otherwise."""
    return {"kvm": HARDWARE, "tcg": SOFTWARE}.get(os.environ.get("RIG_ACCELERATOR", "tcg"), SOFTWARE)
