"""Certificates of every kind: those that the guest takes, by the name that a client asks for, and what it says of others."""

import re
import ssl
import subprocess

from ..checks import require
from .client import get
from .tls_client import Secure, trusting
from .tls_ramdisk import shut, start, tar
from .tls_reload import SECONDS, reload

KINDS = {
    "p256": ("ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "p384": ("ec", "-pkeyopt", "ec_paramgen_curve:P-384"),
    "ed25519": ("ed25519",),
    "rsa": ("rsa:2048",),
    "short": ("rsa:1024",),
}
UTC_TIME = re.compile(rb"\x17\x0d\d{12}Z\x17\x0d\d{12}Z")
OVER = b"\x17\x0d200101000000Z\x17\x0d200301000000Z"
NEW_KEY = r"the private key is RSA, but not of 2,048 to 4,096 bits: make an ECDSA key over P-256 .*"


def certificate(folder, name, kind="p256"):
    """A certificate for a name, signed by itself, and its key: their paths."""
    paths = folder / f"{name}.cert.pem", folder / f"{name}.key.pem"
    line = ["openssl", "req", "-x509", "-newkey", *KINDS[kind], "-nodes", "-days", "9"]
    line += ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-out", paths[0], "-keyout", paths[1]]
    subprocess.run(line, check=True, capture_output=True)
    return paths


def expired(folder, name):
    """A certificate that was good in the first two months of 2020. openssl makes none: the dates are put in here, and the
    signature, which a server has no reason to look at, is another's."""
    paths = certificate(folder, name)
    der, times = UTC_TIME.subn(OVER, ssl.PEM_cert_to_DER_cert(paths[0].read_text()))
    require(times == 1, "the certificate has no dates to replace")
    paths[0].write_text(ssl.DER_cert_to_PEM_cert(der))
    return paths


def bad(folder):
    """{what: (certificate, key, what is said of them)}"""
    good, other = certificate(folder, "good.example"), certificate(folder, "other.example")
    broken = folder / "broken.cert.pem"
    broken.write_bytes(good[0].read_bytes()[:200])
    return {
        "expired": (*expired(folder, "expired.example"), r"the certificate expired at 2020-03-01.*: renew it"),
        "mismatched": (good[0], other[1], "the key does not fit the certificate: .*"),
        "broken": (broken, good[1], "the certificate file is not PEM: a section has no END line: .*"),
        "short": (*certificate(folder, "short.example", "short"), NEW_KEY),
    }


def refused(stage, config, content, folder):
    """Each of the bad ones alone."""
    for what, (cert, key, words) in bad(folder).items():
        with stage.check(f"https: a certificate that is {what}: 443 stays shut, a line says why, and port 80 serves on"):
            ramdisk = tar(stage.folder / "refused.tar", content, {"": (cert, key)})
            start(stage, config, ramdisk, 'extra="http=redirect"')
            shut(stage, content, r"\.tls/cert\.pem: " + words)
        if what == "expired":
            renewed(stage, content, folder)
        stage.destroy()


def renewed(stage, content, folder):
    """A guest whose certificate expired before it booted gets another."""
    with stage.check("https: tls-reload opens 443 where it was shut for want of a certificate"):
        pair = certificate(folder, "renewed.example")
        status, said = reload(stage, pair)
        require(status == 0, f"tls-reload says {said}")
        require(stage.store("data/tls/status") == "ok", f"the store says {stage.store('data/tls/status')}")
        stage.domain.expect(rf"listening on https://{re.escape(stage.address)}/\n", SECONDS)
        body = Secure(stage.address, trusting(pair[0]), name="renewed.example").get("/", close=True)[2]
        require(body == (content / "index.html").read_bytes(), f"{len(body)} other bytes")
        plain = get(stage.address, "/")[0]
        require(plain == 301, f"port 80, which is to lead there, says {plain}")


def several(stage, config, content, folder):
    """Good ones of each kind among bad ones."""
    good = {kind: certificate(folder, f"{kind}.example", kind) for kind in ("p256", "p384", "ed25519", "rsa")}
    wrong = bad(folder)
    pairs = {"": good["p256"], "b": good["p384"], "c": good["ed25519"], "d": good["rsa"]}
    pairs |= {f"wrong-{what}": (cert, key) for what, (cert, key, _) in wrong.items()}
    with stage.check("https: of several certificates each bad one has a line that says why"):
        start(stage, config, tar(stage.folder / "several.tar", content, pairs))
        for what, (_, _, words) in wrong.items():
            lines = re.findall(rf"\] WARN  https: \.tls/wrong-{what}/cert\.pem: (.*)\n", stage.domain.said())
            require(len(lines) == 1 and re.fullmatch(words, lines[0]), f"{what}: it says {lines}")
    with stage.check("https: P-256, P-384, Ed25519 and RSA serve, each to clients that ask for its name, the first to all others"):
        index = (content / "index.html").read_bytes()
        for kind, (cert, _) in good.items():
            body = Secure(stage.address, trusting(cert), name=f"{kind}.example").get("/", close=True)[2]
            require(body == index, f"{kind}: {len(body)} other bytes")
        Secure(stage.address, trusting(good["p256"][0]), name="elsewhere.example").get("/", close=True)
    stage.destroy()
