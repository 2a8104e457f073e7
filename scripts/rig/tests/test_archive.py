"""The cpio archive, against bytes typed by hand."""

import io
import unittest

from rig.archive import Archive


class NewcArchive(unittest.TestCase):
    """The format of the kernel's Documentation/driver-api/early-userspace/buffer-format."""

    def test_file_in_a_folder(self):
        out = io.BytesIO()
        archive = Archive(out)
        archive.file("d/f", b"hello", 0o755)
        archive.close()
        folder = (
            b"070701"
            + b"00000001"
            + b"000041ED"
            + b"0" * 16
            + b"00000001"
            + b"0" * 48
            + b"00000002"
            + b"0" * 8
            + b"d\0"
        )
        file = (
            b"070701"
            + b"00000002"
            + b"000081ED"
            + b"0" * 16
            + b"00000001"
            + b"0" * 8
            + b"00000005"
            + b"0" * 32
            + b"00000004"
            + b"0" * 8
            + b"d/f\0"
        )
        end = b"070701" + b"00000003" + b"0" * 24 + b"00000001" + b"0" * 48 + b"0000000B" + b"0" * 8 + b"TRAILER!!!\0"
        padded = b"".join(part + b"\0" * (-len(part) % 4) for part in (folder, file, b"hello", end))
        self.assertEqual(out.getvalue(), padded)
