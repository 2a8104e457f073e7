"""What can go wrong once there are keys: by tlslite-ng, whose client does as it is told."""

import socket

from tlslite.api import HandshakeSettings, TLSConnection
from tlslite.errors import TLSAbruptCloseError, TLSRemoteAlert
from tlslite.messages import Finished

from ..checks import require
from .wire import (
    ALERT, BAD_RECORD_MAC, CHANGE_CIPHER_SPEC, DATA, DECODE_ERROR, DECRYPT_ERROR, HANDSHAKE, ILLEGAL_PARAMETER,
    RECORD_OVERFLOW, SECONDS, UNEXPECTED_MESSAGE, message, record,
)  # fmt: skip

TLS_1_2, TLS_1_3 = (3, 3), (3, 4)
REQUEST = b"GET / HTTP/1.1\r\nHost: www.test\r\n\r\n"
NO_RENEGOTIATION = 100
KEY_UPDATE = 24


class Raw:
    """A message that is what it is."""

    def __init__(self, kind, body):
        self.contentType = kind  # pylint: disable=invalid-name
        self._body = bytearray(body)

    def write(self):
        """Its bytes."""
        return self._body


class Client(TLSConnection):
    """tlslite-ng's, with a Finished that may be another's."""

    wrong = False

    def _sendMsg(self, msg, *rest, **named):  # pylint: disable=invalid-name
        if self.wrong and isinstance(msg, Finished):
            msg.verify_data[0] ^= 1
        return super()._sendMsg(msg, *rest, **named)


class Session:
    """A session of one version, of which one sends and reads records."""

    def __init__(self, target, version, wrong=False):
        self.stream = socket.create_connection((target.address, 443), SECONDS)
        self.client = Client(self.stream)
        self.client.wrong = wrong
        self.client.closeSocket = False
        settings = HandshakeSettings()
        settings.minVersion = settings.maxVersion = version
        settings.cipherNames = ["aes128gcm"]
        settings.eccCurves = ["x25519", "secp256r1"]
        settings.keyShares = ["x25519"]
        settings.useExperimentalTackExtension = False
        self._settings = settings
        if not wrong:
            self.shake()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()

    def shake(self):
        """The handshake."""
        self.client.handshakeClientCert(settings=self._settings, serverName="www.test", alpn=[bytearray(b"http/1.1")])

    @property
    def records(self):
        """Its record layer."""
        return self.client._recordLayer  # pylint: disable=protected-access

    def send(self, *messages):
        """Each in a record of its own, under the keys."""
        for kind, body in messages:
            try:
                for _ in self.records.sendRecord(Raw(kind, body)):
                    pass
            except OSError:
                break
        return self

    def spoil(self):
        """The last bit of what is sent from now on is another."""
        real = self.records._recordSocket.send  # pylint: disable=protected-access

        def send(sealed, padding=0):
            sealed.data[-1] ^= 1
            return real(sealed, padding)

        self.records._recordSocket.send = send  # pylint: disable=protected-access

    def next(self):
        """(type, body) of the next record, or None at the end."""
        try:
            for come in self.records.recvRecord():
                if come not in (0, 1):
                    return come[0].type, bytes(come[1].bytes)
        except (TLSAbruptCloseError, ConnectionResetError, BrokenPipeError):
            pass
        return None

    def alert(self, *wanted):
        """A fatal alert of these, under the keys, and then the end."""
        while (come := self.next()) and come[0] != ALERT:
            pass
        require(come, f"no alert, where {wanted} was due")
        level, number = come[1]
        require((level, number) in {(2, each) for each in wanted}, f"alert {level}, {number}, not {wanted}")
        require(self.next() is None, "something comes after a fatal alert")

    def answered(self):
        """A request has its answer."""
        self.send((DATA, REQUEST))
        text = b""
        while b"\r\n\r\n" not in text:
            come = self.next()
            require(come, f"it ends after {text!r}")
            text += come[1] if come[0] == DATA else b""
        require(text.startswith(b"HTTP/1.1 200 "), f"another answer: {text[:60]!r}")

    def update(self):
        """A KeyUpdate that asks for one (RFC 8446, section 4.6.3)."""
        try:
            for _ in self.client.send_keyupdate_request(1):
                pass
        except OSError:
            pass

    def over(self):
        """It ends; the type of the last record."""
        last = None
        while come := self.next():
            last = come[0]
        return last


def key_update(number):
    """RFC 8446, section 4.6.3."""
    return HANDSHAKE, message(KEY_UPDATE, bytes([number]))


# In either version; each the alerts that may come.
BOTH = {
    "a Finished once more": ([(HANDSHAKE, message(20, bytes(32)))], UNEXPECTED_MESSAGE),
    "a certificate that nobody asked for": ([(HANDSHAKE, message(11, bytes(4)))], UNEXPECTED_MESSAGE, DECODE_ERROR),
    "a message of no type": ([(HANDSHAKE, message(99, b""))], UNEXPECTED_MESSAGE, DECODE_ERROR),
    "an alert of one byte": ([(ALERT, b"\x02")], DECODE_ERROR),
    "an alert of three bytes": ([(ALERT, b"\x02\x28\x28")], DECODE_ERROR),
    # rustls does not decrypt one of TLS 1.2, and finds it too long.
    "a change of ciphers": ([(CHANGE_CIPHER_SPEC, b"\x01")], UNEXPECTED_MESSAGE, DECODE_ERROR),
    "a record of no type": ([(99, b"any")], UNEXPECTED_MESSAGE, DECODE_ERROR),
    "2^14 + 1 bytes of data": ([(DATA, bytes(16_385))], RECORD_OVERFLOW),
}
NEW = {
    "a ClientHello": ([(HANDSHAKE, message(1, bytes(60)))], UNEXPECTED_MESSAGE, DECODE_ERROR),
    "a ticket of the client's": ([(HANDSHAKE, message(4, bytes(20)))], UNEXPECTED_MESSAGE, DECODE_ERROR),
    "an end of early data": ([(HANDSHAKE, message(5, b""))], UNEXPECTED_MESSAGE),
    "a KeyUpdate of 2": ([key_update(2)], ILLEGAL_PARAMETER),
    "a KeyUpdate of two bytes": ([(HANDSHAKE, message(KEY_UPDATE, b"\0\0"))], DECODE_ERROR),
    "a KeyUpdate with company": ([(HANDSHAKE, message(KEY_UPDATE, b"\0") + b"\x18")], UNEXPECTED_MESSAGE),
}
# Here unexpected_message is due; rustls ends the session, but tells nothing, and gives us no means to.
MUTE = {
    "half a message, and data": [(HANDSHAKE, b"\x18\0"), (DATA, REQUEST)],
    "33 records of nothing": [(DATA, b"")] * 33,
}
NEW_MUTE = {
    "nothing but padding": [(0, bytes(40))],
    "64 alerts of no weight": [(ALERT, b"\x01\x5a")] * 64,
}


