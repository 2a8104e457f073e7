"""Attacks on a server from its own segment, and the honest client that is to be served meanwhile.

    packets      frames, made by hand
    wire         sending and receiving them, at a pace
    peers        TCP peers without a kernel: they never close, answer or retransmit unless told to
    flooding     attacks that keep no state: floods from addresses that are nobody's
    clinging     attacks by connections that are really established
    honest       the client that fetches pages throughout
    siege        each attack with the honest client beside it, and what has to be seen of it

A target is a server under test: `address`, `mac`, `interface` (where this host meets its segment), `check`, and
`counters()`, `gauges()`, `complaints()`. rig.boot.stage has one, rig.tapped the other.
"""
