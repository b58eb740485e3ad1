"""Text as it is handed out: what a reader sees, and no character besides.

A page can hide words from people that a model reads: controls that reorder text, characters of no width, tags and
variation selectors that spell out bytes. None of them leaves this process; nor do the joiners that the scripts of
Arabic and of India write with, which the library takes out as well.
"""

from __future__ import annotations

import re
import unicodedata

MOST_TEXT = 1 << 20
MOST_LINE = 500

_BLANK = re.compile(r"[ \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_BREAKS = re.compile(r"(?:\r\n|[\r\n\v\f\x85\u2028\u2029])\s*")
# Cc, Cf, Co, Cs and Cn, and what selects a variation; \n is dealt with before.
_UNSEEN = frozenset(("Cc", "Cf", "Co", "Cs", "Cn"))


def paragraphs(text: str) -> tuple[str, bool]:
    """One paragraph a line, and whether the end had to be left out."""
    lines = (_seen(_BLANK.sub(" ", line)).strip() for line in _BREAKS.split(text))
    whole = "\n".join(filter(None, lines)).encode()
    return whole[:MOST_TEXT].decode(errors="ignore"), len(whole) > MOST_TEXT


def line(text: str, most: int = MOST_LINE) -> str:
    """All of it on one line, at most so many characters."""
    return _seen(" ".join(text[: 4 * most].split()))[:most].strip()


def _seen(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(character for character in text if not _hidden(character))


def _hidden(character: str) -> bool:
    variation = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    blank = character in "\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5"  # letters in name, and nothing to be seen
    return variation or blank or unicodedata.category(character) in _UNSEEN
