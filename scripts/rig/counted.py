"""The counters of the sources, with their descriptions: build/counters.txt."""

import re
import subprocess

from .place import REPOSITORY

BLOCK = re.compile(r"\bcounters! \{\n(.*?)\n    \}\n(?:\}|    )", re.DOTALL)
STRUCT = re.compile(r'pub(?:\([a-z]+\))? struct \w+(?:: "(\w+)")? \{')
# Those of kernel/src/pv/calls.rs, which are statics.
STATIC = re.compile(r"/// ([^\n]*)\npub\(super\) static (\w+): Calls")
NAMED = re.compile(r'\("(\w+)", &(\w+)\)')
FIELD = re.compile(r"((?:\s*///[^\n]*\n)+)\s*(?:pub )?(\w+),")


def of(text):
    """(name, description) of the counters that a source file makes."""
    found = []
    for block in BLOCK.finditer(text):
        struct = STRUCT.search(block[1])
        if not struct:
            continue
        for lines, field in FIELD.findall(block[1][struct.end() :] + "\n"):
            words = " ".join(line.strip().removeprefix("///").strip() for line in lines.strip().splitlines())
            found.append((f"{struct[1]}_{field}" if struct[1] else field, words))
    about = {static: words for words, static in STATIC.findall(text)}
    return found + [(name, about[static]) for name, static in NAMED.findall(text) if static in about]


def table():
    """The lines of the table: each counter of the kernel and what is in it, by name."""
    listing = subprocess.run(
        ["git", "ls-files", "kernel/**.rs", "netfront/src/**.rs", "netstack/src/**.rs", "site/src/**.rs"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    found = {}
    for name in listing.splitlines():
        text = (REPOSITORY / name).read_text(encoding="utf-8").partition("#[cfg(test)]")[0]
        # A comment shows examples.
        found.update(of("\n".join(line for line in text.splitlines() if not re.match(r"\s*///\s.*counters!", line))))
    return "".join(f"{name}\t{words}\n" for name, words in sorted(found.items()))
