"""The links of a page: where they lead, and what they say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from lxml.html import HtmlElement

from agentos.capabilities.pages import plain

MOST = 1000
MOST_URL = 2048
LOOKED_AT = 20_000
TEXT = 200
_SCHEMES = ("http", "https", "mailto")
# As a browser: these are taken out of a URL, wherever they stand in it.
_IGNORED = re.compile(r"[\t\n\r]")


@dataclass(frozen=True)
class Link:
    url: str
    text: str


def found(tree: HtmlElement, url: str) -> tuple[list[Link], bool]:
    """Every link once, in order, and whether there were more. Absolute where the page's own URL is known."""
    base = _base(tree, url)
    links: dict[str, Link] = {}
    for place, anchor in enumerate(tree.iter("a", "area")):
        if place >= LOOKED_AT or len(links) > MOST:
            break
        target = _target(base, anchor.get("href") or "")
        if target and target not in links:
            links[target] = Link(target, _text(anchor))
    return list(links.values())[:MOST], len(links) > MOST


def _base(tree: HtmlElement, url: str) -> str:
    """What links are relative to: the page's URL, or what the page says instead."""
    named = next((base.get("href") or "" for base in tree.iter("base") if base.get("href")), "")
    return (_joined(url, named) if url and named else "") or url


def _target(base: str, href: str) -> str:
    href = _IGNORED.sub("", href).strip()
    if not href or href.startswith("#") or len(href) > MOST_URL:
        return ""
    target = _joined(base, href)
    scheme = target.partition(":")[0].lower() if ":" in re.split(r"[/?#]", target, maxsplit=1)[0] else ""
    if scheme not in _SCHEMES and (scheme or base):
        return ""
    return target if plain.line(target, MOST_URL) == target and " " not in target else ""


def _joined(base: str, href: str) -> str:
    """A link seen from a page; empty where it leads nowhere that can be written down."""
    try:
        joined = urljoin(base, href).partition("#")[0] if base else href
        return joined if urlsplit(joined).hostname or not joined.lower().startswith("http") else ""
    except ValueError:
        return ""


def _text(anchor: HtmlElement) -> str:
    words, length = [], 0
    for piece in anchor.itertext():
        words.append(piece[: 4 * TEXT])
        length += len(piece)
        if length > 4 * TEXT:
            break
    said = plain.line("".join(words), TEXT)
    return said or plain.line(anchor.get("aria-label") or anchor.get("title") or "", TEXT)
