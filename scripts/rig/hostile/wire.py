"""Sending and receiving frames on an interface, at a pace."""

import random
import socket
import struct
import time

from . import packets

ETH_P_IP = 0x0800
SO_ATTACH_FILTER = 26
# Who attacks has addresses of RFC 2544, 198.18.0.0/15, beyond the router that this host is: nobody answers for them.
# struct sock_filter of linux/filter.h, each (code, jt, jf, k): IPv4 to those addresses.
TO_NOBODY = (
    (0x28, 0, 0, 12), (0x15, 0, 4, ETH_P_IP),
    (0x20, 0, 0, 30), (0x54, 0, 0, 0xFFFE0000), (0x15, 0, 1, 0xC6120000),
    (0x06, 0, 0, 256), (0x06, 0, 0, 0),
)  # fmt: skip
TURN = 0.005
ROOM = 8 << 20


class Wire:
    """The segment as its attackers see it. The seed decides who they are."""

    def __init__(self, target, seed):
        self.target = target
        self.random = random.Random(seed)
        self.theirs = bytes.fromhex(target.mac.replace(":", ""))
        self.server = socket.inet_aton(target.address)
        self.host = socket.inet_aton(target.host)
        self.sent = 0
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._attach(TO_NOBODY)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
        self._socket.bind((target.interface, ETH_P_IP))
        self._socket.setblocking(False)
        self.ours = self._socket.getsockname()[4]

    def _attach(self, program):
        code = b"".join(struct.pack("HBBI", *line) for line in program)
        buffer = memoryview(bytearray(code))
        address = _address(buffer)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", len(program), address))

    def close(self):
        """No more."""
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def nobody(self):
        """An address that is nobody's, behind the router."""
        return bytes([198, 18 + self.random.getrandbits(1)]) + self.random.randbytes(2)

    def port(self):
        """A port that a client would have."""
        return self.random.randrange(1024, 65536)

    def frame(self, frame):
        """Sends a frame; one for which the interface has no room is lost, as on a wire."""
        try:
            self._socket.send(frame)
            self.sent += 1
        except (BlockingIOError, OSError):
            pass

    def packet(self, packet):
        """Sends a packet to the target."""
        self.frame(packets.ethernet(self.theirs, self.ours, ETH_P_IP, packet))

    def received(self):
        """What has come for those who attack, frame by frame."""
        while True:
            try:
                yield self._socket.recv(256)
            except BlockingIOError:
                return


def at_pace(rate, seconds, turn=lambda: None):
    """Yields `rate` times a second; between, calls `turn` some hundred times a second."""
    began = time.monotonic()
    done = 0
    while (passed := time.monotonic() - began) < seconds:
        due = min(int(passed * rate), done + max(rate // 20, 1))
        while done < due:
            yield done
            done += 1
        turn()
        time.sleep(TURN)


def _address(buffer):
    import ctypes  # pylint: disable=import-outside-toplevel

    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))
