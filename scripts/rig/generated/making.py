"""Makes sites with generators from PyPI: each into build/sites/NAME, once."""

import shutil
import subprocess
import sys
from pathlib import Path

from ..place import BUILD
from . import text

SITES = BUILD / "sites"
VENV = SITES / "venv"

# The versions are fixed, so that the sites are the same on each machine.
PACKAGES = {
    "mkdocs": ["mkdocs==1.6.1", "mkdocs-material==9.8.1"],
    "sphinx": ["sphinx==9.0.4", "furo==2025.12.19"],
    "pelican": ["pelican[markdown]==4.10.2"],
}


def mkdocs(source, out, pages):
    """MkDocs with Material: hashed assets, a search index, folders with an index.html."""
    for name, title, body in text.pages(pages):
        write(source / "docs" / f"{name}.md", f"# {title}\n\n{body}")
    links = "\n".join(f"- [{title}]({name}.md)" for name, title, _ in text.pages(pages))
    write(source / "docs" / "index.md", f"# Home\n\n{links}\n")
    write(source / "mkdocs.yml", "site_name: Half a page\nsite_url: ''\ntheme:\n  name: material\n  font: false\n")
    run("mkdocs", "build", "--quiet", "--config-file", source / "mkdocs.yml", "--site-dir", out)


def sphinx(source, out, pages):
    """Sphinx with Furo: NAME.html, sources, a search index, assets with a query."""
    for name, title, body in text.pages(pages):
        write(source / f"{name}.rst", f"{title}\n{'=' * len(title)}\n\n{body}")
    toctree = "".join(f"   {name}\n" for name, _, _ in text.pages(pages))
    write(source / "index.rst", f"Half a page\n===========\n\n.. toctree::\n\n{toctree}")
    write(source / "conf.py", "project = 'Half a page'\nhtml_theme = 'furo'\n")
    run("sphinx-build", "-q", "-b", "html", source, out)


def pelican(source, out, pages):
    """Pelican with its own theme: articles, indices by page, tag, author and date, feeds."""
    for number, (name, title, body) in enumerate(text.pages(pages)):
        head = f"Title: {title}\nDate: 20{number % 20:02}-{number % 12 + 1:02}-{number % 28 + 1:02}\n"
        head += f"Category: {text.WORDS[number % 7]}\nTags: {text.WORDS[number % 23]}\n"
        write(source / "content" / f"{name}.md", f"{head}\n{body}")
    settings = "AUTHOR = 'Nobody'\nSITENAME = 'Half a page'\nSITEURL = ''\nPATH = 'content'\nTIMEZONE = 'UTC'\n"
    settings += "DEFAULT_LANG = 'en'\nDEFAULT_PAGINATION = 50\nLINKS = ()\nSOCIAL = ()\n"
    write(source / "pelicanconf.py", settings)
    run("pelican", "-q", source / "content", "-o", out, "-s", source / "pelicanconf.py")


def site(name, pages):
    """The folder of a site by this generator, with so many pages; made if it is not there."""
    out = SITES / f"{name}-{pages}"
    if not out.exists():
        source, making = SITES / "source" / name, SITES / f"{name}.making"
        for folder in (source, making):
            shutil.rmtree(folder, ignore_errors=True)
        tools(name)
        {"mkdocs": mkdocs, "sphinx": sphinx, "pelican": pelican}[name](source, making, pages)
        shutil.rmtree(making / ".doctrees", ignore_errors=True)
        making.rename(out)
    return out


def tools(name):
    """Installs a generator."""
    marker = VENV / f"{name}.installed"
    if marker.exists():
        return
    if not (VENV / "bin" / "pip").exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    subprocess.run([VENV / "bin" / "pip", "install", "--quiet", *PACKAGES[name]], check=True)
    marker.touch()


def run(tool, *words):
    subprocess.run([VENV / "bin" / tool, *words], check=True, stdout=subprocess.DEVNULL)


def write(path: Path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
