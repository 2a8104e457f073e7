"""The figures of a run on Xen: medians, ratios, and the bounds that they are held to."""

import math
import statistics

from .guests import HALFPAGE, LINUX_PV, LINUX_PVH
from .plot import svg

# Against Linux PV, at 16 connections: CPU of the guest, and instructions of guest and dom0, at most these shares.
CONNECTIONS = 16
GUEST_SHARE = 1 / 8
SUM_SHARE = 2 / 3
# By the names that they have in the table; the last one also against Linux PVH.
SIZES = ("100", "8K", "1M")
LARGE = "1M"
# `xl create` to the first answer, against Linux PV's.
BOOT_SHARE = 1 / 8
# MiB that are enough, and the share of a processor that idling takes at most.
MEMORY = 8
IDLE = 0.001
# Connections at once, and the MiB that are enough for them.
HELD, HELD_MEMORY = 10_000, 64


class Figures:
    """What was measured so far."""

    def __init__(self, options):
        self.options = options
        self._served = {}
        self._boots = {}
        self._traces = {}
        # Of each guest: least_memory in MiB, image in bytes, idle as a share of a processor.
        self.facts = {}
        self.held = None

    def served(self, guest, size, connections, result):
        """Takes one measurement by wrk."""
        self._served.setdefault((size, connections, guest), []).append(result)

    def booted(self, guest, result):
        """Takes one boot."""
        self._boots.setdefault(guest, []).append(result)

    def traced(self, guest, size, counts):
        """Takes what Xen saw a guest do for a request."""
        self._traces[size, guest] = counts

    def fact(self, name, guest, value):
        """Takes what is measured once."""
        self.facts.setdefault(name, {})[guest] = value

    def guest_time(self, size, connections, guest):
        """Thousand steps of the guest for a request, its hypercalls included: its CPU time."""
        return self._median(size, connections, guest, lambda result: result["guest"] / 1e3)

    def guest_cost(self, size, connections, guest):
        """Thousand instructions of the guest for a request, its hypercalls included."""
        return self._median(size, connections, guest, lambda result: (result["guest"] - result["steps"]["guest"]) / 1e3)

    def sum_time(self, size, connections, guest):
        """Thousand steps of guest and dom0 for a request."""
        return self._median(size, connections, guest, lambda result: (result["guest"] + result["dom0"]) / 1e3)

    def sum_cost(self, size, connections, guest):
        """Thousand instructions of guest and dom0 for a request."""
        spent = lambda result: result["guest"] + result["dom0"] - sum(result["steps"].values())
        return self._median(size, connections, guest, lambda result: spent(result) / 1e3)

    def yields(self, size, connections, guest):
        """Requests for 1,000 million instructions of guest and dom0."""
        cost = self.sum_cost(size, connections, guest)
        return cost and 1e6 / cost

    def events(self, size, connections, guest):
        """How often the guest notifies dom0 for a request."""
        return self._median(size, connections, guest, lambda result: result["events"])

    def _median(self, size, connections, guest, part):
        results = self._served.get((size, connections, guest))
        return results and statistics.median(part(result) / result["requests"] for result in results)

    def boot(self, guest, part):
        """Seconds to the first "answer", or from entry to "listening"."""
        results = self._boots.get(guest)
        return results and statistics.median(result[part] for result in results)

    def raw(self):
        """All of it, for other programs."""
        served = [
            dict(size=size, connections=connections, guest=guest, rounds=rounds)
            for (size, connections, guest), rounds in self._served.items()
        ]
        traces = [dict(size=size, guest=guest, counts=counts) for (size, guest), counts in self._traces.items()]
        return dict(served=served, boots=self._boots, traces=traces, facts=self.facts, held=self.held)

    def take(self, raw):
        """Adds what another run measured, in the form of `raw`."""
        for one in raw["served"]:
            self._served.setdefault((one["size"], one["connections"], one["guest"]), []).extend(one["rounds"])
        for guest, results in raw["boots"].items():
            self._boots.setdefault(guest, []).extend(results)
        for one in raw["traces"]:
            self._traces[one["size"], one["guest"]] = one["counts"]
        for name, values in raw["facts"].items():
            self.facts.setdefault(name, {}).update(values)
        self.held = self.held or raw["held"]

    def text(self):
        """The tables and what became of the bounds."""
        about = (
            "halfpage and Linux with nginx on one Xen, in turn; medians. A second is 1,000 million steps. A step is an "
            "instruction, or one round of a repeated string instruction (rep movsb): that is one instruction of a "
            "processor, which moves 32 bytes or more a cycle."
        )
        lines = [about, "", self._head("", 34)]
        lines += [self._row(label, 34, values) for label, _, values in self._single()]
        if self._served:
            rounds = sorted({len(results) for results in self._served.values()})
            lines += ["", f"rounds of requests: {' or '.join(map(str, rounds))}"]
            for title, cost in (
                ("guest CPU for a request, its hypercalls included: thousand steps", self.guest_time),
                ("the same in thousand instructions", self.guest_cost),
                ("guest and dom0 for a request, wrk included: thousand steps", self.sum_time),
                ("the same in thousand instructions", self.sum_cost),
                ("requests for 1,000 million instructions of guest and dom0", self.yields),
                ("notifications of dom0 for a request", self.events),
            ):
                lines += ["", title, self._head("size conns", 11), *self._cells(cost)]
        for (size, guest), counts in sorted(self._traces.items()):
            told = ", ".join(f"{name} {count:.3f}" for name, count in counts.items())
            lines.append(f"Xen saw for a request of {size}, {guest}: {told}")
        if self.held:
            lines.append(
                f"halfpage with {HELD_MEMORY} MiB: {self.held['open']:,} connections open at once, "
                f"{self.held['requests']:,} requests answered on them"
            )
        lines += ["", *self._errors(), *self.verdicts()]
        return "\n".join(lines) + "\n"

    def plot(self):
        """The same as an SVG."""
        groups = list(self._single())
        for size in self.options.sizes:
            for what, cost in (("guest CPU", self.guest_time), ("guest and dom0", self.sum_cost)):
                values = {guest: cost(size, CONNECTIONS, guest) for guest in self.options.guests}
                groups.append((f"{size} at {CONNECTIONS}: {what}, a request", "k instr.", values))
        return svg("halfpage and Linux with nginx on Xen, counted instructions", groups)

    def _single(self):
        """(label, unit, value of each guest) of what has one value."""
        guests = self.options.guests
        rows = [
            ("xl create to first answer, s", "s", {guest: self.boot(guest, "answer") for guest in guests}),
            ('entry to "listening", s', "s", {guest: self.boot(guest, "listening") for guest in guests}),
            ("least memory= that serves, MiB", "MiB", self.facts.get("least_memory", {})),
            ("image, KiB", "KiB", {g: size / 1024 for g, size in self.facts.get("image", {}).items()}),
            ("CPU when idle, %", "%", {g: share * 100 for g, share in self.facts.get("idle", {}).items()}),
        ]
        return [row for row in rows if any(row[2].values())]

    def _others(self):
        guests = self.options.guests
        return [guest for guest in guests if guest != HALFPAGE and HALFPAGE in guests]

    def _head(self, title, width):
        names = "".join(f"{guest:>12}" for guest in self.options.guests)
        return f"{title:{width}}" + names + "".join(f"{'of ' + other:>14}" for other in self._others())

    def _row(self, label, width, values):
        show = lambda value: "-" if value is None else f"{value:,.1f}" if value >= 100 else f"{value:.3f}"
        line = f"{label:{width}}" + "".join(f"{show(values.get(guest)):>12}" for guest in self.options.guests)
        ours = values.get(HALFPAGE)
        for other in self._others():
            theirs = values.get(other)
            line += f"{ours / theirs:>14.3f}" if ours is not None and theirs else f"{'-':>14}"
        return line

    def _cells(self, cost):
        for size in self.options.sizes:
            for connections in self.options.connections:
                values = {guest: cost(size, connections, guest) for guest in self.options.guests}
                yield self._row(f"{size:>4} {connections:>5}", 11, values)

    def _errors(self):
        """What wrk complained of."""
        found = {
            f"error: {guest}, {size} at {connections}: {result['errors']}"
            for (size, connections, guest), results in self._served.items()
            for result in results
            if result["errors"]
        }
        return sorted(found)

    def bounds(self):
        """Each bound: the part of a run that shows it, what it is about, what was measured (None: nothing), and the
        most that it may be."""
        pv, pvh = f"of {LINUX_PV}'s", f"of {LINUX_PVH}'s"
        for size in SIZES:
            about = f"a request of {size}, {CONNECTIONS} connections"
            yield "serving", f"guest CPU, {about}, {pv}", self._share(self.guest_time, size, LINUX_PV), GUEST_SHARE
            share = self._share(self.guest_cost, size, LINUX_PV)
            yield "serving", f"guest instructions, {about}, {pv}", share, GUEST_SHARE
            share = self._share(self.sum_cost, size, LINUX_PV)
            yield "serving", f"guest and dom0 instructions, {about}, {pv}", share, SUM_SHARE
        about = f"a request of {LARGE}, {CONNECTIONS} connections"
        yield "serving", f"guest CPU, {about}, {pvh}", self._share(self.guest_time, LARGE, LINUX_PVH), 1
        share = self._share(self.sum_cost, LARGE, LINUX_PVH)
        yield "serving", f"guest and dom0 instructions, {about}, {pvh}", share, 1
        ours, theirs = self.boot(HALFPAGE, "answer"), self.boot(LINUX_PV, "answer")
        yield "boots", f"time to the first answer, {pv}", ours and theirs and ours / theirs, BOOT_SHARE
        memory = self.facts.get("least_memory", {})
        yield "memory", "MiB to serve with", (memory[HALFPAGE] or math.inf) if HALFPAGE in memory else None, MEMORY
        # A guest that ran for no nanosecond in a minute was not looked at.
        idle = self.facts.get("idle", {}).get(HALFPAGE) or None
        yield "idle", "share of a processor when idle", idle, IDLE
        held = self.held and (math.inf if self.held["errors"] else HELD - self.held["open"])
        yield "held", f"connections that are missing of {HELD:,} with {HELD_MEMORY} MiB", held, 0

    def verdicts(self):
        """A line for each bound."""
        for part, what, value, limit in self.bounds():
            told = "not measured" if value is None else f"{value:.3g}, {'held' if value <= limit else 'MISSED'}"
            wanted = " (MISSED)" if value is None and part in self.options.parts else ""
            yield f"bound: {what}: at most {limit:.3g}: {told}{wanted}"

    def missed(self):
        """Whether something went wrong, or a bound does not hold that the parts of this run are to show."""
        return bool(self._errors()) or any(
            part in self.options.parts and (value is None or value > limit)
            for part, _, value, limit in self.bounds()
        )

    def _share(self, cost, size, other):
        ours, theirs = (cost(size, CONNECTIONS, guest) for guest in (HALFPAGE, other))
        return ours / theirs if ours and theirs else None
