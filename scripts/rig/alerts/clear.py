"""What can go wrong before there are keys."""

from ..checks import require
from .wire import (
    ALERT, CHANGE_CIPHER_SPEC, DATA, DECODE_ERROR, DOWNGRADED, GROUPS, HANDSHAKE, HANDSHAKE_FAILURE, ILLEGAL_PARAMETER,
    MISSING_EXTENSION, NAME, NO_APPLICATION_PROTOCOL, P256, PROTOCOL_VERSION, RECORD_OVERFLOW, RETRY, SCHEMES, SHARE, SHARES,
    SOUND, UNEXPECTED_MESSAGE, VERSIONS, X448, X25519, Peer, extension, groups, hello, message, names, old, protocols, record,
    schemes, shares, vector, versions, without, word,
)  # fmt: skip

CCS = record(CHANGE_CIPHER_SPEC, b"\x01")
# What a client offers that has met us before (RFC 8446, section 4.2.11): one identity and its binder, of another server's.
MODES = extension(45, b"\x01\x01")
FOREIGN = extension(41, vector(2, vector(2, bytes(48)) + bytes(4)) + vector(2, vector(1, bytes(32))))


def one(body, version=0x0301):
    """The record of a message."""
    return record(HANDSHAKE, body, version)


def parts(body, length):
    """The records of a message that comes in parts."""
    return b"".join(one(body[at : at + length]) for at in range(0, len(body), length))


