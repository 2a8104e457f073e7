"""What shares a page with what in an ELF image (ELF-64, little-endian)."""

import struct
from collections import namedtuple

PAGE = 4096
SHF_ALLOC = 2
SHT_NULL, SHT_NOBITS = 0, 8
PT_LOAD = 1

Section = namedtuple("Section", "name kind flags address offset size")
Segment = namedtuple("Segment", "kind flags offset address filed size")


class Elf:
    """The sections and segments of an image."""

    def __init__(self, data):
        if data[:6] != b"\x7fELF\x02\x01":
            raise ValueError("not an ELF-64 image, little-endian")
        self.data = data
        segments, sections = struct.unpack_from("<QQ", data, 32)
        each_segment, segment_count, each_section, section_count, names = struct.unpack_from("<5H", data, 54)
        self.segments = [self._segment(segments + n * each_segment) for n in range(segment_count)]
        raw = [struct.unpack_from("<IIQQQQ", data, sections + n * each_section) for n in range(section_count)]
        strings = raw[names][4]
        self.sections = [Section(self._text(strings + name), *rest) for name, *rest in raw]

    def _segment(self, place):
        kind, flags, offset, address, _, filed, size = struct.unpack_from("<IIQQQQQ", self.data, place)
        return Segment(kind, flags, offset, address, filed, size)

    def _text(self, place):
        return self.data[place : self.data.index(b"\0", place)].decode()

    def section(self, name):
        """The one section of that name."""
        (found,) = [section for section in self.sections if section.name == name]
        return found

    def bytes_at(self, first, end):
        """What the file puts at these addresses: bytes, and 0 where it puts nothing."""
        memory = bytearray(end - first)
        for segment in self.segments:
            if segment.kind == PT_LOAD:
                start, stop = max(first, segment.address), min(end, segment.address + segment.filed)
                if start < stop:
                    place = segment.offset + start - segment.address
                    memory[start - first : stop - first] = self.data[place : place + stop - start]
        return bytes(memory)


def strangers(elf, name):
    """What else lies in the pages of a section, in words; nothing where it has them to itself."""
    own = elf.section(name)
    first, end = own.address // PAGE * PAGE, -(-(own.address + own.size) // PAGE) * PAGE
    found = []
    if own.address != first:
        found.append(f"{name} begins {own.address - first} bytes into its page")
    for section in elf.sections:
        there = section.flags & SHF_ALLOC and section.size and section.kind != SHT_NULL
        if there and section is not own and section.address < end and first < section.address + section.size:
            found.append(f"{section.name} at {section.address:#x}")
    behind = own.address + own.size
    if any(elf.bytes_at(behind, end)):
        found.append(f"bytes behind {name}, from {behind:#x} on")
    for segment in elf.segments:
        if segment.kind == PT_LOAD and segment.address < end and first < segment.address + segment.size:
            if segment.flags != 4:
                found.append(f"a segment that is not only read, at {segment.address:#x}")
    return found
