"""Finds secrets in what comes back, and puts a mark in place of each: `[secret github]`.

Theory of operation. What is looked for are needles: the value (and what stood for it in the header), whatever the case
of its letters; its hex digits; UTF-16; and its base64, of which a stretch is the same wherever in a longer text the
value stands, for each of three alignments: so `user:value` is found for any user. All needles are looked for in the
bytes as they are, and again in what the bytes say when `%41`, `\\u0041`, `\\x41`, `\\/`, `&#65;` and `&amp;` are read.
What was found is replaced from its first byte to its last, and where finds overlap, all of them at once.

A stream is held back only where its end could be the beginning of a find, so that a value across two pieces is found
and an answer that trickles in (server-sent events) is not delayed. What is held back when a body breaks off, or is cut
off at a limit, is never given out: it may be most of a value.

What is not found: a value that the other side transformed in any other way (reversed, ROT13, encrypted, compressed
within the body, one letter to a line, in two requests). Who answers has been given the secret, and can say it in words
that nobody recognises. docs/security.md says so.
"""

from __future__ import annotations

import base64
import re
import string
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
_BEGUN = re.compile(rb"(?:%[0-7]?|\\(?:u0{0,2}[0-7]?|x[0-7]?)?|&(?:#[0-9]{0,3}|#[xX][0-9A-Fa-f]{0,4}|[a-z]{1,4})?)\Z")
_BASE64 = frozenset(bytes([letter]) for letter in (string.ascii_letters + string.digits + "+/-_").encode())
_TAIL = 3  # behind a stretch of base64: the letter that belongs half to what follows, and `==`


class Span(NamedTuple):
    start: int
    end: int
    mark: bytes


class Needle(NamedTuple):
    """What is looked for, folded. `before` and `after`: base64, whose neighbouring letters are half of the value's."""

    text: bytes
    mark: bytes
    before: bool = False
    after: bool = False


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

    def __bool__(self) -> bool:
        return bool(self._all)

    def whole(self, raw: bytes) -> bytes:
        """All of something, with marks."""
        return _marked(raw, self.spans(_readings(raw), raw)) if self._all else raw

    def text(self, text: str) -> str:
        """A header or the text of an error, with marks."""
        return self.whole(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def spans(self, readings: Sequence[Reading], raw: bytes) -> list[Span]:
        """Where they are, in order; what overlaps is one."""
        merged: list[Span] = []
        for span in sorted(span for reading in readings for span in self._found(reading, raw)):
            if merged and span.start < merged[-1].end:
                merged[-1] = merged[-1]._replace(end=max(merged[-1].end, span.end))
            else:
                merged.append(span)
        return merged

    def _found(self, reading: Reading, raw: bytes) -> Iterator[Span]:
        for needle in self._all:
            at = reading.folded.find(needle.text)
            while at >= 0:
                start, end = reading.origin(at), reading.origin(at + len(needle.text))
                yield Span(*_widened(raw, start, end, needle), needle.mark)
                at = reading.folded.find(needle.text, at + 1)

    def begun(self, reading: Reading) -> int:
        """Where, in the bytes as they are, the end could be the beginning of one; the very end if nowhere."""
        folded, first = reading.folded, len(reading.folded)
        for needle in self._all:
            at = max(len(folded) - len(needle.text) + 1, 0)
            while (at := folded.find(needle.text[:1], at, first + needle.before)) >= 0:
                if needle.text.startswith(folded[at:]):
                    first = min(first, max(at - needle.before, 0))
                at += 1
        return reading.origin(first)


class Stream:
    """The pieces of one body, in order. `end` is for a body that ended as it should; else what is held back is lost."""

    def __init__(self, needles: Needles) -> None:
        self._needles = needles
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """What can be given out now."""
        if not self._needles:
            return piece
        raw = self._held + piece
        readings = _readings(raw)
        spans = self._needles.spans(readings, raw)
        until = self._until(raw, readings, spans)
        self._held = raw[until:]
        return _marked(raw[:until], [span for span in spans if span.end <= until])

    def end(self) -> bytes:
        """What was held back."""
        raw, self._held = self._held, b""
        return self._needles.whole(raw)

    def _until(self, raw: bytes, readings: Sequence[Reading], spans: Sequence[Span]) -> int:
        """How much can be given out: not what may be the beginning of a find, and no find and no escape in two."""
        whole = _unended(raw)
        before = readings if whole == len(raw) else [readings[0], *_readings(raw[:whole])]
        until = min(map(self._needles.begun, before))
        half = len(raw) - (raw[-1:] in _BASE64)  # may be the letter before a stretch of base64
        until = min(until, whole, half, *(span.start for span in spans[-1:] if span.end + _TAIL > len(raw)))
        while (cut := min(_before(spans, until), _before(readings[-1].escapes, until))) < until:
            until = cut
        return until


def _before(parts: Sequence[Span] | Sequence[tuple[int, int]], at: int) -> int:
    """The place itself, or the start of the part that it would cut in two. Parts are in order and apart."""
    place = bisect_right(parts, at, key=lambda part: part[1])
    return min(at, parts[place][0]) if place < len(parts) else at


# ---- needles


def _needles(secret: Secret) -> Iterator[Needle]:
    mark = f"[secret {secret.name}]".encode()
    for text in {secret.value, secrets.standing(secret.form, secret.value)}:
        raw = text.encode()
        for plain in (raw, raw.hex().encode(), b"\0".join(raw[at : at + 1] for at in range(len(raw)))):
            yield Needle(_folded(plain), mark)
        for pad in range(3):
            written = base64.b64encode(bytes(pad) + raw)
            bits = 8 * (pad + len(raw))
            stretch = written[(0, 2, 3)[pad] : bits // 6]
            for alphabet in (stretch, stretch.translate(bytes.maketrans(b"+/", b"-_"))):
                yield Needle(_folded(alphabet), mark, bool(pad), bits % 6 > 0)


def _folded(raw: bytes) -> bytes:
    return raw.translate(_FOLD)


def _widened(raw: bytes, start: int, end: int, needle: Needle) -> tuple[int, int]:
    if needle.before and start and raw[start - 1 : start] in _BASE64:
        start -= 1
    if needle.after and raw[end : end + 1] in _BASE64:
        end += 1
        end += len(raw[end : end + 2]) - len(raw[end : end + 2].lstrip(b"="))
    return start, end


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


def _unended(raw: bytes) -> int:
    """Where an escape begins that has no end yet."""
    found = _BEGUN.search(raw, max(len(raw) - 8, 0))
    return found.start() if found else len(raw)


def _marked(raw: bytes, spans: Sequence[Span]) -> bytes:
    pieces, at = [], 0
    for span in spans:
        pieces += [raw[at : span.start], span.mark]
        at = span.end
    return b"".join([*pieces, raw[at:]])
