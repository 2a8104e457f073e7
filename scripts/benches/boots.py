"""Boot times: from `xl create` to the first answer over HTTP, and the guest's own, from its entry to "listening"."""

import re

# Nothing is forked while the guest boots: it would take its CPU. xl itself goes on after it started the guest.
ONCE = """
log=/tmp/console/guest-{name}.log
[ ! -e $log ] || : >$log
mkfifo -m 600 /tmp/never; exec 9<>/tmp/never; rm /tmp/never
began=$EPOCHREALTIME
xl create {config} >/dev/null &
until [ -e $log ] && mapfile -t said <$log && [[ ${{said[*]}} == *"listening on"* ]]; do
    read -rt 0.002 -u 9
    [ $SECONDS -lt 120 ] || exit 1
done
until curl -sf --max-time 5 -o /dev/null http://{address}/100.bin; do [ $SECONDS -lt 120 ] || exit 2; done
ended=$EPOCHREALTIME
wait
echo "$began $ended"
grep "listening on" $log
xl destroy {name}
while xl domid {name} >/dev/null 2>&1; do sleep 0.1; done
"""

# The last line is the guest's own clock and what it says when it listens.
TOLD = re.compile(r"^([0-9.]+) ([0-9.]+)\r?\n.*?\[ *([0-9.]+)\].*listening on", re.MULTILINE)


def once(machine, guest):
    """Boots a guest and ends it: seconds to the first answer, and from entry to "listening"."""
    script = ONCE.format(name=guest.name, config=guest.config, address=guest.address)
    began, ended, own = map(float, TOLD.search(machine.check(script, 1800)).groups())
    return {"answer": ended - began, "listening": own}


def serves(machine, guest, paths):
    """Whether a guest boots and gives each file; it is ended whatever came of it."""
    fetches = " && ".join(f"curl -sf --max-time 20 -o /dev/null http://{guest.address}/{path}" for path in paths)
    script = f"""
xl create {guest.config} >/dev/null 2>&1 || exit 1
until curl -sf --max-time 2 -o /dev/null http://{guest.address}/100.bin; do
    xl domid {guest.name} >/dev/null 2>&1 || exit 2
    [ $SECONDS -lt 30 ] || exit 3
done
{fetches}
"""
    status = machine.run(script, 1800).status
    machine.run(f"xl destroy {guest.name}; while xl domid {guest.name} >/dev/null 2>&1; do sleep 0.1; done", 600)
    return status == 0


def least_memory(guests, name, sizes, paths):
    """The least of `sizes`, which ascend, that a guest serves with; None where it serves with none."""
    low, high = 0, len(sizes)
    while low < high:
        middle = (low + high) // 2
        if serves(guests.machine, guests.describe(name, sizes[middle]), paths):
            high = middle
        else:
            low = middle + 1
    return sizes[low] if low < len(sizes) else None