# What is sent, and the alerts that may come back: the RFC's first, then rustls's where it has another, with the reason.
REFUSED = {
    # RFC 8446, section 5.1 and 5.2: records.
    "a record of type 0": (b"\0\x03\x03\0\x01x", UNEXPECTED_MESSAGE, DECODE_ERROR),  # read as no record at all
    "a heartbeat": (record(24, b"\x01\0\0"), UNEXPECTED_MESSAGE, DECODE_ERROR),  # the same
    "a record of version 4": (b"\x16\x04\0\0\x01x", PROTOCOL_VERSION, DECODE_ERROR),  # the same
    "data before a hello": (record(DATA, b"x"), UNEXPECTED_MESSAGE),
    "a hello that is longer than a record may be": (one(bytes(16_385)), RECORD_OVERFLOW, UNEXPECTED_MESSAGE, DECODE_ERROR),
    "a record that is longer than ciphertext may be": (b"\x17\x03\x03\x48\x01" + bytes(64), RECORD_OVERFLOW, DECODE_ERROR),
    "an empty fragment of a handshake": (one(b"") + one(hello()), UNEXPECTED_MESSAGE, DECODE_ERROR),
    "an empty alert": (record(ALERT, b""), UNEXPECTED_MESSAGE, DECODE_ERROR),
    "an alert of one byte": (record(ALERT, b"\x02"), DECODE_ERROR),
    "a change of ciphers before a hello": (CCS, UNEXPECTED_MESSAGE),
    # Section 4: messages.
    "a ServerHello": (one(message(2, bytes(40))), UNEXPECTED_MESSAGE, DECODE_ERROR),
    "a Finished": (one(message(20, bytes(32))), UNEXPECTED_MESSAGE),
    "a message of no type": (one(message(99, b"")), UNEXPECTED_MESSAGE, DECODE_ERROR),
    "an empty ClientHello": (one(message(1, b"")), DECODE_ERROR),
    "a session's name of 33 bytes": (one(hello(session=bytes(33))), DECODE_ERROR),
    "an odd list of suites": (one(message(1, b"\x03\x03" + bytes(33) + b"\0\x03\x13\x01\x13\x01\0")), DECODE_ERROR),
    "no suites": (one(hello(suites=())), DECODE_ERROR, HANDSHAKE_FAILURE, ILLEGAL_PARAMETER),
    "no method of compression": (one(hello(methods=b"")), DECODE_ERROR, ILLEGAL_PARAMETER),
    "a method of compression alone": (one(hello(methods=b"\x01")), ILLEGAL_PARAMETER, HANDSHAKE_FAILURE),
    "bytes behind the extensions": (one(hello(tail=b"x")), DECODE_ERROR),
    # Sections 4.1.2, 4.2.1, 9.2: versions, suites, groups, and what has to be there.
    "SSL 3": (one(hello([NAME], version=0x0300)), PROTOCOL_VERSION, HANDSHAKE_FAILURE),
    "TLS 1.0": (one(hello([NAME, GROUPS, SCHEMES], version=0x0301)), PROTOCOL_VERSION),
    "TLS 1.1, said twice": (one(hello(without(VERSIONS, versions(0x0302, 0x0301)))), PROTOCOL_VERSION),
    "a draft of TLS 1.3": (one(hello(without(VERSIONS, versions(0x7F1C)))), PROTOCOL_VERSION),
    "no versions": (one(hello(without(VERSIONS, versions()))), DECODE_ERROR, PROTOCOL_VERSION),
    "suites of TLS 1.2 for TLS 1.3": (one(hello(suites=(0xC02B,))), HANDSHAKE_FAILURE),
    "suites of TLS 1.3 for TLS 1.2": (one(old(suites=(0x1301,))), HANDSHAKE_FAILURE),
    "a suite with RSA alone": (one(old(suites=(0x009C,))), HANDSHAKE_FAILURE),
    "groups that we have not": (one(hello(without(GROUPS, groups(X448)))), HANDSHAKE_FAILURE, ILLEGAL_PARAMETER),
    "signatures that we cannot make, TLS 1.2": (one(old([NAME, GROUPS, schemes(0x0808)])), HANDSHAKE_FAILURE),
    "no signatures": (one(hello(without(SCHEMES))), MISSING_EXTENSION, HANDSHAKE_FAILURE),  # looked for in either version
    "no groups": (one(hello(without(GROUPS))), MISSING_EXTENSION, HANDSHAKE_FAILURE),
    "no shares": (one(hello(without(SHARES))), MISSING_EXTENSION, HANDSHAKE_FAILURE),  # nothing in common, to rustls
    # Section 4.2: extensions.
    "an extension twice": (one(hello(SOUND + [GROUPS])), ILLEGAL_PARAMETER, DECODE_ERROR),
    "one that we do not know, twice": (one(hello(SOUND + [extension(0xFAFA, b"")] * 2)), ILLEGAL_PARAMETER, DECODE_ERROR),
    "an extension that is cut": (one(hello(SOUND + [b"\0\x17\0\x05\0"])), DECODE_ERROR),
    "bytes in one that has none": (one(old([NAME, GROUPS, SCHEMES, extension(23, b"x")])), DECODE_ERROR, ILLEGAL_PARAMETER),
    "a list of groups of one byte": (one(hello(without(GROUPS, extension(10, b"\0\x01\0")))), DECODE_ERROR),
    "two names of one kind": (one(hello(without(NAME, names((0, b"a.test"), (0, b"b.test"))))), ILLEGAL_PARAMETER, DECODE_ERROR),
    "no protocols": (one(hello(SOUND + [protocols()])), DECODE_ERROR, ILLEGAL_PARAMETER),
    "a protocol without a name": (one(hello(SOUND + [protocols(b"")])), DECODE_ERROR, ILLEGAL_PARAMETER),
    "h2 alone, TLS 1.2": (one(old([NAME, GROUPS, SCHEMES, protocols(b"h2")])), NO_APPLICATION_PROTOCOL),
    # Section 4.2.8: shares.
    "a share that is too short": (one(hello(without(SHARES, shares((X25519, SHARE[1:]))))), ILLEGAL_PARAMETER),
    "a share that is too long": (one(hello(without(SHARES, shares((X25519, SHARE + b"x"))))), ILLEGAL_PARAMETER),
    "a share that is zero": (one(hello(without(SHARES, shares((X25519, bytes(32)))))), ILLEGAL_PARAMETER),
    "a share of order 8": (one(hello(without(SHARES, shares((X25519, b"\x01" + bytes(31)))))), ILLEGAL_PARAMETER),
    "two shares of a group": (one(hello(without(SHARES, shares((X25519, SHARE), (X25519, SHARE))))), ILLEGAL_PARAMETER),
    "a point that is not on its curve": (
        one(hello([NAME, groups(P256), SCHEMES, VERSIONS, shares((P256, b"\x04" + bytes(63) + b"\x01"))])), ILLEGAL_PARAMETER,
    ),
    "a point that is compressed": (
        one(hello([NAME, groups(P256), SCHEMES, VERSIONS, shares((P256, b"\x02" + bytes(32)))])), ILLEGAL_PARAMETER,
    ),
    # Sections 4.2.9 to 4.2.11: keys shared before.
    "an old key that is not last": (one(hello([MODES, FOREIGN, *SOUND])), ILLEGAL_PARAMETER),
    "an old key without a manner": (one(hello([*SOUND, FOREIGN])), MISSING_EXTENSION),
    "old keys without binders": (
        one(hello([*SOUND, MODES, extension(41, vector(2, vector(2, bytes(48)) + bytes(4)) + vector(2, b""))])),
        DECODE_ERROR, ILLEGAL_PARAMETER,
    ),
}  # fmt: skip


