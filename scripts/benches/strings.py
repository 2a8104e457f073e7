"""How many steps of the counted clock are further rounds of string instructions, from the plugin in strings.c."""

from rig.machine import MachineError

from .plugin import built


class Strings:
    """The plugin, built, and what it wrote."""

    owners = ("dom0", "guest", "xen")

    def __init__(self, folder):
        self._plugin, self._out = built("strings", folder), folder / "strings"

    def arguments(self):
        """QEMU's words for it."""
        return ["-plugin", f"{self._plugin},out={self._out}"]

    def between_marks(self):
        """Further steps of each owner between the last two marks."""
        lines = [[int(word) for word in line.split()] for line in self._out.read_text().splitlines()]
        if len(lines) < 2:
            raise MachineError(f"{len(lines)} marks in {self._out}")
        return {owner: after - before for owner, before, after in zip(self.owners, *lines[-2:])}