def sealed(target, version, what, messages, wanted):
    """One of them."""
    name = "1.3" if version == TLS_1_3 else "1.2"
    with target.check(f"under keys, TLS {name}: {what}"), Session(target, version) as session:
        session.answered()
        session.send(*messages).alert(*wanted)


def mute(target, version, name, what, messages):
    """One that ends without a word."""
    with target.check(f"under keys, TLS {name}: {what}, which ends it"), Session(target, version) as session:
        session.answered()
        before = target.counters().get("tls_errors", 0)
        require(session.send(*messages).over() != ALERT, "an alert comes: say so in the table")
        require(target.counters().get("tls_errors", 0) == before + 1, str(target.counters()))


def broken(target, version, name):
    """A handshake that is not the same on both sides, and records that nobody sealed."""
    with target.check(f"under keys, TLS {name}: a Finished of another handshake"), Session(target, version, True) as session:
        said = "nothing"
        try:
            session.shake()
            session.alert(DECRYPT_ERROR)
        except TLSRemoteAlert as alert:
            said = alert.description
        require(said in ("nothing", DECRYPT_ERROR), f"alert {said}")
    with target.check(f"under keys, TLS {name}: a bit of a record is another"), Session(target, version) as session:
        session.answered()
        session.spoil()
        session.send((DATA, REQUEST)).alert(BAD_RECORD_MAC)
    with target.check(f"under keys, TLS {name}: a record that is too short for its tag"), Session(target, version) as session:
        session.stream.sendall(record(DATA, bytes(7)))
        session.alert(BAD_RECORD_MAC, DECODE_ERROR)
    with target.check(f"under keys, TLS {name}: data in the clear"), Session(target, version) as session:
        session.stream.sendall(record(DATA, REQUEST))
        session.alert(BAD_RECORD_MAC)


def ended(target, version, name):
    """The ends of a session."""
    with target.check(f"under keys, TLS {name}: a close_notify is answered, and the rest is not read"):
        with Session(target, version) as session:
            session.answered()
            session.send((ALERT, b"\x01\0"), (DATA, REQUEST))
            come = session.next()
            require(come == (ALERT, b"\x01\0"), f"no close_notify but {come}")
            require(session.next() is None, "something comes after it")
    with target.check(f"under keys, TLS {name}: a FIN without a close_notify is counted"):
        before = target.counters().get("tls_truncated", 0)
        with Session(target, version) as session:
            session.answered()
            session.stream.shutdown(socket.SHUT_WR)
            session.over()
        require(target.counters().get("tls_truncated", 0) == before + 1, str(target.counters()))
    with target.check(f"under keys, TLS {name}: an alert of the client's ends it"), Session(target, version) as session:
        before = target.counters().get("tls_alerts_received", 0)
        session.send((ALERT, b"\x02\x50"))
        require(session.over() != ALERT, "an alert answers an alert")
        require(target.counters()["tls_alerts_received"] == before + 1, str(target.counters()))
    with target.check(f"under keys, TLS {name}: empty records are nothing"), Session(target, version) as session:
        session.send(*[(DATA, b"")] * 30).answered()


def flooded(target):
    """What there may be some of."""
    with target.check("under keys, TLS 1.3: keys change when that is asked, 30 times"), Session(target, TLS_1_3) as session:
        for _ in range(30):
            session.update()
        session.client.write(REQUEST)
        require(session.client.read(12, 12) == b"HTTP/1.1 200", "another answer")
    with target.check("under keys, TLS 1.3: they change without end"), Session(target, TLS_1_3) as session:
        for _ in range(60):
            session.update()
        session.over()
    with target.check("under keys, TLS 1.2: renegotiation is refused, and a second time ends it"):
        with Session(target, TLS_1_2) as session:
            session.answered()
            again = (HANDSHAKE, message(1, b"\x03\x03" + bytes(33) + b"\0\x02\xc0\x2b\x01\0"))
            session.send(again)
            come = session.next()
            require(come == (ALERT, bytes([1, NO_RENEGOTIATION])), f"no refusal but {come}")
            session.answered()
            session.send(again)
            session.over()


def everything(target):
    """All of them."""
    for version, name, own, silent in ((TLS_1_2, "1.2", {}, {}), (TLS_1_3, "1.3", NEW, NEW_MUTE)):
        for what, messages in {**MUTE, **silent}.items():
            mute(target, version, name, what, messages)
        for what, (messages, *wanted) in {**BOTH, **own}.items():
            sealed(target, version, what, messages, wanted)
        broken(target, version, name)
        ended(target, version, name)
    flooded(target)
