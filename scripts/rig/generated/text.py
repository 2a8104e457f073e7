"""Text for made-up pages, the same each time."""

import random
from pathlib import Path

WORDS = (
    "page block ring slot grant frame packet segment window timer event port guest domain store console clock"
    " heap stack table entry tag header body range token cache byte word line path name host site post half"
    " quarter whole small large early late sent kept lost found read written shared mapped open closed"
).split()


def pages(count):
    """(name, title, text with links between them) of so many pages."""
    for number in range(count):
        chance = random.Random(number)
        title = f"{chance.choice(WORDS).title()} and {chance.choice(WORDS)} {number}"
        paragraphs = (sentence(chance) + " " + sentence(chance) for _ in range(6))
        yield f"page-{number}", title, "\n\n".join(paragraphs) + "\n"


def sentence(chance):
    words = [chance.choice(WORDS) for _ in range(chance.randint(8, 16))]
    return " ".join(words).capitalize() + "."


def date(number):
    """The day of a page, one of the past."""
    return f"20{number % 20:02}-{number % 12 + 1:02}-{number % 28 + 1:02}"


def write(path: Path, content):
    """Writes a file, and makes its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
