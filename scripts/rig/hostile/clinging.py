"""Attacks by connections that are really established.

Each takes a wire and a number of seconds, and says in words what it saw; it fails where the target was not reached.
"""

import time

from ..checks import require
from .packets import ACK
from .peers import OPEN, RESET, Peers
from .wire import at_pace

IDLE = 10_000
OPENING_RATE = 1500
OPENING_SECONDS = 60
# Handshakes under way.
AT_ONCE = 256
LORIS = 1000
TAKERS = 300
VANISHING = 1200
SCATTERED = 64
STORM_RATE = 500

REQUEST = b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n"
HEAD = b"GET / HTTP/1.1\r\nHost: nobody\r\nX-Slow: "


def open_all(peers, count):
    """Opens so many connections, as fast as the server lets it; a SYN that is not answered is sent again."""
    deadline = time.monotonic() + OPENING_SECONDS
    for _ in at_pace(OPENING_RATE, OPENING_SECONDS, peers.turn):
        if len(peers.all) < count and len(peers.connecting) < AT_ONCE:
            peers.connect()
        elif not peers.connecting or time.monotonic() > deadline:
            break
        peers.retry()
    require(peers.opened >= count, f"{peers.opened} of {count} connections were opened")


def wait(peers, seconds, often=lambda: None):
    """Lets time pass."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        often()
        peers.turn()
        time.sleep(0.01)


def idle(wire, seconds):
    """Connections that ask for a page, one in two, and then say nothing."""
    peers = Peers(wire)
    peers.on_open = lambda peer: peers.send(peer, REQUEST) if peer.port & 1 else None
    open_all(peers, IDLE)
    wait(peers, seconds)
    served = sum(peer.received > 0 for peer in peers.all.values())
    require(served > IDLE / 4, f"only {served} of them got a page")
    held, gone = len(peers.in_state(OPEN)), len(peers.in_state(RESET))
    wanted = min(wire.target.room, IDLE)
    there = wire.target.gauges()["tcp_connections"]
    require(held >= wanted and there >= wanted, f"the server holds {there}, and resets {gone} of them")
    peers.leave()
    return f"{peers.opened} connections, {served} had a page, {held} held, {gone} given up by the server"


def vanish(wire, seconds):
    """Connections whose peers are never heard of again: idle, in the middle of a head, before a page."""
    peers = Peers(wire, heeds_data=False)
    said = (b"", HEAD, REQUEST)
    peers.on_open = lambda peer: peers.send(peer, said[peer.port % 3])
    open_all(peers, VANISHING)
    wait(peers, seconds)
    return f"{peers.opened} connections, {len(peers.in_state(RESET))} given up by the server"


def loris(wire, seconds):
    """Requests whose heads come a byte at a time and never end."""
    peers = Peers(wire)
    peers.on_open = lambda peer: peers.send(peer, HEAD)
    open_all(peers, LORIS)
    sent = 0
    for _ in at_pace(LORIS, seconds, peers.turn):
        peer = wire.random.choice(list(peers.all.values()))
        if peer.state == OPEN:
            peers.send(peer, b"a")
            sent += 1
    peers.turn()
    taken = sum(peer.acknowledged == peer.next for peer in peers.all.values())
    require(taken > LORIS / 4, f"the bytes of {taken} were acknowledged")
    gone = len(peers.in_state(RESET))
    peers.leave()
    return f"{LORIS} heads, {sent} single bytes, {gone} given up by the server"


def takers(wire, seconds):
    """Clients that ask for more than their window takes, and then shut it."""
    peers = Peers(wire, window=100, heeds_data=False)
    peers.on_open = lambda peer: peers.send(peer, REQUEST * 16)
    open_all(peers, TAKERS)

    def shut():
        for peer in peers.in_state(OPEN):
            if peer.window:
                peer.window = 0
                peers.segment(peer, ACK)

    wait(peers, seconds, shut)
    gone = len(peers.in_state(RESET))
    peers.leave()
    return f"{TAKERS} windows shut, {gone} given up by the server"


def scattered(wire, seconds):
    """Single bytes out of order, each with a hole before it."""
    peers = Peers(wire)
    open_all(peers, SCATTERED)
    open_now = peers.in_state(OPEN)
    before = wire.sent
    for number in at_pace(4000, seconds, peers.turn):
        peer = open_now[number % len(open_now)]
        if peer.state == OPEN:
            peers.segment(peer, ACK, b"x", at=1 + 2 * wire.random.randrange(max(peer.offered // 2 - 1, 1)))
    sent = wire.sent - before
    peers.turn()
    peers.leave()
    return f"{sent} bytes on {len(open_now)} connections"


def storm(wire, seconds, end):
    """Connections that are opened, and ended at once."""
    peers = Peers(wire)
    peers.on_open = end(peers)
    for _ in at_pace(STORM_RATE, seconds, peers.turn):
        peers.connect()
    wait(peers, 0.5)
    wanted = int(STORM_RATE * seconds / 2)
    require(peers.opened > wanted, f"{peers.opened} connections were opened")
    peers.leave()
    return f"{peers.opened} connections"


def resets(wire, seconds):
    """Opened, a page asked for, reset."""

    def end(peers):
        def now(peer):
            peers.send(peer, REQUEST)
            peers.reset(peer)

        return now

    return storm(wire, seconds, end)


def fins(wire, seconds):
    """Opened, finished; the server's own FIN is never acknowledged by half of them."""

    def end(peers):
        def now(peer):
            if peer.port & 1:
                peers.send(peer, REQUEST)
            peers.finish(peer)

        return now

    return storm(wire, seconds, end)
