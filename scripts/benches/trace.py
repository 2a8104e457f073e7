"""How often a guest calls Xen and is woken while it serves, by Xen's own trace (xen/trace.h)."""

import collections
import struct

SWITCH = 0x0002800A
HYPERCALL = 0x0020100D
VMEXIT = 0x00081002
FLAG_64 = 0x400
LOST = 0x0001F001
MASK = 0x002AF000

# __HYPERVISOR_* (xen.h), as far as a guest that serves makes them.
NAMES = {
    1: "mmu_update", 3: "stack_switch", 5: "fpu_taskswitch", 12: "memory_op", 13: "multicall",
    14: "update_va_mapping", 15: "set_timer_op", 17: "xen_version", 18: "console_io", 20: "grant_table_op",
    23: "iret", 24: "vcpu_op", 25: "set_segment_base", 26: "mmuext_op", 29: "sched_op", 32: "event_channel_op",
}  # fmt: skip

SCRIPT = """
xentrace -D -S 4096 -e {mask:#x} /tmp/trace >/dev/null &
sleep 0.1
wrk -t1 -c{connections} -d{seconds}s --timeout 10s http://{address}:80/{path}
kill -INT $!
wait
cp /tmp/trace /rig/trace
"""


def script(guest, path, connections, seconds):
    """What traces a measurement, in dom0; it leaves /rig/trace."""
    return SCRIPT.format(mask=MASK, address=guest.address, path=path, connections=connections, seconds=seconds)


def read(data, domain):
    """Counts of a trace for a domain: its hypercalls by name, "exit" where it is no PV guest, and "wake"."""
    counts, running, at = collections.Counter(), None, 0
    while at + 4 <= len(data):
        (head,) = struct.unpack_from("<I", data, at)
        event, extra = head & 0x0FFFFFFF, head >> 28 & 7
        at += 12 if head >> 31 else 4
        words = struct.unpack_from(f"<{extra}I", data, at)
        at += 4 * extra
        if event == SWITCH:
            running = words[2]
            counts["wake"] += running == domain
        elif event == LOST:
            counts["lost"] += words[0]
        elif running == domain and event == HYPERCALL:
            number = words[0] & 0xFFFFF
            counts[NAMES.get(number, f"hypercall {number}")] += 1
        elif running == domain and event & ~FLAG_64 == VMEXIT:
            counts["exit"] += 1
    return counts
