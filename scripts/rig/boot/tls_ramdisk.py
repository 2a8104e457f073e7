"""Ramdisks that bring certificates, and what a guest says of those it cannot take."""

import re
import shutil
import socket
import tarfile

from ..checks import require
from .client import get

MEMORY = 16
SECONDS = 20


def tar(path, content, pairs, seed=None):
    """A tar at `path` of a site with, in `.tls`, certificates and their keys: {"": pair} for the folder itself, else by the
    names of its folders."""
    folder = path.with_suffix("")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(content, folder)
    for name, (certificate, key) in pairs.items():
        secret = folder / ".tls" / name
        secret.mkdir(parents=True)
        shutil.copyfile(certificate, secret / "cert.pem")
        shutil.copyfile(key, secret / "key.pem")
    if seed is not None:
        (folder / ".tls/seed").write_bytes(seed)
    path = folder.with_suffix(".tar")
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        archive.add(folder, arcname=".")
    return path


def start(stage, config, ramdisk, *words, memory=MEMORY):
    """Boots a guest with a ramdisk."""
    inside = stage.machine.send(ramdisk, "secret.tar")
    stage.boot(config, f"memory={memory}", f'ramdisk="{inside}"', *words)


def shut(stage, content, words):
    """443 is shut, one line says why in these words, a pattern, and port 80 serves on."""
    said = stage.domain.said()
    lines = re.findall(r"\] WARN  https: (?!port 80 serves the site in spite of http=)(.*)\n", said)
    require(len(lines) == 1 and re.fullmatch(rf"{words}; port 443 stays shut", lines[0]), f"it says {lines}, all: {said}")
    require("listening on https://" not in said, "it says that it listens")
    status = stage.store("data/tls/status")
    require(re.fullmatch(words, status), f"the store says {status}")
    try:
        socket.create_connection((stage.address, 443), SECONDS).close()
        require(False, "443 is open")
    except ConnectionRefusedError:
        pass
    status, _, body = get(stage.address, "/")
    require((status, body) == (200, (content / "index.html").read_bytes()), f"port 80 says {status}")
