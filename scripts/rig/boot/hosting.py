"""The files of dom0/ as a host uses them: systemd's unit by its own commands, and the domain by libvirt's schema."""

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
# What a domain is held against, and by what.
PARTS = (
    "usr/bin/xmllint", "lib*/x86_64-linux-gnu/*.so*", "usr/lib/x86_64-linux-gnu/*.so*",
    "usr/share/libvirt/schemas/*",
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
    text = (BUILD / "xen.cfg").read_text()
    config = re.sub(r'^kernel = .*$', f'kernel = "{IMAGE}"', text, flags=re.MULTILINE)
    (stage.machine.share / "halfpage.cfg").write_text(config)
    stage.machine.check(f"mkdir -p {IMAGE.rpartition('/')[0]} && cp /rig/halfpage {IMAGE} && cp /rig/halfpage.cfg /etc/xen/")


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
    """The domain."""
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
