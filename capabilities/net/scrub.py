"""Finds secrets in what comes back, and puts a mark in place of each: `[secret github]`.

Theory of operation. What is looked for are needles: the value (and what stood for it in the header), whatever the case
of its letters; its hex digits; UTF-16; and its base64, of which a stretch is the same wherever in a longer text the
value stands, for each of three alignments: so `user:value` is found for any user. All needles are looked for in the
bytes as they are, and again in what the bytes say when `%41`, `\\u0041`, `\\x41`, `\\/`, `&#65;` and `&amp;` are read.
What was found is replaced from its first byte to its last, and where finds overlap, all of them at once.

A stream holds back as many bytes as the longest find could have, and gives them out with the next piece, or when the
body has ended as it should. No value has a line's end in it, so that whole lines need not wait (server-sent events are
not delayed). How much is held back must not depend on how much of a value is there already: a program that makes the
other side say what it guesses would learn a value letter by letter, by what is given out late. For the same reason what
is held back when a body breaks off, or is cut off at a limit, is never given out.

What is not found: a value that the other side transformed in any other way (reversed, ROT13, encrypted, compressed
within the body, one letter to a line, in two requests). Who answers has been given the secret, and can say it in words
that nobody recognises. docs/security.md says so.
"""

from __future__ import annotations

import base64
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from agentos.v1 import secrets
from agentos.v1.capability_pb2 import Secret

# A letter in either case, and a blank as forms write it.
_FOLD = bytes(b" "[0] if byte == b"+"[0] else byte for byte in bytes(range(256)).lower())
_ESCAPE = re.compile(
    rb"%[0-7][0-9A-Fa-f]|\\u00[0-7][0-9A-Fa-f]|\\x[0-7][0-9A-Fa-f]|\\[^0-9A-Za-z\s]"
    rb"|&#[0-9]{1,3};|&#[xX]0{0,2}[0-7]?[0-9A-Fa-f];|&(?:amp|lt|gt|quot|apos);"
)
_NAMED = {b"&amp;": b"&", b"&lt;": b"<", b"&gt;": b">", b"&quot;": b'"', b"&apos;": b"'"}
_LONGEST_ESCAPE = len(b"&#x0041;")


class Span(NamedTuple):
    start: int
    end: int
    mark: bytes


class Needle(NamedTuple):
    """What is looked for, folded, and what stands in its place then."""

    text: bytes
    mark: bytes


class Reading(NamedTuple):
    """Bytes as they are, or with their escapes read. `escapes` are (start, end) in the bytes as they are."""

    folded: bytes
    escapes: Sequence[tuple[int, int]] = ()
    here: Sequence[int] = (0,)
    there: Sequence[int] = (0,)

    def origin(self, at: int) -> int:
        """Where the byte at this place came from."""
        piece = bisect_right(self.here, at) - 1
        return self.there[piece] + at - self.here[piece]


