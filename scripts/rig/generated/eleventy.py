"""A blog by Eleventy, with what its base blog has; its theme is written here, for it comes with none."""

from . import text
from .installed import run
from .text import date, write

CONFIGURATION = """\
import { EleventyHtmlBasePlugin } from "@11ty/eleventy";
import navigation from "@11ty/eleventy-navigation";
import { feedPlugin } from "@11ty/eleventy-plugin-rss";

export default function (configuration) {
    configuration.addPlugin(EleventyHtmlBasePlugin);
    configuration.addPlugin(navigation);
    configuration.addPlugin(feedPlugin, {
        type: "atom", outputPath: "/feed/feed.xml", collection: { name: "posts", limit: 10 },
        metadata: { language: "en", title: "Half a page", base: "http://localhost/", author: { name: "Nobody" } },
    });
    configuration.addBundle("css", { toFileDirectory: "dist", bundleHtmlContentFromSelector: "style" });
    return { dir: { input: "content", includes: "../layouts" } };
}
"""

LAYOUT = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{{ title }}</title>
<link rel="stylesheet" href="{% getBundleFileUrl 'css' %}"><style>main { max-width: 40em }</style></head>
<body><nav>{{ collections.all | eleventyNavigation | eleventyNavigationToHtml | safe }}</nav>
<main><h1>{{ title }}</h1>{{ content | safe }}
{% for tag in tags %}<a href="/tags/{{ tag | slugify }}/">{{ tag }}</a> {% endfor %}</main></body>
</html>
"""

LISTED = """\
<ol>{% for post in pagination.items %}<li><a href="{{ post.url }}">{{ post.data.title }}</a></li>{% endfor %}</ol>
{% if pagination.href.next %}<a href="{{ pagination.href.next }}">Older</a>{% endif %}
"""

TAGGED = """\
<ul>{% for post in collections[tag] %}<li><a href="{{ post.url }}">{{ post.data.title }}</a></li>{% endfor %}</ul>
"""


def eleventy(source, out, pages):
    """Eleventy: a menu, lists by page and by tag, a feed, styles with a hash in their name."""
    write(source / "package.json", '{"type": "module"}\n')
    write(source / "eleventy.config.js", CONFIGURATION)
    write(source / "layouts" / "page.njk", LAYOUT)
    for number, (name, title, body) in enumerate(text.pages(pages)):
        head = f"layout: page.njk\ntitle: {title}\ndate: {date(number)}\ntags: [posts, {text.WORDS[number % 23]}]\n"
        write(source / "content" / "blog" / f"{name}.md", f"---\n{head}---\n\n{body}")
    menu = "layout: page.njk\ntitle: Posts\neleventyNavigation: {key: Home}\n"
    listed = "pagination: {data: collections.posts, size: 50}\n"
    write(source / "content" / "index.njk", f"---\n{menu}{listed}---\n{LISTED}")
    tagged = "pagination: {data: collections, size: 1, alias: tag}\npermalink: '/tags/{{ tag | slugify }}/'\n"
    write(source / "content" / "tags.njk", f"---\nlayout: page.njk\ntitle: Tag\n{tagged}---\n{TAGGED}")
    run("eleventy", "--quiet", f"--output={out}", folder=source)
