"""Each set of features that a backend can offer, on a real netback: what it offers is masked before the guest looks."""

from ..capture import examine
from ..checks import require
from . import web
from .counting import difference, shown

# The keys that make each set, and what the guest calls it.
MASKS = {
    "none": {"no-csum-offload": 1, "sg": 0, "gso-tcpv4": 0},
    "csum": {"no-csum-offload": 0, "sg": 0, "gso-tcpv4": 0},
    "sg": {"no-csum-offload": 1, "sg": 1, "gso-tcpv4": 0},
    "csum+sg": {"no-csum-offload": 0, "sg": 1, "gso-tcpv4": 0},
    "csum+sg+gso": {"no-csum-offload": 0, "sg": 1, "gso-tcpv4": 1},
}
SHORT = ("none", "csum+sg+gso")
SECONDS = 30
MTU_FRAME = 1514


def sets(stage, config, site, big, full):
    """The sets, one guest after the other: all five, or the lowest and the highest."""
    for name in MASKS if full else SHORT:
        one(stage, config, name, site, big)


def one(stage, config, name, site, big):
    """A guest whose backend offers this set and no more."""
    with stage.check(f"offloads {name}: boots with a backend that offers no more"):
        began = stage.capture.stat().st_size
        stage.start(config, "-p", "memory=8")
        keys = f"/local/domain/0/backend/vif/{stage.domid()}/0/feature-"
        for feature, value in MASKS[name].items():
            stage.machine.check(f"xenstore-write {keys}{feature} {value}")
        stage.machine.check(f"xl unpause {stage.domain.name}")
        stage.domain.expect(rf"network: connected, offloads: {name.replace('+', '.')}\n", SECONDS)
        stage.listening()
    if not stage.address:
        return
    web.every_file(stage, site)
    with stage.check(f"offloads {name}: payload goes out as the set says"):
        before = shown(stage)[0]
        web.at_once(stage, site, big, 8)
        moved = difference(before, shown(stage)[0])
        frames, sent = moved["net_tx_frames"], moved["net_tx_bytes"]
        copied, referenced = (moved.get(f"net_tx_payload_{way}", 0) for way in ("copied", "referenced"))
        require(sent > 8 * big.stat().st_size, f"{sent} bytes sent")
        if "gso" in name:
            require(sent > 2 * MTU_FRAME * frames, f"{sent} bytes in {frames} frames: none is large")
            require(referenced > copied, f"{referenced} bytes by reference, {copied} copied")
        else:
            require(sent <= MTU_FRAME * frames, f"{sent} bytes in {frames} frames")
            require(not referenced and copied > 8 * big.stat().st_size, f"{copied} of {referenced} bytes copied")
        require(moved["net_tx_slots"] <= frames * (18 if "gso" in name else 1), f"{moved['net_tx_slots']} slots")
        odd = {counter for counter in ("net_tx_backend_error", "net_tx_length", "net_lies") if moved.get(counter)}
        require(not odd, f"it counted {odd}")
    with stage.check(f"offloads {name}: no frame of ours has a wrong checksum or length"):
        found = examine(stage.capture, stage.mac, began)
        require(found.packets > 1000, f"the capture has only {found.packets} packets of the guest")
        require(not found.wrong, f"{len(found.wrong)} of {found.packets}, the first: {found.wrong[:3]}")
    stage.destroy()
