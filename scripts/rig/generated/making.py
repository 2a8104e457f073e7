"""Makes sites with generators, each into build/sites/NAME, once.

Octopress is not among them, since its last version is a theme of Jekyll's: Jekyll's pages lie here where Octopress has
them. Zola is in none of the registries that the tests use.
"""

import shutil

from . import text
from .eleventy import eleventy
from .installed import SITES, install, run
from .text import date, write


# Pages that the generators are given: in each run, and in a full one.
QUICK = {"mkdocs": 30, "sphinx": 30, "pelican": 300, "hugo": 300, "mdbook": 30}
FULL = {"mkdocs": 200, "sphinx": 200, "pelican": 5_000, "hugo": 5_000, "mdbook": 200, "jekyll": 500, "eleventy": 500}


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
        head = f"Title: {title}\nDate: {date(number)}\n"
        head += f"Category: {text.WORDS[number % 7]}\nTags: {text.WORDS[number % 23]}\n"
        write(source / "content" / f"{name}.md", f"{head}\n{body}")
    settings = "AUTHOR = 'Nobody'\nSITENAME = 'Half a page'\nSITEURL = ''\nPATH = 'content'\nTIMEZONE = 'UTC'\n"
    settings += "DEFAULT_LANG = 'en'\nDEFAULT_PAGINATION = 50\nLINKS = ()\nSOCIAL = ()\n"
    write(source / "pelicanconf.py", settings)
    run("pelican", "-q", source / "content", "-o", out, "-s", source / "pelicanconf.py")


def hugo(source, out, pages):
    """Hugo with the theme that it makes: assets with a hash in their names, folders with an index.html, tags, feeds."""
    for number, (name, title, body) in enumerate(text.pages(pages)):
        head = f"title: {title}\ndate: {date(number)}\ntags: [{text.WORDS[number % 23]}]\n"
        write(source / "content" / "posts" / f"{name}.md", f"---\n{head}---\n\n{body}")
    settings = "title = 'Half a page'\nbaseURL = '/'\npagination.pagerSize = 50\n"
    write(source / "hugo.toml", settings)
    run("hugo", "new", "theme", "half", "--source", source)
    write(source / "hugo.toml", f"{settings}theme = 'half'\n")
    run("hugo", "build", "--quiet", "--source", source, "--destination", out)


def mdbook(source, out, pages):
    """mdBook with its own theme: NAME.html, hashes in the names of assets and of the search index, an empty .nojekyll."""
    lines = []
    for name, title, body in text.pages(pages):
        write(source / "src" / f"{name}.md", f"# {title}\n\n{body}")
        lines.append(f"- [{title}]({name}.md)\n")
    write(source / "src" / "SUMMARY.md", f"# Summary\n\n{''.join(lines)}")
    write(source / "book.toml", "[book]\ntitle = 'Half a page'\n")
    run("mdbook", "build", source, "--dest-dir", out)


def jekyll(source, out, pages):
    """Jekyll with Minima: posts where Octopress has them, styles from Sass, a feed."""
    write(source / "index.md", "---\nlayout: home\n---\n")
    write(source / "about.md", "---\nlayout: page\ntitle: About\npermalink: /about/\n---\n\nHalf a page.\n")
    for number, (name, title, body) in enumerate(text.pages(pages)):
        head = f"layout: post\ntitle: {title}\ncategories: {text.WORDS[number % 7]}\n"
        write(source / "_posts" / f"{date(number)}-{name}.md", f"---\n{head}---\n\n{body}")
    settings = "title: Half a page\nurl: ''\ntheme: minima\nplugins: [jekyll-feed, jekyll-seo-tag]\n"
    settings += "permalink: /blog/:year/:month/:day/:title/\n"
    write(source / "_config.yml", settings)
    run("jekyll", "build", "--quiet", "--disable-disk-cache", "--source", source, "--destination", out)


GENERATORS = {each.__name__: each for each in (mkdocs, sphinx, pelican, hugo, mdbook, jekyll, eleventy)}


def site(name, pages):
    """The folder of a site by this generator, with so many pages; made if it is not there."""
    out = SITES / f"{name}-{pages}"
    if not out.exists():
        source, making = SITES / "source" / name, SITES / f"{name}.making"
        for folder in (source, making):
            shutil.rmtree(folder, ignore_errors=True)
        install(name)
        GENERATORS[name](source, making, pages)
        shutil.rmtree(making / ".doctrees", ignore_errors=True)
        making.rename(out)
    return out