# The same, where a ServerHello goes before, so that the alert is under keys.
HIDDEN = {
    "signatures that we cannot make": (one(hello(without(SCHEMES, schemes(0x0808)))), HANDSHAKE_FAILURE),
    "h2 alone": (one(hello(SOUND + [protocols(b"h2")])), NO_APPLICATION_PROTOCOL),
}

# Here unexpected_message is due; rustls ends the connection, but tells nothing, and gives us no means to.
MUTE = {
    "half a hello, and data": one(hello()[:50]) + record(DATA, b"x"),
    "half a hello, and a change of ciphers": one(hello()[:50]) + CCS,
}


def refused(target):
    """Each with its alert, and the end."""
    for what, (sent, *wanted) in REFUSED.items():
        with target.check(f"in the clear: {what}"), Peer(target.address) as peer:
            peer.send(sent).alert(*wanted)
    for what, (sent, *wanted) in HIDDEN.items():
        with target.check(f"in the clear: {what}"), Peer(target.address) as peer:
            peer.send(sent).hidden_alert(*wanted)
    for what, sent in MUTE.items():
        with target.check(f"in the clear: {what}, which ends it"), Peer(target.address) as peer:
            require(peer.send(sent).next() is None, "something comes")


def taken(target):
    """What is odd and sound."""
    odd = {
        "a byte in each record": parts(hello(), 1),
        "a record of SSL 3's version": record(HANDSHAKE, hello(), 0x0300),
        "an extension of no meaning": one(hello(SOUND + [extension(0xFAFA, b"any")])),
        "suites of no meaning": one(hello(suites=(0x0A0A, 0x1301))),
        "65 kB of padding": parts(hello(SOUND + [extension(21, bytes(15_000))]), 16_384),
        "a version to come": one(hello(without(VERSIONS, versions(0x0305, 0x0304)))),
        "a group to come": one(hello(without(GROUPS, groups(0x4A4A, X25519)))),
        "a name that we have not": one(hello(without(NAME, names((0, b"other.test"))))),
        "a key of another server's": one(hello([*SOUND, MODES, FOREIGN])),
    }
    for what, sent in odd.items():
        with target.check(f"in the clear: {what} is taken"), Peer(target.address) as peer:
            random, extensions = peer.send(sent).server_hello()
            require(random != RETRY and extensions.get(43) == b"\x03\x04" and 41 not in extensions, str(extensions))


