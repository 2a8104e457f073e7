"""What shares a page with a section, on images made by hand."""

import struct
import unittest

from rig.elf import Elf, strangers

SITE = 0x40002000


def image(*sections, flags=4, spoil=None):
    """An ELF with these allocated sections (name, address, bytes), all in one segment from 0x40000000 on."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name, *_ in sections) + b".shstrtab\0"
    memory = bytearray(0x6000)
    for _, address, content in sections:
        memory[address - 0x40000000 : address - 0x40000000 + len(content)] = content
    if spoil:
        memory[spoil - 0x40000000] = 7
    header, segment, each = 64, 56, 64
    content = header + segment
    strings = content + len(memory)
    table = strings + len(names)
    elf = b"\x7fELF\x02\x01\x01" + bytes(9)
    elf += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, header, table, 0, 64, segment, 1, each, len(sections) + 2,
                       len(sections) + 1)  # fmt: skip
    elf += struct.pack("<IIQQQQQQ", 1, flags, content, 0x40000000, 0, len(memory), len(memory), 4096)
    elf += bytes(memory) + names + bytes(each)
    for name, address, data in sections:
        place = content + address - 0x40000000
        elf += struct.pack("<IIQQQQIIQQ", names.index(name.encode()), 1, 2, address, place, len(data), 0, 0, 1, 0)
    return elf + struct.pack("<IIQQQQIIQQ", names.index(b".shstrtab"), 3, 0, 0, strings, len(names), 0, 0, 1, 0)


class Strangers(unittest.TestCase):
    """A page is all its section's, or it is told what else is there."""

    def alone(self, *sections, **more):
        """What there is beside a site of 5,000 bytes."""
        return strangers(Elf(image((".site", SITE, b"s" * 5000), *sections, **more)), ".site")

    def test_neighbours_on_pages_of_their_own(self):
        self.assertEqual(self.alone((".rodata", SITE - 4096, b"r" * 4096), (".data", SITE + 8192, b"d" * 10)), [])

    def test_a_section_before_it_in_its_page(self):
        found = strangers(Elf(image((".rodata", SITE, b"r" * 32), (".site", SITE + 32, b"s" * 100))), ".site")
        self.assertEqual(found, [".site begins 32 bytes into its page", ".rodata at 0x40002000"])

    def test_a_section_that_reaches_into_its_page(self):
        self.assertEqual(len(self.alone((".rodata", SITE - 100, b"r" * 101))), 1)

    def test_a_section_behind_it_in_its_last_page(self):
        found = self.alone((".rodata", SITE + 5008, b"\0" * 8))
        self.assertEqual(found, [".rodata at 0x40003390"])

    def test_bytes_of_no_section_behind_it(self):
        self.assertEqual(self.alone(spoil=SITE + 8191), ["bytes behind .site, from 0x40003388 on"])

    def test_pages_that_are_written_or_executed(self):
        for flags in (5, 6, 7):
            self.assertEqual(self.alone(flags=flags), ["a segment that is not only read, at 0x40000000"])

    def test_no_such_section(self):
        with self.assertRaises(ValueError):
            strangers(Elf(image((".data", SITE, b"d"))), ".site")


if __name__ == "__main__":
    unittest.main()
