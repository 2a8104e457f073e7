"""What the guest counts, as it tells it: on the console after xl sysrq, and in the store under data/counters."""

import re
import time

from ..checks import require
from .client import Exchange, get

SECONDS = 30
REQUESTS = 50
WARM = 10
TABLES = ("connections", "grants", "memory", "heap", "ring")


def shown(stage):
    """xl sysrq s: ({counter: value}, {table: {field: value}}); a counter of 0 is not there."""
    stage.domain.mark()
    stage.machine.check(f"xl sysrq {stage.domain.name} s")
    stage.domain.expect(r"\] INFO  ring: .*\n", SECONDS)
    said = stage.domain.said()
    counters = {name: int(value) for name, value in re.findall(r"\] INFO  counter (\w+)=(\d+)\n", said)}
    tables = {
        name: dict(re.findall(r"(\w+)=(\S+)", fields))
        for name, fields in re.findall(rf"\] INFO  ({'|'.join(TABLES)}): (.*)\n", said)
    }
    return counters, tables


def stored(stage):
    """The counters in the store."""
    listing = stage.machine.check(f"xenstore-ls /local/domain/{stage.domid()}/data/counters")
    return {name: int(value) for name, value in re.findall(r'^(\w+) = "(\d+)"', listing, re.MULTILINE)}


def pages(tables):
    """Pages that are free, and those of the heap, which takes what it lacks from them and keeps it."""
    return int(tables["memory"]["free_pages"]) + int(tables["heap"]["size"]) // 4096


def whole(before, after):
    """No page and no grant is lost between two looks at the tables."""
    free = [int(tables["grants"]["free"]) + int(tables["grants"]["site"]) for tables in (before, after)]
    require(free[0] == free[1], f"references that are free or the site's: {free[0]}, then {free[1]}")
    require(pages(before) == pages(after), f"pages, the heap's among them: {pages(before)}, then {pages(after)}")
    require(after["ring"]["quarantined"] == "0", f"pages that are still mapped: {after['ring']['quarantined']}")


def keys(stage):
    """xl sysrq: each letter."""
    with stage.check("xl sysrq h prints the help, an unknown letter a line that names it"):
        stage.domain.mark()
        stage.machine.check(f"xl sysrq {stage.domain.name} h")
        stage.domain.expect(r"\] INFO  control: sysrq: h: this help, s: ", SECONDS)
        stage.machine.check(f"xl sysrq {stage.domain.name} q")
        stage.domain.expect(r"\] WARN  control: sysrq: no such letter: q; h: this help, ", SECONDS)
    with stage.check("xl sysrq s prints its counters and tables"), Exchange(stage.address) as connection:
        require(connection.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n").response()[0] == 200, "another status")
        counters, tables = shown(stage)
        require(counters.get("http_requests", 0) > 0 and "hypercall_poll" in counters, f"it counted {counters}")
        require(set(tables) == set(TABLES), f"it shows {sorted(tables)}")
        require(tables["connections"]["established"] == "1", f"it shows {tables['connections']}")
        require(tables["ring"]["phase"] == "Connected", f"it shows {tables['ring']}")
        for table, field in (("grants", "active"), ("grants", "free"), ("memory", "free_pages"), ("ring", "rx_posted")):
            require(int(tables[table][field]) > 0, f"{table} shows {tables[table]}")
    with stage.check("the store has the same counters soon"):
        deadline = time.monotonic() + SECONDS
        names = ("http_requests", "net_rx_frames", "net_tx_frames", "tcp_established")
        while True:
            counters, found = shown(stage)[0], stored(stage)
            if all(found.get(name) == counters.get(name, -1) for name in names):
                break
            require(time.monotonic() < deadline, f"the store has {found}, the console {counters}")
        strangers = set(found) - set(counters)
        require(not strangers, f"the store has {strangers}, which the console does not")


def difference(before, after):
    """How far each counter has come."""
    return {name: value - before.get(name, 0) for name, value in after.items()}


def fetched(stage, path, length, requests=REQUESTS):
    """How far the counters come while one connection asks for a page so many times, the first answers apart; and the
    bytes of the heads of the answers."""
    with Exchange(stage.address) as connection:
        request = f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"

        def ask():
            status, _, body = connection.send(request).response()
            require((status, len(body)) == (200, length), f"status {status}, {len(body)} bytes")

        # Tables grow to the room that their fullest moment takes.
        for _ in range(WARM):
            ask()
        before, heads = shown(stage)[0], connection.heads
        for _ in range(requests):
            ask()
        return difference(before, shown(stage)[0]), connection.heads - heads


def cost(stage, site, big):
    """What requests cost the guest, by its own counters: a page that fits a frame, and one that does not."""
    index = (site / "index.html").stat().st_size
    for name, path, length in (("small", "/", index), ("1 MiB", f"/{big.name}", big.stat().st_size)):
        with stage.check(f"{REQUESTS} requests of a {name} page: nothing allocated, no hypercall but notify and poll"):
            moved, heads = fetched(stage, path, length)
            print("figure", told(name, moved), flush=True)
            require(moved["http_requests"] == REQUESTS, f"it counted {moved['http_requests']} requests")
            require(moved["net_tx_bytes"] > REQUESTS * length, f"it counted {moved['net_tx_bytes']} bytes sent")
            require(moved["loop_network_events"] > 0 and moved["hypercall_notify"] > 0, f"it counted {moved}")
            require(moved["loop_network_allocations"] == 0, f"{moved['loop_network_allocations']} blocks")
            require(moved["hypercall_other"] == 0, f"{moved['hypercall_other']} other hypercalls")
    with stage.check(f"{REQUESTS} bodies of 1 MiB go out by reference, and not a byte of them is copied"):
        # The heads are payload that is copied, each once, and once more where it is sent again.
        copied, by_reference = moved["net_tx_payload_copied"], moved["net_tx_payload_referenced"]
        again = moved.get("tcp_retransmitted", 0)
        require(heads <= copied <= heads + again * (heads // REQUESTS), f"{copied} bytes copied, {heads} of heads")
        require(by_reference >= REQUESTS * length, f"{by_reference} bytes by reference")
    with stage.check("the counters of allocations and hypercalls do count: a connection takes a block, a boot calls"):
        before = shown(stage)[0]
        for _ in range(REQUESTS):
            require(get(stage.address, "/")[0] == 200, "another status")
        after = shown(stage)[0]
        blocks = difference(before, after)["loop_network_allocations"]
        require(blocks >= REQUESTS and after["hypercall_other"] > 0, f"{blocks} blocks, {after}")


def told(name, moved):
    """Figures a request."""
    each = {
        "events received": "loop_network_events", "events sent": "net_tx_events", "polls": "hypercall_poll",
        "frames sent": "net_tx_frames", "frames received": "net_rx_frames", "bytes copied": "net_tx_payload_copied",
    }  # fmt: skip
    figures = (f"{what} {moved[counter] / REQUESTS:.2f}" for what, counter in each.items())
    return f"a request of a {name} page: " + ", ".join(figures)
