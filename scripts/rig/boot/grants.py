"""A site of more pages than the grant table has entries."""

import hashlib
import random
from concurrent.futures import ThreadPoolExecutor

from ..checks import require
from . import web
from .counting import shown

# One frame of the table has 512 entries.
FRAMES, ENTRIES = 1, 512
MEMORY = 32
PARALLEL = 8


def exhausted(stage, config, folder):
    """All of it, twice, one after the other and at once; the table is never enough."""
    files = sorted(folder.glob("*.bin"))
    pages = sum(path.stat().st_size // 4096 for path in files)
    with stage.check(f"grants: a site of {pages} pages boots with a table of {ENTRIES} entries"):
        require(pages > ENTRIES, "the site is too small for that")
        stage.boot(config, f"memory={MEMORY}", f"max_grant_frames={FRAMES}")
        tables = shown(stage)[1]
        entries = sum(int(tables["grants"][field]) for field in ("active", "free"))
        require(entries <= ENTRIES, f"it has {entries} entries")
    if not stage.address:
        return
    wanted = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    for turn in ("first", "second"):
        with stage.check(f"grants: every digest is right the {turn} time, one after the other"):
            for name, digest in wanted.items():
                found = web.digest(stage, name)
                require(found == digest, f"{name}: {found}")
    with stage.check(f"grants: every digest is right with {PARALLEL} at once"):
        names = list(wanted) * PARALLEL
        random.Random(7).shuffle(names)
        with ThreadPoolExecutor(PARALLEL) as pool:
            found = list(pool.map(lambda name: web.digest(stage, name), names))
        wrong = [(name, got) for name, got in zip(names, found, strict=True) if got != wanted[name]]
        require(not wrong, f"{len(wrong)} of {len(names)} differ, the first: {wrong[:1]}")
    with stage.check("grants: pages were granted on first use, and others made room"):
        counters, tables = shown(stage)
        require(counters["static_grant_made"] >= 2 * pages, f"{counters['static_grant_made']} grants made")
        require(counters["static_grant_revoked"] > pages, f"{counters['static_grant_revoked']} revoked")
        odd = {name: counters[name] for name in ("static_grant_not_held", "net_lies") if counters.get(name)}
        require(not odd, f"it counted {odd}")
        entries = sum(int(tables["grants"][field]) for field in ("active", "free"))
        require(entries <= ENTRIES, f"it has {entries} entries")
        require(tables["ring"]["quarantined"] == "0", f"it shows {tables['ring']}")
    stage.destroy()
