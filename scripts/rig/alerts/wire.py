"""Records, messages and extensions, byte by byte; the numbers are those of RFC 8446, section 4 and appendix B."""

import socket

from ..checks import require

SECONDS = 60

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
CLIENT_HELLO, SERVER_HELLO = 1, 2

UNEXPECTED_MESSAGE, BAD_RECORD_MAC, RECORD_OVERFLOW, HANDSHAKE_FAILURE = 10, 20, 22, 40
ILLEGAL_PARAMETER, DECODE_ERROR, DECRYPT_ERROR, PROTOCOL_VERSION = 47, 50, 51, 70
MISSING_EXTENSION, NO_APPLICATION_PROTOCOL = 109, 120

# Section 4.1.3: the random of a ServerHello that is a HelloRetryRequest, and the last bytes of one that could have been newer.
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
DOWNGRADED = b"DOWNGRD\x01"

X25519, P256, X448 = 0x001D, 0x0017, 0x001E
# RFC 7748, section 6.1: Alice's public key.
SHARE = bytes.fromhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")


def vector(width, body):
    """A vector with its length before it."""
    return len(body).to_bytes(width, "big") + body


def word(number):
    """Two bytes."""
    return number.to_bytes(2, "big")


def record(kind, body, version=0x0303):
    """A record in the clear."""
    return bytes([kind]) + word(version) + vector(2, body)


def message(kind, body):
    """A message of a handshake."""
    return bytes([kind]) + vector(3, body)


def extension(kind, body):
    """One extension."""
    return word(kind) + vector(2, body)


def names(*kinds_and_names):
    """server_name."""
    return extension(0, vector(2, b"".join(bytes([kind]) + vector(2, name) for kind, name in kinds_and_names)))


def groups(*numbers):
    """supported_groups."""
    return extension(10, vector(2, b"".join(map(word, numbers))))


def schemes(*numbers):
    """signature_algorithms."""
    return extension(13, vector(2, b"".join(map(word, numbers))))


def protocols(*some):
    """application_layer_protocol_negotiation."""
    return extension(16, vector(2, b"".join(vector(1, name) for name in some)))


def versions(*numbers):
    """supported_versions."""
    return extension(43, vector(1, b"".join(map(word, numbers))))


def shares(*pairs):
    """key_share."""
    return extension(51, vector(2, b"".join(word(group) + vector(2, share) for group, share in pairs)))


NAME = names((0, b"www.test"))
GROUPS, SCHEMES, VERSIONS = groups(X25519), schemes(0x0403), versions(0x0304)
SHARES = shares((X25519, SHARE))
SOUND = [NAME, GROUPS, SCHEMES, VERSIONS, SHARES]


def without(taken, *more):
    """The extensions of a sound hello but one, and others."""
    return [each for each in SOUND if each != taken] + list(more)


def hello(extensions=(), suites=(0x1301,), version=0x0303, session=b"", methods=b"\0", tail=b""):
    """A ClientHello; sound but for what is given."""
    body = word(version) + bytes(range(32)) + vector(1, session) + vector(2, b"".join(map(word, suites)))
    return message(CLIENT_HELLO, body + vector(1, methods) + vector(2, b"".join(extensions or SOUND)) + tail)


def old(extensions=(), suites=(0xC02B,)):
    """One of TLS 1.2: ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, with extended_master_secret."""
    return hello(extensions or [NAME, GROUPS, SCHEMES, extension(23, b"")], suites)


class Peer:
    """A connection, in records."""

    def __init__(self, address):
        self.stream = socket.create_connection((address, 443), SECONDS)
        self._come = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()

    def send(self, *records):
        """Some bytes in a row; whether anybody still listens shows when one reads."""
        try:
            for each in records:
                self.stream.sendall(each)
        except OSError:
            pass
        return self

    def end(self):
        """Our FIN."""
        self.stream.shutdown(socket.SHUT_WR)
        return self

    def _take(self, count):
        while len(self._come) < count:
            try:
                more = self.stream.recv(65_536)
            except ConnectionResetError:
                more = b""
            if not more:
                return None
            self._come += more
        taken, self._come = self._come[:count], self._come[count:]
        return taken

    def next(self):
        """(type, body) of the next record; None at the end."""
        head = self._take(5)
        if head is None:
            require(not self._come, f"it ends within a record: {self._come!r}")
            return None
        body = self._take(int.from_bytes(head[3:], "big"))
        require(body is not None, "it ends within a record")
        return head[0], body

    def alert(self, *wanted):
        """A fatal alert of these in the clear, and then the end."""
        while (come := self.next()) and come[0] != ALERT:
            pass
        require(come, f"no alert, where {wanted} was due")
        require(len(come[1]) == 2 and come[1][0] == 2 and come[1][1] in wanted, f"alert {come[1]!r}, not {wanted}")
        require(self.next() is None, "something comes after a fatal alert")

    def hidden_alert(self, *wanted):
        """The same, where it may be under keys: then it shows as a last record of an alert's length, and in the counters."""
        last = None
        while come := self.next():
            last = come
        require(last, f"nothing came, where {wanted} was due")
        kind, body = last
        if kind == ALERT:
            require(body[:1] == b"\x02" and body[1] in wanted, f"alert {body!r}, not {wanted}")
        else:
            # Two bytes, their type, and a tag.
            require(kind == DATA and len(body) == 2 + 1 + 16, f"the last is {kind} of {len(body)} bytes, no alert")

    def over(self):
        """It ends, whatever comes before."""
        while self.next():
            pass

    def skip_change(self):
        """Past the change of ciphers that the server sends for the sake of others (RFC 8446, appendix D.4)."""
        kind, body = self.next()
        require((kind, body) == (CHANGE_CIPHER_SPEC, b"\x01"), f"no change of ciphers but {kind}, {body!r}")
        return self

    def server_hello(self):
        """The random of a ServerHello, and its extensions by number."""
        kind, body = self.next() or (None, b"")
        require(kind == HANDSHAKE and body[0] == SERVER_HELLO, f"no ServerHello but {kind}, {body[:8]!r}")
        random, at = body[6:38], 39 + body[38] + 3
        extensions, end = {}, at + 2 + int.from_bytes(body[at : at + 2], "big")
        at += 2
        while at < end:
            number, length = int.from_bytes(body[at : at + 2], "big"), int.from_bytes(body[at + 2 : at + 4], "big")
            extensions[number] = body[at + 4 : at + 4 + length]
            at += 4 + length
        return random, extensions
