"""The bytes of each connection, as a capture shows them: all of them are the file's that was asked for.

One request a connection, and no byte of the answer before the request was seen. A frame is judged whenever it is sent:
a byte of another connection in a retransmission is found though the client never sees it.
"""

import re

from collections import Counter

from .capture import ACK, SYN, Packet, frames

WINDOW = 1 << 31


class Stream:
    """One connection, from its SYN on."""

    def __init__(self):
        self.first = None
        self.file = None
        self.head = None
        # What came before the head, which the host under the guest may have lost: (place, bytes).
        self._early = []

    def answer(self, sequence, payload):
        """How many frames have bytes that do not belong there, of this one and those that waited for it."""
        if self.first is None or self.file is None:
            return 1
        at = (sequence - self.first) % (1 << 32)
        if at >= WINDOW:
            return 1
        if self.head is None:
            if at:
                self._early.append((at, payload))
                return 0
            end = payload.find(b"\r\n\r\n")
            if end < 0 or not self._right(payload[: end + 4]):
                return 1
            self.head = payload[: end + 4]
        early, self._early = self._early, []
        return sum(not self._belongs(*frame) for frame in [*early, (at, payload)])

    def unjudged(self):
        """Frames whose head never came."""
        return len(self._early)

    def _belongs(self, at, payload):
        begun = max(at - len(self.head), 0)
        body = payload[max(len(self.head) - at, 0) :]
        return self.head[at : at + len(payload)] + self.file[begun : begun + len(body)] == payload

    def _right(self, head):
        length = re.search(rb"\r\n[Cc]ontent-[Ll]ength: (\d+)\r\n", head)
        return head.startswith(b"HTTP/1.1 200 ") and length and int(length[1]) == len(self.file)


class Streams:
    """All connections to a guest's port 80.

    files: the bodies by path. wrong: the first frames with a wrong checksum; foreign: the first with a byte that is not
    theirs; counted: how many of each there were, and of frames and payload bytes of the guest.
    """

    MOST = 10

    def __init__(self, mac, files):
        self.counted = Counter()
        self.wrong, self.foreign = [], []
        self._mac = bytes.fromhex(mac.replace(":", ""))
        self._files = files
        self._open = {}

    def read(self, path, begin=0):
        """Reads a capture, or a pipe that one is written to."""
        for seconds, frame in frames(path, begin):
            if frame[12:14] == b"\x08\x00" and len(frame) >= 54 and self._mac in (frame[:6], frame[6:12]):
                self.take(seconds, Packet(frame), frame[6:12] == self._mac)
        self.counted["foreign"] += sum(stream.unjudged() for stream in self._open.values())
        return self

    def take(self, seconds, packet, ours):
        """Notes one packet, sent by the guest or to it."""
        if ours:
            self.counted["frames"] += 1
            if packet.wrong:
                self._note("wrong", self.wrong, (seconds, packet.wrong))
        payload = getattr(packet, "payload", None)
        if payload is None:
            return
        if ours and packet.ports[0] == 80:
            stream = self._open.get((packet.destination, packet.ports[1]))
            if packet.flags & SYN and stream:
                stream.first = (packet.sequence + 1) % (1 << 32)
            if payload:
                self.counted["bytes"] += len(payload)
                for _ in range(stream.answer(packet.sequence, payload) if stream else 1):
                    self._note("foreign", self.foreign, (seconds, packet.ports[1], packet.sequence, payload[:64]))
        elif not ours and packet.ports[1] == 80:
            client = (packet.source, packet.ports[0])
            if packet.flags & (SYN | ACK) == SYN and (client not in self._open or self._open[client].file is not None):
                self.counted["foreign"] += self._open[client].unjudged() if client in self._open else 0
                self._open[client] = Stream()
            asked = re.match(rb"GET (\S+) HTTP/1\.1\r\n", payload)
            if asked and client in self._open:
                self._open[client].file = self._files.get(asked[1].decode(), b"")
                self.counted["requests"] += 1

    def _note(self, name, first, what):
        self.counted[name] += 1
        if len(first) < self.MOST:
            first.append(what)


