"""Text from programs, made safe to show: what a terminal would obey or a reader could not see is spelled out.

Two strengths. In a question to the person nothing may hide: every control, format, bidirectional, zero-width and
unusual space character, and every pile of combining marks, is shown as an escape. In a program's own output only
what a terminal obeys or what turns a line around is escaped, so that other scripts and emoji stay readable.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST = 200
# Bidirectional controls, line and paragraph separators, and the tag characters that can carry hidden text.
_TURNING = "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f"
_OBEYED = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_TURNING}\ud800-\udfff]")
# Letters and marks that show nothing at all: fillers, joiners, the blank braille cell, variation selectors.
_BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef"
_BLANK_CHARACTER = re.compile(f"[{_BLANK}]")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
_MARKS = frozenset({"Mn", "Me"})
_PILE = 2


def escaped(text: str) -> str:
    """Text for a question or a table: one line, nothing hidden, nothing obeyed."""
    if text.isascii() and text.isprintable():
        return text
    shown, pile = [], 0
    for character in text:
        category = unicodedata.category(character)
        pile = pile + 1 if category in _MARKS else 0
        hidden = category in _HIDDEN and character != " "
        shown.append(_escape(character) if hidden or pile > _PILE or _BLANK_CHARACTER.match(character) else character)
    return "".join(shown)


def quoted(text: str, longest: int = LONGEST) -> str:
    """Escaped and capped in the middle, so that both ends of a long path are seen."""
    safe = escaped(text)
    if len(safe) <= longest:
        return safe
    left = (longest - 20) // 2
    return f"{safe[:left]}…({len(safe) - 2 * left:,} more)…{safe[-left:]}"


def printable(text: str) -> str:
    """A program's output for a terminal: lines and tabs stay, what a terminal obeys is spelled out."""
    return _OBEYED.sub(lambda match: _escape(match.group()), text)


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def plural(count: int, word: str, more: str = "") -> str:
    """'1 call', '12 calls', '1,204 calls'."""
    return f"{count:,} {word if count == 1 else more or word + 's'}"


def size(count: int) -> str:
    """Bytes as a person says them: 512 B, 20 kB, 128 MiB."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= unit:
            return f"{_short(count / unit)} {name}"
    return f"{count} B"


def span(microseconds: int) -> str:
    """A duration as a person says it: 840 µs, 3.1 ms, 2.4 s, 3 min 5 s."""
    if microseconds < 1_000:
        return f"{microseconds} µs"
    if microseconds < 1_000_000:
        return f"{_short(microseconds / 1_000)} ms"
    if microseconds < 60_000_000:
        return f"{_short(microseconds / 1_000_000)} s"
    minutes, seconds = divmod(microseconds // 1_000_000, 60)
    return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"


def _short(number: float) -> str:
    """Three digits, or as many as stand before the point: never 1.02e+03."""
    return f"{number:.0f}" if number >= 999.5 else f"{number:.3g}"
