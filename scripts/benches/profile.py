"""Instructions counted by function, from the plugin in profile.c."""

import bisect
import collections
import os
import struct
import time

from .plugin import built

XEN = range(0xFFFF82D000000000, 0xFFFF830000000000)
# Linked at 1 GiB (kernel/src/pv/layout.rs).
HALFPAGE = range(0x40000000, 0x80000000)
KERNEL = range(0xFFFF800000000000, 1 << 64)
CHUNK = 21


class Profiler:
    """The plugin, built, and the way to ask it."""

    def __init__(self, folder):
        self._folder = folder
        self._plugin = built("profile", folder)
        self._orders, self._out = folder / "orders", folder / "counts"
        self._done = folder / "counts.done"
        self._orders.unlink(missing_ok=True)
        os.mkfifo(self._orders)

    def arguments(self):
        """QEMU's words for it."""
        return ["-plugin", f"{self._plugin},orders={self._orders},out={self._out}"]

    def take(self):
        """(address, place, instructions, executions) of all that ran since the last time."""
        self._done.unlink(missing_ok=True)
        with open(self._orders, "wb") as orders:
            orders.write(b"d")
        while not self._done.exists():
            time.sleep(0.05)
        return list(struct.iter_unpack("<4Q", self._done.read_bytes()))


class Symbols:
    """Whose an address is, and in which function."""

    def __init__(self):
        self._tables = {"xen": Table(), "dom0": Table(), "halfpage": Table()}
        # Chunks of the host's memory in which dom0's kernel lies.
        self._places = set()

    def dom0(self, listing):
        """Takes dom0's /proc/kallsyms."""
        self._tables["dom0"] = Table(listing)

    def xen(self, listing):
        """Takes nm's listing of Xen."""
        self._tables["xen"] = Table(listing)

    def halfpage(self, listing):
        """Takes nm's listing of halfpage."""
        self._tables["halfpage"] = Table(listing)

    def learn(self, records):
        """What runs before there is a guest is dom0's."""
        self._places |= {place >> CHUNK for address, place, _, _ in records if address not in XEN}

    def profile(self, records):
        """Instructions by owner and function."""
        profile = Profile()
        for address, place, instructions, executions in records:
            owner, table = self._owner(address, place >> CHUNK in self._places)
            function, start = self._tables[table].function(address) if table else ("all", None)
            profile.add(owner, function, instructions * executions, executions if address == start else 0)
        return profile

    @staticmethod
    def _owner(address, known):
        """Whose it is, and whose symbols name it."""
        if address in XEN:
            return "xen", "xen"
        if address in HALFPAGE:
            return "halfpage", "halfpage"
        whose = "dom0" if known else "guest"
        # The guest's kernel is dom0's; modules may lie elsewhere in it.
        return (whose, "dom0") if address in KERNEL else (f"{whose}'s programs", None)


class Table:
    """The functions of a program, by address."""

    def __init__(self, listing=""):
        words = (line.split(maxsplit=2) for line in listing.splitlines())
        found = sorted((int(w[0], 16), w[2].replace("\t", " ")) for w in words if len(w) == 3 and w[1] in "tTwW")
        self._starts = [start for start, _ in found]
        self._names = [name for _, name in found]

    def function(self, address):
        """The function that an address lies in, and where it starts."""
        index = bisect.bisect_right(self._starts, address) - 1
        return (self._names[index], self._starts[index]) if index >= 0 else (f"{address:#x}", address)


class Profile:
    """Instructions and calls by owner and function."""

    def __init__(self):
        self._counts = collections.defaultdict(collections.Counter)
        self._calls = collections.Counter()

    def add(self, owner, function, instructions, calls):
        """Counts some."""
        self._counts[owner][function] += instructions
        self._calls[owner, function] += calls

    def text(self, requests, lines):
        """The functions that took the most: instructions and calls for a request."""
        told = []
        for owner, counts in sorted(self._counts.items(), key=lambda item: -item[1].total()):
            told.append(f"{counts.total() / requests:12,.0f} {owner}")
            for function, count in counts.most_common(lines):
                calls = self._calls[owner, function] / requests
                told.append(f"{count / requests:16,.1f} {calls:10,.3f} {function}")
        return "\n".join(told)
