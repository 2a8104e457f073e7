"""The figures of a run on Xen: medians, ratios, and the bounds that they are held to."""

import statistics

from .guests import HALFPAGE, LINUX_PV, LINUX_PVH

# At 16 connections, against Linux PV: CPU of the guest, and instructions of guest and dom0, at most these shares.
CONNECTIONS = 16
GUEST_SHARE = 1 / 8
SUM_SHARE = 2 / 3
# Against Linux PVH, for this size.
LARGE = "1M"


class Figures:
    """What was measured so far. Instructions are thousands."""

    def __init__(self, options):
        self.options = options
        self._served = {}

    def served(self, guest, size, connections, result):
        """Takes one measurement by wrk."""
        self._served.setdefault((size, connections, guest), []).append(result)

    def guest_cost(self, size, connections, guest):
        """Thousand instructions of the guest for a request, its hypercalls included."""
        return self._median(size, connections, guest, lambda result: result["guest"])

    def sum_cost(self, size, connections, guest):
        """Thousand instructions of guest and dom0 for a request."""
        return self._median(size, connections, guest, lambda result: result["guest"] + result["dom0"])

    def _median(self, size, connections, guest, part):
        results = self._served.get((size, connections, guest))
        return results and statistics.median(part(result) / result["requests"] / 1e3 for result in results)

    def raw(self):
        """All of it, for other programs."""
        return [
            dict(size=size, connections=connections, guest=guest, rounds=rounds)
            for (size, connections, guest), rounds in self._served.items()
        ]

    def text(self):
        """The tables and what became of the bounds."""
        lines = [
            f"halfpage and Linux with nginx on Xen 4.17, in turn, medians of {self.options.rounds} rounds of "
            f"{self.options.seconds} s of 1,000 million instructions; thousand instructions for a request",
            "",
            *self._table("guest, its hypercalls included", self.guest_cost),
            "",
            *self._table("guest and dom0, wrk included", self.sum_cost),
            "",
            *self._errors(),
            *(self.missed() or ["every bound holds"]),
        ]
        return "\n".join(lines) + "\n"

    def _table(self, title, cost):
        guests = self.options.guests
        others = [guest for guest in guests if guest != HALFPAGE and HALFPAGE in guests]
        head = f"{'size':>4} {'conns':>5}" + "".join(f"{guest:>11}" for guest in guests)
        lines = [title, head + "".join(f"{'of ' + other:>14}" for other in others)]
        for size in self.options.sizes:
            for connections in self.options.connections:
                costs = {guest: cost(size, connections, guest) for guest in guests}
                line = f"{size:>4} {connections:>5}" + "".join(f"{costs[guest]:>11,.1f}" for guest in guests)
                lines.append(line + "".join(f"{costs[HALFPAGE] / costs[other]:>14.3f}" for other in others))
        return lines

    def _errors(self):
        found = {
            f"{guest}, {size} at {connections}: {result['errors']}"
            for (size, connections, guest), results in self._served.items()
            for result in results
            if result["errors"]
        }
        return sorted(found)

    def missed(self):
        """The bounds that do not hold."""
        lines = []
        for size in self.options.sizes:
            lines += self._over(self.guest_cost, "guest CPU", size, LINUX_PV, GUEST_SHARE)
            lines += self._over(self.sum_cost, "guest and dom0", size, LINUX_PV, SUM_SHARE)
        lines += self._over(self.guest_cost, "guest CPU", LARGE, LINUX_PVH, 1)
        lines += self._over(self.sum_cost, "guest and dom0", LARGE, LINUX_PVH, 1)
        return lines

    def _over(self, cost, what, size, other, share):
        ours, theirs = (cost(size, CONNECTIONS, guest) for guest in (HALFPAGE, other))
        if not ours or not theirs or ours <= theirs * share:
            return []
        return [f"missed: {what} for {size}: {ours / theirs:.3f} of {other}'s, at most {share:.3f}"]
