"""What HTTPS costs the guest on Xen, in counted instructions. Its clients, OpenSSL's, run in dom0."""

import os
import subprocess

from rig.accelerator import COUNTED
from rig.dom0 import Dom0
from rig.machine import Machine, MachineError
from rig.place import BUILD, REPOSITORY
from rig.suite import Suite

from .guests import ADDRESSES, HALFPAGE, Guest
from .secure import CERTIFICATE, CLIENT, DONE, KEY, compiled
from .strings import Strings

FOLDER = BUILD / "bench" / "secure"
MEMORY = 32
CONNECTIONS = 4
CONFIG = """cat >/guest/secure.cfg <<'END'
name="{name}"
type="pv"
memory={memory}
kernel="/guest/secure.kernel"
vif=["bridge=xenbr0"]
extra="ip={address}/24"
END
"""


def build(site):
    """The image, and what runs in dom0."""
    words = {"TLS": "1", "TLS_CERT": str(CERTIFICATE), "TLS_KEY": str(KEY), "SITE": str(site)}
    environment = {**os.environ, **words, "HALFPAGE_BUILD": str(FOLDER)}
    subprocess.run([REPOSITORY / "scripts/image"], env=environment, check=True, stderr=subprocess.DEVNULL)
    line = "cargo rustc -q --release -p halfpage-bench --bin domain-time --target-dir target --"
    subprocess.run([*line.split(), "-Ctarget-feature=+crt-static"], check=True, cwd=REPOSITORY)
    # The C library warns that names could not be looked up then.
    compiled("sessions", FOLDER, "-static", "-Wl,--no-warnings")


def figures(groups, suites, paths):
    """What each thing takes of the guest, in thousands of instructions: pairs of its name and figure."""
    strings = Strings(FOLDER)
    chosen = COUNTED.with_arguments(strings.arguments())
    dom0 = Dom0(Suite("4.17")).assemble()
    with Machine(dom0, chosen, FOLDER / "run", append="rig.logs=dom0", boot_seconds=1800, xen="") as machine:
        machine.send(REPOSITORY / "target/release/domain-time", "domain-time")
        machine.send(FOLDER / "sessions", "sessions")
        machine.send(FOLDER / "halfpage", "secure.kernel")
        machine.check("chmod +x /guest/domain-time /guest/sessions && /guest/domain-time 0")
        machine.isolate()
        machine.check(CONFIG.format(name=HALFPAGE, memory=MEMORY, address=ADDRESSES[HALFPAGE]))
        guest = SecureGuest(machine, HALFPAGE, "/guest/secure.cfg", strings)
        guest.serve()
        for kind in ("full", "resumed"):
            for group in groups:
                yield f"{kind} 1.3 {group}", guest.handshakes(kind, group)
        for name, suite in suites.items():
            for path in paths:
                yield f"{path} {name}", guest.requests(path, suite)
        yield f"{paths[0]} without TLS", guest.requests(paths[0])


class SecureGuest(Guest):
    """A guest that serves HTTPS."""

    def handshakes(self, kind, group):
        """Of a session: connection, handshake, short response, end."""
        # One client: of several that compute at once some crash in this emulation, their registers mixed up.
        line = f"/guest/sessions {self.address} /100.bin {kind} {group} 500 1"
        out, result = self.measured(line)
        done = DONE.search(out)
        if not done:
            raise MachineError(f"{kind} sessions: {out}")
        return instructions(result) / int(done[1])

    def requests(self, path, suite=None):
        """Of a request on a kept connection."""
        config = CLIENT.format(suite=suite or "TLS_AES_128_GCM_SHA256", group="X25519")
        self.machine.check(f"cat >/guest/openssl.cnf <<'END'\n{config}END")
        # dom0 knows no port by name.
        where = f"https://{self.address}:443/{path}" if suite else f"http://{self.address}:80/{path}"
        line = f"OPENSSL_CONF=/guest/openssl.cnf wrk -t1 -c{CONNECTIONS} -d1s --timeout 10s {where}"
        out, result = self.measured(line)
        return instructions(result) / self._answered(path, out)


def instructions(result):
    """Thousands that the guest ran: a nanosecond is a step, and further rounds of string instructions are none."""
    return (result["guest"] - result["steps"]["guest"]) / 1e3
