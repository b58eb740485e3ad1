"""What a web page says, without what surrounds it.

Generated from agentos/v1/pages.proto by `python -m agentos.sdk.generate`: change the proto, not this file.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentos.sdk.calls import Call, Reply, action

__all__ = ["ExtractResponse", "PageLink", "extract"]


@dataclass(frozen=True, slots=True)
class ExtractResponse:
    title: str = ""
    text: str = ""
    """The main content as plain text, one paragraph a line; at most 1 MiB."""
    links: tuple[PageLink, ...] = ()
    """In order, each once; at most 1,000."""
    author: str = ""
    date: str = ""
    """As the page gives it: 2026-11-28."""
    description: str = ""
    site: str = ""
    language: str = ""
    """As the page declares it: en."""
    cut: bool = False
    """There was more than is said here: a longer text, more links, elements nested too deep."""

    @classmethod
    def from_wire(cls, reply: Reply) -> ExtractResponse:
        return cls(
            title=reply.get("title", ""),
            text=reply.get("text", ""),
            links=tuple(PageLink.from_wire(item) for item in reply.get("links", ())),
            author=reply.get("author", ""),
            date=reply.get("date", ""),
            description=reply.get("description", ""),
            site=reply.get("site", ""),
            language=reply.get("language", ""),
            cut=reply.get("cut", False),
        )


@dataclass(frozen=True, slots=True)
class PageLink:
    url: str = ""
    """Absolute, or as it stands in the page where its URL is not known. http, https and mailto alone."""
    text: str = ""

    @classmethod
    def from_wire(cls, reply: Reply) -> PageLink:
        return cls(
            url=reply.get("url", ""),
            text=reply.get("text", ""),
        )


@action
def extract(*, html: bytes = b"", url: str = "", charset: str = "") -> Call[ExtractResponse]:
    """Readable text, title, links and metadata of one HTML page.

    Every program may make this call.

    html: The page as it came, at most 4 MiB.
    url: Where it came from, so that its links can be made absolute; empty leaves them as they are.
    charset: The charset that the answer's Content-Type names; empty means what the page says of itself.
    """
    return Call("pages.extract", {"html": html, "url": url, "charset": charset}, ExtractResponse.from_wire)
