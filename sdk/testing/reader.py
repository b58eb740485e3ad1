"""The pages capability in memory: the text of a simple page, as a test writes it. The real one guesses better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from urllib.parse import urljoin

from agentos.v1 import pages_pb2 as pb

_BESIDE = ("aside", "footer", "head", "header", "nav", "noscript", "script", "style", "template")
_BLOCKS = ("article", "blockquote", "br", "div", "h1", "h2", "h3", "h4", "li", "main", "p", "pre", "td", "tr")


class Reader:
    """Takes out what is between the tags, but for what surrounds a text; title, links, author and language as said."""

    def extract(self, request: pb.PagesExtractRequest, bounds: Mapping[str, Sequence[str]]) -> pb.PagesExtractResponse:
        page = _Page(request.url)
        page.feed(request.html.decode(request.charset or "utf-8", "replace"))
        page.close()
        lines = (" ".join(line.split()) for line in "".join(page.text).split("\n"))
        links = [pb.PageLink(url=url, text=" ".join("".join(text).split())) for url, text in page.links.items()]
        return pb.PagesExtractResponse(
            title=" ".join("".join(page.title).split()), text="\n".join(filter(None, lines)), links=links,
            author=page.meta.get("author", ""), description=page.meta.get("description", ""), language=page.language,
        )  # fmt: skip


class _Page(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._beside: list[str] = []
        self._link: list[str] = []
        self._titled = False
        self.title: list[str] = []
        self.text: list[str] = []
        self.links: dict[str, list[str]] = {}
        self.meta: dict[str, str] = {}
        self.language = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "a":
            url = urljoin(self._url, said.get("href", ""))
            follows = url.partition(":")[0] in ("http", "https", "mailto") or ":" not in url
            self._link = self.links.setdefault(url, []) if url and follows else []
        elif tag == "meta":
            self.meta[said.get("name", "")] = said.get("content", "")
        elif tag == "html":
            self.language = said.get("lang", "")
        self._titled = tag == "title"
        if tag in _BESIDE:
            self._beside.append(tag)
        if tag in _BLOCKS:
            self.text.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._titled = False
        if tag == "a":
            self._link = []
        if tag in self._beside:
            del self._beside[self._beside.index(tag) :]
        if tag in _BLOCKS:
            self.text.append("\n")

    def handle_data(self, data: str) -> None:
        self._link.append(data)
        if self._titled:
            self.title.append(data)
        elif not self._beside:
            self.text.append(data)