class Needles:
    """All that a call's secrets may look like."""

    def __init__(self, named: Iterable[Secret]) -> None:
        found = {needle.text: needle for each in named for needle in _needles(each)}
        self._all = list(found.values())
        self.longest = _LONGEST_ESCAPE * max(map(len, found), default=0)

    def __bool__(self) -> bool:
        return bool(self._all)

    def whole(self, raw: bytes) -> bytes:
        """All of something, with marks."""
        return _marked(raw, len(raw), self.spans(_readings(raw)))[0] if self._all else raw

    def text(self, text: str) -> str:
        """A header or the text of an error, with marks."""
        return self.whole(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def spans(self, readings: Sequence[Reading], found: int = 0) -> list[Span]:
        """Where they are, in order; what overlaps is one. What was `found` before goes on up to there."""
        merged = [Span(0, found, b"")] if found else []
        for span in sorted(span for reading in readings for span in self._found(reading)):
            if merged and span.start < merged[-1].end:
                merged[-1] = merged[-1]._replace(end=max(merged[-1].end, span.end))
            else:
                merged.append(span)
        return merged

    def _found(self, reading: Reading) -> Iterator[Span]:
        for text, mark in self._all:
            at = reading.folded.find(text)
            while at >= 0:
                yield Span(reading.origin(at), reading.origin(at + len(text)), mark)
                at = reading.folded.find(text, at + 1)


class Stream:
    """The pieces of one body, in order. `end` is for a body that ended as it should; else what is held back is lost."""

    def __init__(self, needles: Needles) -> None:
        self._needles = needles
        self._held = b""
        self._found = 0  # how much of what is held back belongs to a find whose mark was given out

    def feed(self, piece: bytes) -> bytes:
        """What can be given out now."""
        if not self._needles:
            return piece
        raw = self._held + piece
        readings = _readings(raw)
        until = max(raw.rfind(b"\n") + 1, len(raw) - self._needles.longest, 0)
        until = _not_within(readings[-1].escapes, until)
        self._held = raw[until:]
        said, self._found = _marked(raw, until, self._needles.spans(readings, self._found))
        return said

    def end(self) -> bytes:
        """What was held back."""
        raw, self._held = self._held, b""
        return _marked(raw, len(raw), self._needles.spans(_readings(raw), self._found))[0]


def _not_within(escapes: Sequence[tuple[int, int]], at: int) -> int:
    """The place itself, or the start of the escape that it would cut in two."""
    place = bisect_right(escapes, at, key=lambda escape: escape[1])
    return min(at, escapes[place][0]) if place < len(escapes) else at


def _marked(raw: bytes, until: int, spans: Sequence[Span]) -> tuple[bytes, int]:
    """The bytes up to there with marks, and how far beyond that the last find goes on."""
    pieces, at = [], 0
    for span in spans:
        if span.start < until or not span.mark:
            pieces += [raw[at : span.start], span.mark]
            at = span.end
    return b"".join([*pieces, raw[at:until]]), max(at - until, 0)


# ---- needles


def _needles(secret: Secret) -> Iterator[Needle]:
    mark = f"[secret {secret.name}]".encode()
    for text in {secret.value, secrets.standing(secret.form, secret.value)}:
        raw = text.encode()
        for plain in (raw, raw.hex().encode(), b"\0".join(raw[at : at + 1] for at in range(len(raw)))):
            yield Needle(_folded(plain), mark)
        for pad in range(3):
            # Without the letters that are half of what stands before or behind: four bits of the value at most.
            stretch = base64.b64encode(bytes(pad) + raw)[(0, 2, 3)[pad] : 8 * (pad + len(raw)) // 6]
            for alphabet in (stretch, stretch.translate(bytes.maketrans(b"+/", b"-_"))):
                yield Needle(_folded(alphabet), mark)


def _folded(raw: bytes) -> bytes:
    return raw.translate(_FOLD)


# ---- readings


def _readings(raw: bytes) -> list[Reading]:
    """The bytes as they are; and with their escapes read, where there are any."""
    plain = Reading(_folded(raw))
    pieces: list[bytes] = []
    escapes: list[tuple[int, int]] = []
    here, there, last, size = [0], [0], 0, 0
    for found in _ESCAPE.finditer(raw):
        start, end = span = found.span()
        size += start - last
        pieces += (raw[last:start], _meant(found[0]))
        escapes.append(span)
        here += (size, size + 1)
        there += span
        last, size = end, size + 1
    if not escapes:
        return [plain]
    return [plain, Reading(_folded(b"".join([*pieces, raw[last:]])), escapes, here, there)]


@lru_cache(4096)
def _meant(escape: bytes) -> bytes:
    """The byte that an escape stands for."""
    if escape.startswith(b"&#"):
        digits = escape[2:-1]
        return bytes([int(digits[1:], 16) if digits[:1] in b"xX" else int(digits) % 256])
    if escape.startswith(b"&"):
        return _NAMED[escape]
    if escape[1:2] in b"ux" or escape.startswith(b"%"):
        return bytes.fromhex(escape[-2:].decode())
    return escape[1:]
