"""The flight recorder: what the guest shows of its last packets, against what we sent and what crossed the segment."""

import re
import socket
import subprocess
import time
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

from ..checks import Failure, require
from ..domain import described, mac
from ..hostile import packets
from ..hostile.wire import Wire
from ..place import BUILD, REPOSITORY
from ..segment import LEASELESS
from . import quiet
from .client import get

SCRIPT = REPOSITORY / "scripts" / "console-pcap"
SECONDS = 30
CLOSED = 4711
PATIENCE = 90
ATTEMPTS = 4
# IEEE 802: for experiments.
EXPERIMENT = 0x88B5
FIELDS = (
    "frame.len", "frame.packet_flags_direction", "frame.comment", "eth.src", "udp.dstport", "tcp.srcport", "tcp.dstport",
)  # fmt: skip


def frames(log):
    """The frames of a log's dumps, as console-pcap reads them."""
    loader = SourceFileLoader("console_pcap", str(SCRIPT))
    module = module_from_spec(spec_from_loader("console_pcap", loader))
    loader.exec_module(module)
    found, spoiled = module.read(log)
    require(not spoiled, f"{spoiled} spoiled lines")
    return [frame for _, frame in found]


def packets_of(stage, log):
    """What tshark reads from the capture that console-pcap makes of a log: a dictionary a packet."""
    path = stage.folder / "flight.pcapng"
    done = subprocess.run([SCRIPT], input=log.encode(), capture_output=True, check=False)
    require(done.returncode == 0 and not done.stderr, done.stderr.decode())
    path.write_bytes(done.stdout)
    words = [word for field in FIELDS for word in ("-e", field)]
    line = ["tshark", "-r", path, "-T", "fields", *words]
    said = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    return [dict(zip(FIELDS, shown.split("\t"), strict=True)) for shown in said.splitlines()]


def shown(stage):
    """xl sysrq p, and the packets in what it shows."""
    stage.domain.mark()
    stage.machine.check(f"xl sysrq {stage.domain.name} p")
    stage.domain.expect(r"flight: end\n", SECONDS)
    said = stage.domain.said()
    found = packets_of(stage, said)
    told = int(re.search(r"flight: begin frames=(\d+) ", said)[1])
    require(len(found) == told, f"{len(found)} packets, and it says {told}")
    return found


def recorded(stage, config):
    """All occasions on which it shows frames, but for a crash, which is in protection.py."""
    # It takes its 30 s while others are looked at.
    leaseless = described(stage.machine, LEASELESS, BUILD / "halfpage")
    with stage.check("recorder: boots, beside a guest that no server of addresses answers"):
        leaseless.create()
        stage.boot(config, "memory=8")
    if not stage.address:
        return
    asked_for(stage)
    judged(stage)
    reader(stage)
    quiet.bounded(stage)
    stage.destroy()
    without_lease(stage, leaseless)


def asked_for(stage):
    """Frames of ours and of the guest."""
    with stage.check("xl sysrq p: a request and its answer, as tshark reads them: length, direction, verdict"):
        require(get(stage.address, "/")[0] == 200, "another status")
        found = shown(stage)
        sent = [packet for packet in found if packet["tcp.srcport"] == "80"]
        require(sent and all(packet["frame.comment"] == "halfpage: sent" for packet in sent), f"of the server {sent}")
        taken = [packet for packet in found if packet["tcp.dstport"] == "80"]
        require(any(packet["frame.comment"] == "halfpage: accepted" for packet in taken), f"of the client {taken}")
        ways = {(int(packet["frame.packet_flags_direction"], 0), packet["eth.src"] == stage.mac) for packet in found}
        require(ways == {(1, False), (2, True)}, f"directions, and whether they are its own: {ways}")


def judged(stage):
    """Frames that are dropped: each has the reason."""
    with stage.check("xl sysrq p: frames sent bad on purpose have the reason why they were dropped"):
        with Wire(stage, 7) as wire:
            ours, ports = wire.nobody(), (40_000, 80)
            datagram = packets.udp(ours, wire.server, (40_000, CLOSED), b"x" * 700)
            stray = packets.tcp(ours, wire.server, ports, 1, 1, packets.ACK)
            spoiled = stray[:-1] + bytes([stray[-1] ^ 1])
            header = bytearray(packets.ipv4(ours, wire.server, packets.UDP, b"", identification=4))
            header[10] ^= 1
            sent = {
                "udp_no_port": packets.ethernet(wire.theirs, wire.ours, 0x0800, datagram),
                "tcp_no_connection": packets.ethernet(wire.theirs, wire.ours, 0x0800, stray),
                "tcp_checksum": packets.ethernet(wire.theirs, wire.ours, 0x0800, spoiled),
                "ipv4_checksum": packets.ethernet(wire.theirs, wire.ours, 0x0800, bytes(header)),
                "ethernet_type": packets.ethernet(wire.theirs, wire.ours, EXPERIMENT, b"halfpage"),
                "arp_malformed": packets.ethernet(wire.theirs, wire.ours, 0x0806, bytes(46)),
            }
            for reason, frame in sent.items():
                told(stage, wire, reason, frame)


def told(stage, wire, reason, frame):
    """Sends a frame by itself, since of those that are looked at together one is told, until that frame has the reason."""
    wanted = (str(len(frame)), f"halfpage: counted as {reason}")
    for _ in range(ATTEMPTS):
        wire.frame(frame)
        time.sleep(0.2)
        found = shown(stage)
        if wanted in [(packet["frame.len"], packet["frame.comment"]) for packet in found]:
            return
    raise Failure(f"none of {wanted[0]} bytes was {wanted[1]}: {found}")


def reader(stage):
    """tcpdump."""
    with stage.check("tcpdump reads the capture"):
        line = ["tcpdump", "-n", "-r", stage.folder / "flight.pcapng"]
        said = subprocess.run(line, capture_output=True, text=True, check=True).stdout
        require(f" > {stage.address}.{CLOSED}: UDP, length 700" in said, f"it says {said}")


def without_lease(stage, domain):
    """The guest that asks in vain."""
    with stage.check("30 s without an address, and it shows what it has sent: its questions to servers of addresses"):
        try:
            domain.expect(r"WARN  network: no address in 30 s; the last packets follow\n", PATIENCE)
            domain.expect(r"flight: end\n", SECONDS)
            found = packets_of(stage, domain.said())
            # The other guest's questions come here as well.
            asked = [
                packet for packet in found if (packet["udp.dstport"], packet["eth.src"]) == ("67", mac(LEASELESS))
            ]
            require(len(asked) > 1, f"it asked {len(asked)} times; in all {len(found)} packets")
            require({packet["frame.comment"] for packet in asked} == {"halfpage: sent"}, f"{asked}")
        finally:
            stage.machine.run(f"xl destroy {LEASELESS}")