def retried(target):
    """HelloRetryRequest (RFC 8446, section 4.1.4)."""
    first = hello(without(SHARES, shares()))
    with target.check("in the clear: without a share it asks for one"), Peer(target.address) as peer:
        random, extensions = peer.send(one(first)).server_hello()
        require(random == RETRY and extensions[51] == word(X25519), f"{random!r}, {extensions}")
        random, extensions = peer.send(CCS, one(hello())).skip_change().server_hello()
        require(random != RETRY and extensions[51][:2] == word(X25519), f"{random!r}, {extensions}")
    again = {
        "a second hello without a share": (first, (ILLEGAL_PARAMETER, MISSING_EXTENSION)),
        "a second hello with another group's": (
            hello(without(SHARES, shares((P256, b"\x04" + bytes(64))))), (ILLEGAL_PARAMETER,),
        ),
        "a second hello with other suites": (hello(suites=(0x1303,)), (ILLEGAL_PARAMETER,)),
    }  # fmt: skip
    for what, (second, wanted) in again.items():
        with target.check(f"in the clear: {what}"), Peer(target.address) as peer:
            peer.send(one(first)).server_hello()
            peer.send(one(second)).alert(*wanted)


def early(target):
    """Data ahead of time, which is skipped (RFC 8446, section 4.2.10), up to a bound."""
    offer = hello([*SOUND, extension(42, b""), MODES, FOREIGN])
    with target.check("in the clear: early data is passed over"), Peer(target.address) as peer:
        _, extensions = peer.send(one(offer), CCS, record(DATA, bytes(200)), record(DATA, bytes(200))).server_hello()
        require(42 not in extensions and 41 not in extensions, str(extensions))
    with target.check("in the clear: early data without end"), Peer(target.address) as peer:
        peer.send(one(offer), CCS, *[record(DATA, bytes(16_000))] * 8)
        peer.over()


def downgraded(target):
    """Section 4.1.3: one that speaks TLS 1.3 says so in a ServerHello of TLS 1.2."""
    with target.check("in the clear: a ServerHello of TLS 1.2 says that there is a newer"), Peer(target.address) as peer:
        random, _ = peer.send(one(old())).server_hello()
        require(random.endswith(DOWNGRADED), f"its random is {random!r}")


def after_hello(target):
    """What may come while the client's Finished is waited for."""
    for what, sent, wanted in (
        ("a hello once more", one(hello()), (UNEXPECTED_MESSAGE,)),
        ("a change of ciphers to 2", record(CHANGE_CIPHER_SPEC, b"\x02"), (UNEXPECTED_MESSAGE, DECODE_ERROR)),
        ("a change of ciphers that is empty", record(CHANGE_CIPHER_SPEC, b""), (UNEXPECTED_MESSAGE, DECODE_ERROR)),
        ("data of no key", record(DATA, bytes(64)), (20,)),
        ("data that is too short for a tag", record(DATA, bytes(8)), (20, DECODE_ERROR)),
        ("2^14 + 257 bytes of ciphertext", record(DATA, bytes(16_641)), (RECORD_OVERFLOW, 20)),
    ):
        with target.check(f"after a hello: {what}"), Peer(target.address) as peer:
            peer.send(one(hello()), sent)
            peer.hidden_alert(*wanted)
    for what, sent in (("many changes of ciphers", CCS * 64), ("alerts of no weight", record(ALERT, b"\x01\x5a") * 64)):
        with target.check(f"after a hello: {what}"), Peer(target.address) as peer:
            peer.send(one(hello()), sent)
            peer.over()
    with target.check("after a hello: a FIN"), Peer(target.address) as peer:
        peer.send(one(hello())).end().over()


def everything(target):
    """All of them."""
    before = target.counters().get("tls_alerts_sent", 0)
    refused(target)
    taken(target)
    retried(target)
    early(target)
    downgraded(target)
    after_hello(target)
    with target.check("in the clear: each alert was counted"):
        require(target.counters()["tls_alerts_sent"] - before >= len(REFUSED) + len(HIDDEN), str(target.counters()))
