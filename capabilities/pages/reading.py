"""One page read: its bytes in, what it says out. Pure, and all of it may fail or take too long: see `turns`.

lxml builds the tree, trafilatura finds the main text in it and what the page says of itself. A page that is no page
for a reader (a million elements) is refused before the tree is built: a tree is fifty times the size of its tags.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import lxml.etree as etree
import trafilatura
from lxml.html import HtmlElement, HTMLParser, document_fromstring

from agentos.capabilities.failure import Invalid, Limit
from agentos.capabilities.pages import charset, links
from agentos.capabilities.pages.links import Link
from agentos.capabilities.pages.turns import HINT, too_large

MOST_TAGS = 300_000
MOST_ELEMENTS = 100_000
# What XML, and so the tree, cannot hold.
_IMPOSSIBLE = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_LANGUAGE = re.compile(r"[a-zA-Z]{2,3}(?:[-_][a-zA-Z0-9]{2,8}){0,3}")


@dataclass
class Page:
    """What a page says. `cut` is whether there was more."""

    title: str = ""
    text: str = ""
    links: list[Link] = field(default_factory=list)
    author: str = ""
    date: str = ""
    description: str = ""
    site: str = ""
    language: str = ""
    cut: bool = False


def read(html: bytes, url: str, named: str) -> Page:
    """What the page says. Raises Limit for what is too much, Invalid for what the libraries cannot read."""
    text = _IMPOSSIBLE.sub("", charset.decoded(html, named))
    if not text.strip():
        return Page()
    if text.count("<") > MOST_TAGS:
        raise Limit(f"the page has more than {MOST_TAGS:,} tags", HINT, "too_large")
    try:
        return _read(text, url)
    except MemoryError:
        raise too_large() from None
    except (etree.LxmlError, RecursionError, ValueError, LookupError, TypeError, AttributeError) as problem:
        # What a library makes of a page that it did not expect; its own text may quote the page.
        raise Invalid("the page cannot be read as HTML", "look at it as text", "bad_page") from problem


def _read(text: str, url: str) -> Page:
    parser = HTMLParser(
        encoding="utf-8", collect_ids=False, default_doctype=False, remove_comments=True, remove_pis=True
    )
    try:
        tree: HtmlElement = document_fromstring(text.encode(), parser=parser)
    except etree.ParserError:  # nothing in it but comments and the like
        return Page()
    if sum(1 for _ in tree.iter()) > MOST_ELEMENTS:
        raise Limit(f"the page has more than {MOST_ELEMENTS:,} elements", HINT, "too_large")
    found, more = links.found(tree, url)
    said = trafilatura.extract_metadata(tree, url or None, {"extensive_search": False, "original_date": True})
    main = trafilatura.bare_extraction(tree, url=url or None, include_comments=False)
    return Page(
        title=said.title or tree.findtext(".//title") or "",
        text=(main.text if main is not None and not isinstance(main, dict) else "") or "",
        links=found,
        author=said.author or "",
        date=said.date or "",
        description=said.description or "",
        site=said.sitename or "",
        language=_language(tree),
        cut=more or _too_deep(parser),
    )


def _language(tree: HtmlElement) -> str:
    """What the page declares itself to be in; empty for what is no language's tag."""
    declared = tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang") or tree.get("xml:lang") or ""
    return declared.strip() if _LANGUAGE.fullmatch(declared.strip()) else ""


def _too_deep(parser: HTMLParser) -> bool:
    """Whether the parser stopped in the middle, as it does at elements within elements within elements."""
    return any(problem.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for problem in parser.error_log)
