"""Writing a cpio archive in the "newc" format, which the kernel unpacks as its first root.

Written here because the cpio tool needs root to make device nodes and cannot rename what it packs.
"""

import stat

HEADER = "070701" + "%08X" * 13


class Archive:
    """A cpio archive being written to an open binary file. Every entry belongs to root."""

    def __init__(self, out):
        self._out = out
        self._inode = 0
        self._folders = {""}

    def folder(self, name):
        """A directory and those above it."""
        if name not in self._folders:
            self.parents(name)
            self._folders.add(name)
            self._entry(name, stat.S_IFDIR | 0o755)

    def parents(self, name):
        """The directories above a name."""
        self.folder(name.rpartition("/")[0])

    def file(self, name, content, mode=0o644):
        """A plain file."""
        self.parents(name)
        self._entry(name, stat.S_IFREG | mode, content)

    def link(self, name, target):
        """A symbolic link."""
        self.parents(name)
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def device(self, name, major, minor):
        """A character device."""
        self.parents(name)
        self._entry(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def close(self):
        """Writes the trailer."""
        self._entry("TRAILER!!!", 0)

    def _entry(self, name, mode, content=b"", device=(0, 0)):
        self._inode += 1
        path = name.encode() + b"\0"
        head = HEADER % (
            self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(path), 0,
        )  # fmt: skip
        for part in (head.encode() + path, content):
            self._out.write(part + b"\0" * (-len(part) % 4))
