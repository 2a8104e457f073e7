"""Each attack, with the honest client beside it, and what has to be seen of it."""

import contextlib
import time

from ..checks import require
from ..relay import FORWARD
from . import clinging, flooding
from .honest import Honest
from .wire import Wire


class Attack:
    """counters: what the target's counters have to grow by at least; "a|b" are counted together.

    connections: that it keeps open at once.
    """

    def __init__(self, name, run, counters, connections=0):
        self.name, self.run, self.counters, self.connections = name, run, counters, connections


# What is sent in the name of somebody whose connection one does not see.
BLIND = "tcp_ack_unacceptable|tcp_out_of_window|tcp_paws|tcp_timestamp_missing"

ATTACKS = (
    Attack("2,000 spoofed SYN/s", flooding.syns, {"tcp_cookie_sent": 200}),
    Attack(
        "2,000 SYN/s from the segment", flooding.near_syns, {"arp_asked": 100, "neighbour_failed|neighbour_held": 1}
    ),
    Attack("10,000 idle connections", clinging.idle, {"tcp_established": 10_000}, clinging.IDLE),
    Attack("slowloris", clinging.loris, {"tcp_established": 200}),
    Attack("windows held shut", clinging.takers, {"tcp_window_probe|tcp_stalled_evicted|tcp_overload_reset": 1}),
    Attack("single bytes out of order", clinging.scattered, {"tcp_ranges_full|tcp_buffers_full": 500}),
    Attack("RST storm", flooding.resets, {"tcp_reset_out_of_window": 500}),
    Attack("connections reset at once", clinging.resets, {"tcp_reset_received": 200}),
    Attack("FIN storm", flooding.fins, {"tcp_no_connection": 200, BLIND: 200}),
    Attack("connections finished at once", clinging.fins, {"tcp_established": 200}),
    Attack("ACK storm", flooding.acks, {"tcp_no_connection": 500}),
    Attack("land", flooding.land, {"ipv4_martian|tcp_land": 500}),
    Attack("ICMP flood", flooding.echoes, {"icmp_echo": 500}),
    Attack("UDP flood", flooding.datagrams, {"udp_no_port": 1000, "icmp_limited": 200}),
    Attack("fragments flood", flooding.fragments, {"ipv4_reassembly_evicted": 200}),
    Attack("ARP flood", flooding.arps, {"arp_answered": 500}),
    Attack("broken frames", flooding.noise, {"ipv4_checksum": 200}),
)

CLINGING = tuple(attack for attack in ATTACKS if attack.run.__module__ == clinging.__name__)

# At length, once all others are over and their tables empty.
VANISHING = (
    Attack("peers that vanish", clinging.vanish, {"tcp_established": clinging.VANISHING}, clinging.VANISHING),
)

# Half-open connections end 63 s after their SYN; who has vanished is given up 100 s after the FIN that nobody answers.
EMPTY_SECONDS = 90
VANISHED_SECONDS = 240
TABLES = ("tcp_half_open", "tcp_connections", "tcp_bytes_sending", "tcp_bytes_received")


def named(attacks, part):
    """Those whose name has this in it."""
    return [attack for attack in attacks if part in attack.name]


def besiege(target, pages, seconds, attacks=ATTACKS, rounds=1, also=lambda: None):
    """All attacks, one after the other; then the tables have to become as empty as they were.

    pages: {path: body} that the honest client asks for. After the first round memory grows no more.
    also: what else is done while half-open connections time out.
    """
    # In a namespace of its own; else the attacks might be answered.
    FORWARD.write_text("0")
    before = target.gauges()
    with target.check("the honest client is served before the attacks"):
        print(f"     {calm(target, pages)}; {memory(before)}", flush=True)
    after = []
    counted = target.counters()
    for number in range(rounds):
        for attack in attacks:
            with target.check(f"attack: {attack.name}" + (f", round {number + 1}" if rounds > 1 else "")):
                seen(target, attack, one(target, pages, seconds, attack), counted)
        also()
        after.append(emptied(target, before))
    if rounds > 1:
        with target.check("no round leaves more memory in use than the first"):
            # To the byte: all tables keep the room of their fullest moment, and the first round had that.
            used = [memory(gauges) for gauges in after]
            require(all(each <= used[0] for each in used), f"in use after each: {used}")
        for attack in VANISHING:
            with target.check(f"attack: {attack.name}"):
                seen(target, attack, one(target, pages, seconds, attack), counted)
        emptied(target, before, VANISHED_SECONDS)
    with target.check("the honest client is served after the attacks"):
        print(f"     {calm(target, pages)}; {memory(target.gauges())}", flush=True)


def memory(gauges):
    """Bytes that the heap has given out."""
    return gauges["heap_bytes"]


def calm(target, pages):
    """The honest client alone, for two seconds."""
    with Honest(target.address, pages) as honest:
        time.sleep(2)
        told = honest.end()
    require(not told.wrong and told.fresh, f"the honest client: {told.wrong}")
    return told


def one(target, pages, seconds, attack):
    """One attack; gives what the honest client has to tell."""
    with Honest(target.address, pages) as honest, Wire(target, attack.name) as wire:
        target.honest_port = honest.port
        saw, failure = None, None
        # The client tells its part also where the attack had none.
        try:
            saw = attack.run(wire, seconds)
        except Exception as error:  # pylint: disable=broad-exception-caught
            failure = error
        told = honest.end()
    target.honest_port = None
    print(f"     {attack.name}: {saw}; client: {told}", flush=True)
    if failure:
        raise failure
    return told


def seen(target, attack, told, counted):
    """The honest client was served, and the target has counted the attack, beside what it had `counted` before."""
    now = target.counters()
    before = dict(counted)
    counted.update(now)
    require(not told.wrong, f"the honest client: {told.wrong[:3]}; {told}")
    require(told.fresh and told.kept, "the honest client fetched nothing")
    # What makes no progress for a second may have to go where the table is full.
    full = attack.connections > target.room
    require(full or not told.reopened, f"its connection was closed {told.reopened} times")
    for names, least in attack.counters.items():
        grown = sum(now.get(name, 0) - before.get(name, 0) for name in names.split("|"))
        require(grown >= least, f"the target counted {grown} {names}")
    require(not (complaints := target.complaints()), f"it complains: {complaints[:5]}")


def emptied(target, before, seconds=EMPTY_SECONDS):
    """Nothing is left in the tables; gives what they hold."""
    deadline = time.monotonic() + seconds
    with target.check("after the attacks the tables are as empty as before"):
        while True:
            now = target.gauges()
            left = {name: now[name] for name in TABLES if now[name] > before[name]}
            if not left:
                break
            require(time.monotonic() < deadline, f"left after {seconds} s: {left}")
            time.sleep(0.5)
    return target.gauges()
