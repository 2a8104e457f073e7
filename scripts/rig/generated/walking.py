"""Walks a served site: every link resolves, every file comes as it is."""

import gzip
import hashlib
import http.client
import html.parser
import urllib.parse

# What a document refers to, by element.
REFERENCES = {"a": "href", "link": "href", "img": "src", "script": "src", "source": "src", "iframe": "src"}
# They say where things would be once the site has a name of its own, or are no documents to fetch.
NOT_FETCHED = {"canonical", "preconnect", "dns-prefetch", "alternate"}
SECONDS = 60


class Links(html.parser.HTMLParser):
    """The references of a document."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        reference = values.get(REFERENCES.get(tag))
        if reference and not NOT_FETCHED & set((values.get("rel") or "").split()):
            self.found.append(reference)


class Walk:
    """A client of one site on a connection that it keeps."""

    def __init__(self, address, port, folder):
        self._connection = http.client.HTTPConnection(address, port, timeout=SECONDS)
        self._folder = folder
        self.requests = 0
        self.wrong = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # A connection that is left open is one that the server waits for at its end.
        self._connection.close()

    def get(self, path, **fields):
        """Status, header fields and body."""
        self._connection.request("GET", path, headers=fields)
        response = self._connection.getresponse()
        self.requests += 1
        return response.status, response.headers, response.read()

    def files(self):
        """Every file, by its own URL and by its short one, plain and with gzip."""
        for file in sorted(self._folder.rglob("*")):
            name = file.relative_to(self._folder).as_posix()
            if not file.is_file() or any(part.startswith(".") for part in name.split("/")):
                continue
            body = file.read_bytes()
            urls = ["/" + name]
            if file.name == "index.html":
                urls.append("/" + name.removesuffix("index.html"))
            elif file.suffix == ".html":
                urls.append("/" + name.removesuffix(".html"))
            for url in urls:
                self._is(urllib.parse.quote(url), body)

    def _is(self, url, body):
        status, _, found = self.get(url)
        if status != 200 or digest(found) != digest(body):
            self.wrong.append(f"{url}: {status}, {len(found)} bytes of {len(body)}")
        status, fields, found = self.get(url, **{"Accept-Encoding": "gzip"})
        if fields["Content-Encoding"] == "gzip":
            found = gzip.decompress(found)
        if status != 200 or digest(found) != digest(body):
            self.wrong.append(f"{url} with gzip: {status}, {len(found)} bytes of {len(body)}")

    def links(self):
        """Every link, from the first page on; gives the number of documents."""
        ahead, seen, documents = [("/", "the start")], {"/"}, 0
        while ahead:
            url, origin = ahead.pop()
            status, fields, body = self.get(url)
            if status in (301, 302, 308):
                self._add(urllib.parse.urljoin(url, fields["Location"]), origin, seen, ahead)
                continue
            if status != 200:
                self.wrong.append(f"{url}: {status}, linked from {origin}")
            elif fields["Content-Type"].startswith("text/html"):
                documents += 1
                for reference in Links(body.decode("utf-8", "replace")).found:
                    self._add(urllib.parse.urljoin(url, reference), url, seen, ahead)
        return documents

    @staticmethod
    def _add(link, origin, seen, ahead):
        parts = urllib.parse.urlsplit(link)
        if parts.scheme or parts.netloc or not parts.path:
            return
        url = urllib.parse.quote(parts.path, safe="/%:@!$&'()*+,;=~") + (f"?{parts.query}" if parts.query else "")
        if url not in seen:
            seen.add(url)
            ahead.append((url, origin))


def digest(body):
    return hashlib.sha256(body).digest()
