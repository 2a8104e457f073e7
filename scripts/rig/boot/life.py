"""A guest's life under xl: start, restart, end, and what it leaves behind."""

import re
import tomllib

from ..checks import require
from ..place import REPOSITORY
from .client import get

# What Linux says of a healthy virtual interface.
HEALTHY = re.compile(
    r"Guest Rx ready|link becomes ready|(?:left|entered) (?:promiscuous|allmulticast) mode"
    r"|entered (?:blocking|disabled|forwarding|listening|learning) state"
)


def started(stage, name):
    """The version is the workspace's; address, lease and store agree."""
    with stage.check("says its version"):
        workspace = tomllib.loads((REPOSITORY / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]
        wanted = f"halfpage {workspace['package']['version']} on xen-3.0-x86_64"
        require(wanted in stage.domain.said(), f"it does not say {wanted!r}")
    with stage.check("has its address from DHCP, and gave its name"):
        lease = stage.segment.lease(stage.mac)
        require(lease == (stage.address, name), f"the lease is {lease}, the console says {stage.address}")
    with stage.check("xenstore has the address and the state"):
        found = stage.store("data/address"), stage.store("data/state")
        require(found == (stage.address, "listening"), f"it has {found}")


def restarted(stage):
    """xl reboot comes back, as another domain with the same address."""
    with stage.check("xl reboot comes back and serves"):
        before = stage.domid(), stage.address
        stage.domain.mark()
        stage.machine.check(f"xl reboot {stage.domain.name}")
        stage.listening()
        after = stage.domid(), stage.address
        require(after[0] != before[0] and after[1] == before[1], f"before {before}, after {after}")
        require(get(stage.address, "/")[0] == 200, "another status")


def powered_off(stage):
    """xl shutdown -w ends it with reason poweroff."""
    with stage.check("xl shutdown -w ends it with reason poweroff"):
        reason = stage.shutdown()
        require(reason == 0, f"the reason is {reason}")


def nothing_left(stage):
    """No dying domain, no grant, no complaint."""
    with stage.check("no domain is left, not even a dying one"):
        gone = "for n in $(seq 50); do [ $(xl list | wc -l) = 2 ] && break; sleep 0.3; done; xl list"
        domains = stage.machine.check(gone)
        names = [line.split()[0] for line in domains.splitlines()[1:]]
        require(names == ["Domain-0"], f"xl list has {names}")
    with stage.check("no grant is left"):
        usage = stage.machine.check("xl dmesg -c >/dev/null; xl debug-keys g; sleep 0.2; xl dmesg")
        require("gnttab_usage_print_all" in usage, f"Xen printed no grants: {usage[-200:]}")
        left = re.findall(r"grant-table for remote d([1-9]\d*)", usage)
        require(not left, f"domains {left} have grants")


def backend_content(stage):
    """dom0's log has nothing that netback complained of."""
    with stage.check("nothing from netback in dom0's log"):
        lines = stage.machine.check("dmesg | grep -E 'vif|xen.netback' || true").splitlines()
        odd = [line for line in lines if not HEALTHY.search(line)]
        require(lines, "the log does not know the interface at all")
        require(not odd, "\n".join(odd[:10]))


def page_tables_clean(stage):
    """Xen looked at the guests' absent page-table entries and found nothing that leaks through L1TF."""
    with stage.check("no absent page-table entry of a guest names memory"):
        said = stage.machine.serial.read_text(errors="replace")
        require(re.search(r"PV L1TF shadowing: Dom0 disabled, DomU enabled", said), "Xen did not look at them")
        odd = [line for line in said.splitlines() if "L1TF-vulnerable" in line]
        require(not odd, "\n".join(odd[:10]))
