"""The files of dom0/ as a host uses them: systemd's unit by its own commands, and the domain by libvirt itself."""

import re
import shutil

from ..archive import Archive
from ..checks import require
from ..dom0 import put
from ..domain import Domain
from ..place import BUILD, REPOSITORY
from .client import get
from .stage import BOOT_SECONDS, LISTENING

FILES = REPOSITORY / "dom0"
IMAGE = "/usr/local/lib/halfpage/halfpage"
MAC = "00:16:3e:f1:e7:df"
# libvirt's programs, what they load, and what they hold a domain against.
PARTS = (
    "usr/sbin/libvirtd", "usr/bin/virsh", "usr/bin/xmllint", "lib*/x86_64-linux-gnu/*.so*", "usr/lib/x86_64-linux-gnu/*.so*",
    "usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_libxl.so", "usr/share/libvirt/**/*",
)  # fmt: skip


def runs(stage, full):
    """The unit; with `full` the domain too."""
    installed(stage)
    by_unit(stage)
    if full:
        by_libvirt(stage)


def installed(stage):
    """Puts the image and its configuration where a release says."""
    shutil.copy(BUILD / "halfpage", stage.machine.share / "halfpage")
    text = re.sub(r"^kernel = .*$", f'kernel = "{IMAGE}"', config(), flags=re.MULTILINE)
    (stage.machine.share / "halfpage.cfg").write_text(text)
    stage.machine.check(f"mkdir -p {IMAGE.rpartition('/')[0]} && cp /rig/halfpage {IMAGE} && cp /rig/halfpage.cfg /etc/xen/")


def config():
    """What xl is given elsewhere."""
    return (BUILD / "xen.cfg").read_text()


def serves(stage, line):
    """What a line in dom0 starts is the guest `halfpage`, and gives its first page."""
    stage.domain = Domain(stage.machine, "halfpage", "/etc/xen/halfpage.cfg")
    stage.domain.mark()
    stage.mac = MAC
    stage.machine.check(line)
    stage.address = stage.domain.expect(LISTENING, BOOT_SECONDS)[1]
    status, _, body = get(stage.address, "/")
    wanted = (REPOSITORY / "site/content/index.html").read_bytes()
    require((status, body) == (200, wanted), f"status {status}, {len(body)} bytes")


def by_unit(stage):
    """ExecStart and ExecStop, as systemd runs them."""
    unit = dict(re.findall(r"^(Exec\w+)=(.*)$", (FILES / "halfpage.service").read_text(), re.MULTILINE))
    with stage.check("ExecStart of dom0/halfpage.service starts it"):
        serves(stage, unit["ExecStart"])
    with stage.check("ExecStop of dom0/halfpage.service shuts it down in order"):
        stage.machine.check(unit["ExecStop"])
        require(stage.machine.run("xl domid halfpage").status != 0, "it is still there")


def by_libvirt(stage):
    """The domain, by libvirtd in dom0 with its driver for Xen."""
    tree = stage.machine.dom0.suite.unpack_host()
    with open(stage.machine.share / "host.cpio", "wb") as out:
        archive = Archive(out)
        for path in sorted({path for part in PARTS for path in tree.glob(part) if not path.is_dir()}):
            put(archive, tree, path)
        archive.close()
    shutil.copy(FILES / "halfpage.xml", stage.machine.share / "halfpage.xml")
    with stage.check("dom0/halfpage.xml is what libvirt's schema asks for"):
        # What dom0 has already stays as it is.
        stage.machine.check("cd / && cpio -id </rig/host.cpio 2>/rig/cpio.log; xmllint --version 2>&1")
        stage.machine.check("xmllint --noout --relaxng /usr/share/libvirt/schemas/domain.rng /rig/halfpage.xml")
    with stage.check("libvirt makes the same of it as build/xen.cfg has"):
        # The least processor that it knows has virtual-8086 mode; the emulated one has not.
        stage.machine.check("sed -i /vme/d /usr/share/libvirt/cpu_map/x86_486.xml")
        stage.machine.check("mkdir -p /var/lib/libvirt /var/log/libvirt /run/libvirt")
        stage.machine.check("LIBVIRT_LOG_OUTPUTS=3:file:/rig/libvirtd.log libvirtd -d")
        stage.machine.check("timeout 120 sh -c 'until [ -e /run/libvirt/libvirt-sock ]; do usleep 100000; done'")
        native = stage.machine.check(virsh("domxml-to-native xen-xl /rig/halfpage.xml"))
        wanted = [f'kernel = "{IMAGE}"', f"mac={MAC}", "bridge=xenbr0"]
        wanted += re.findall(r"^(?:name|memory|vcpus|on_poweroff|on_reboot|on_crash) = .*$", config(), re.MULTILINE)
        missing = [words for words in wanted if words not in native]
        require(not missing and "hvm" not in native, f"without {missing}: {native}")
    with stage.check("virsh create starts it"):
        serves(stage, virsh("create /rig/halfpage.xml"))
    with stage.check("virsh shutdown ends it in order"):
        stage.machine.check(virsh("shutdown halfpage"))
        stage.domain.expect("control: the toolstack asks for Poweroff", BOOT_SECONDS)
        stage.machine.check("timeout 120 sh -c 'while xl domid halfpage 2>/dev/null; do usleep 100000; done'")


def virsh(words):
    """A line for libvirt in dom0."""
    return f"timeout 300 virsh -c xen:///system {words}"
