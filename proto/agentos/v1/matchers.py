"""How a bound of a manifest is compared with a field of a request: pure text, no I/O, nothing but the standard library.

The kernel decides with these functions and a capability checks with them again at the moment of use, so there is one
reading of every pattern. A value or a pattern is first brought into its one canonical form, or refused with `BadName`;
matching then compares canonical forms only. What is refused here cannot be shown to a person as one thing and opened
as another: invisible characters, `..`, numbers that a resolver would read as addresses, quoted mail names.

Paths. A pattern is a path whose segments may hold `*` (any run of characters) and `?` (one character); a segment that
is `**` stands for any number of segments. At the end it stands for at least one: `notes/**` is all that is in notes,
not notes itself, so that a grant over a folder's content does not let a program move the folder away. Wildcards match
names that begin with a dot. `\\` before one of `* ? [ ] { } \\` means the character itself; `literal` writes it so.

Hosts. `*.example.com` stands for exactly one label, as in a certificate. Mail. `*@example.com` is anybody there.

Cost. Patterns have at most 32 wildcards, paths at most 256 segments of at most 255 bytes. Within a segment the text
between two stars is found leftmost by `str.find`; between two `**` the segments likewise. Leftmost is enough (what a
later star can absorb only grows), so nothing is ever tried twice over, and no input is slow.

Containment compares two patterns symbol by symbol, the narrow one read as if it were text: what a wildcard of the
narrow pattern may stand for, only an equal or wider wildcard of the wide one covers. That is sound for any alphabet.
"""

from __future__ import annotations

import ipaddress
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

PATH = 1
HOST = 2
MAIL = 3
EXACT = 4
MAXIMUM = 5
BUDGET = 6

_NAMED = (PATH, HOST, MAIL, EXACT)
_COUNTED = (MAXIMUM, BUDGET)
_PATH_BYTES = 4095
_SEGMENT_BYTES = 255
_SEGMENTS = 256
_WILDCARDS = 32
_EXACT_BYTES = 4096
_AMOUNT_MOST = 2**63 - 1

# Default_Ignorable_Code_Point beyond category Cf: drawn as nothing, so two names could look like one.
_INVISIBLE = frozenset(
    map(chr, (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x2065, 0x3164, 0xFFA0))
) | frozenset(map(chr, range(0xFE00, 0xFE10)))
_HIDDEN_CATEGORIES = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
_SPECIAL = "*?[]{}\\"
_LABEL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_LOCAL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._+-'=&~#")
_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}


class BadName(ValueError):
    """A name or pattern that has no canonical form. Its message is one line, safe to show, and says what is wrong."""


def canonical_path(text: str, start: str, home: str) -> str:
    """The one absolute spelling of a path that is absolute, `~`, `~/…` or relative to `start`."""
    return _join(_fitting(_segments(_anchored(text, start, home))))


def canonical_value(matcher: int, text: str, start: str, home: str) -> str:
    """The canonical form of what a request names; for a counted matcher, of the count."""
    match matcher:
        case 1:
            return canonical_path(text, start, home)
        case 2:
            return _host(text)
        case 3:
            return _mail(text)
        case 4:
            return _exact(text)
        case _ if matcher in _COUNTED:
            return str(amount(text))
        case _:
            raise BadName("no such matcher")


def canonical_pattern(matcher: int, text: str, start: str, home: str) -> str:
    """The canonical form of a bound's value, as a manifest or an edited prompt gives it."""
    match matcher:
        case 1:
            return _path_pattern(text, start, home)
        case 2:
            return _host_pattern(text)
        case 3:
            return _mail_pattern(text)
        case _:
            return canonical_value(matcher, text, start, home)


def literal(matcher: int, value: str) -> str:
    """The canonical pattern that matches this canonical value and no other."""
    if matcher != PATH:
        return value
    return "".join("\\" + c if c in _SPECIAL else c for c in value)


def matches(matcher: int, pattern: str, value: str) -> bool:
    """Whether a canonical value lies within a canonical pattern."""
    match matcher:
        case 1:
            return value.startswith("/") and _spans(_parsed(pattern), _split(value))
        case 2 if pattern.startswith("*."):
            label, dot, rest = value.partition(".")
            return bool(label and dot) and rest == pattern[2:]
        case 3 if pattern.startswith("*@"):
            return "@" in value and value.rpartition("@")[2] == pattern[2:]
        case 2 | 3 | 4:
            return pattern == value
        case _:
            return matcher in _COUNTED and int(value) <= int(pattern)


def reaches(pattern: str, path: str) -> bool:
    """Whether a path is matched, or is the very folder whose content `…/**` names: `.git` itself for `**/.git/**`."""
    return matches(PATH, pattern, path) or (pattern.endswith("/**") and matches(PATH, pattern[:-3] or "/", path))


def leads(pattern: str, path: str) -> bool:
    """Whether `path` is the pattern's root or, as a folder below it, could hold something that matches."""
    parsed, names = _parsed(pattern), _split(path)
    if names[: _literals(parsed)] != _split(root(pattern)):
        return False
    on_the_way = all(_fits(s, n) for s, n in zip(parsed.head, names, strict=False))
    return on_the_way and (bool(parsed.gaps) or len(names) < len(parsed.head))


def root(pattern: str) -> str:
    """The folder that everything a path pattern matches lies in: its literal beginning, without the last segment."""
    parsed = _parsed(pattern)
    return _join([s[0] for s in parsed.head[: _literals(parsed)]])


def contains(matcher: int, wide: str, narrow: str) -> bool:
    """Whether every value that `narrow` matches is matched by `wide`. Never wrongly true."""
    match matcher:
        case 1:
            return _spans(_parsed(wide), _parsed(narrow).symbols)
        case 2 | 3 if narrow.startswith("*"):
            return wide == narrow
        case _:
            return matches(matcher, wide, narrow)


def amount(text: str) -> int:
    """A count from 1: digits, `_` between them, and a unit of bytes: 500, 1_000, 10MiB, 2 GB."""
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    unit = text[len(digits) :].lower()
    digits = digits.rstrip(" ")
    plain = digits.replace("_", "")
    well_formed = plain.isascii() and plain.isdigit() and len(plain) <= 19 and all(digits.split("_"))
    if not well_formed or unit not in _UNITS:
        raise BadName("not an amount: write a number such as 500, 1_000 or 10MiB")
    value = int(plain) * _UNITS[unit]
    if not 1 <= value <= _AMOUNT_MOST:
        raise BadName("an amount is at least 1 and below 2^63")
    return value


# ---- text


def _visible(text: str, most: int, what: str) -> str:
    """The text itself, if it is not empty, not too long, and each of its characters can be seen."""
    if not text:
        raise BadName(f"{what} is empty")
    if len(text) > most:
        raise BadName(f"{what} is longer than {most} bytes")
    if text.isascii() and text.isprintable():
        return text
    for character in text:
        if unicodedata.category(character) in _HIDDEN_CATEGORIES or character in _INVISIBLE:
            raise BadName(f"{what} has a control or invisible character, U+{ord(character):04X}")
    if len(text.encode()) > most:
        raise BadName(f"{what} is longer than {most} bytes")
    return text


def _exact(text: str) -> str:
    return _visible(text, _EXACT_BYTES, "the value")


# ---- paths


def _anchored(text: str, start: str, home: str, most: int = _PATH_BYTES) -> str:
    """The text with its beginning made absolute; nothing else is changed."""
    _visible(text, most, "the path")
    if text.startswith("/"):
        return text
    at_home = text == "~" or text.startswith("~/")
    base = home if at_home else start
    if not base.startswith("/"):
        raise BadName("a relative path, and no folder to start from")
    return base + text[1:] if at_home else f"{base}/{text}"


def _segments(path: str, most: int = _PATH_BYTES) -> list[str]:
    """The names of an absolute path, without empty ones and `.`."""
    segments = [s for s in _visible(path, most, "the path").split("/") if s not in ("", ".")]
    if len(segments) > _SEGMENTS:
        raise BadName(f"a path has at most {_SEGMENTS} segments")
    if ".." in segments:
        raise BadName("`..` is not allowed in a path: write the folder itself")
    return segments


def _fitting(segments: list[str]) -> list[str]:
    """The same names, if the file system could hold them."""
    sizes = [len(segment.encode()) for segment in segments]
    if max(sizes, default=0) > _SEGMENT_BYTES:
        raise BadName(f"a name in the path is longer than {_SEGMENT_BYTES} bytes")
    if sum(sizes) + len(sizes) > _PATH_BYTES:
        raise BadName(f"the path is longer than {_PATH_BYTES} bytes")
    return segments


def _join(segments: list[str]) -> str:
    return "/" + "/".join(segments)


def _split(path: str) -> list[str]:
    return path[1:].split("/") if path != "/" else []


def _path_pattern(text: str, start: str, home: str) -> str:
    if text.startswith("~") and text != "~" and not text.startswith("~/"):
        raise BadName("`~name` is not supported: write the folder, or ./~name for a name that begins with ~")
    most = 2 * _PATH_BYTES  # a `\` may stand before each character
    segments = _segments(_anchored(text, literal(PATH, start), literal(PATH, home), most), most)
    parsed = [_segment(s) for s in segments if s != "**"]
    _fitting(["".join(s) for s in parsed])
    if sum(map(_wildcards, parsed)) + segments.count("**") > _WILDCARDS:
        raise BadName(f"a pattern has at most {_WILDCARDS} wildcards")
    return _join([s for i, s in enumerate(segments) if s != "**" or segments[i - 1 : i] != ["**"]])


# One segment of a pattern: its texts between stars, in which `_ONE` stands for `?`. `_RUN` stands for a star where a
# narrow pattern is read as text. Neither character can be in a value.
_Segment = tuple[str, ...]
_ONE = "\0"
_RUN = "\1"
_ANY: _Segment = ("", "")


class _Parsed(NamedTuple):
    """A path pattern: the segments before the first `**`, then for each `**` how many names it stands for at least
    and the segments after it. `symbols` is the pattern read as text: names with `_ONE` and `_RUN`, None for `**`."""

    head: tuple[_Segment, ...]
    gaps: tuple[tuple[int, tuple[_Segment, ...]], ...]
    symbols: tuple[str | None, ...]


def _segment(text: str) -> _Segment:
    """Parses one segment that is not `**`. In each run of wildcards `?` is put before `*`, so equals look equal."""
    pieces, escaped, before = [""], False, ""
    for character in text:
        if escaped:
            if character not in _SPECIAL:
                break
            pieces[-1] += character
        elif character in "[]{}":
            raise BadName(f"only *, ? and ** are wildcards: write \\{character} for the character itself")
        elif character == "*":
            if before == "*":
                raise BadName("`**` is only allowed as a whole segment: folder/**/*.md")
            pieces.append("")
        elif character != "\\":
            pieces[-1] += _ONE if character == "?" else character
        before = "" if escaped else character
        escaped = not escaped and character == "\\"
    if escaped:
        raise BadName("`\\` stands only before one of * ? [ ] { } \\")
    return _normal(pieces)


def _normal(pieces: list[str]) -> _Segment:
    for i in range(1, len(pieces)):
        bare = pieces[i].lstrip(_ONE)
        pieces[i - 1] += pieces[i][: len(pieces[i]) - len(bare)]
        pieces[i] = bare
    kept: _Segment = (pieces[0], *(p for p in pieces[1:-1] if p), *pieces[-1:][: len(pieces) - 1])
    return _ANY if kept == (_ONE, "") else kept


def _wildcards(segment: _Segment) -> int:
    return len(segment) - 1 + sum(piece.count(_ONE) for piece in segment)


@lru_cache(maxsize=4096)
def _parsed(pattern: str) -> _Parsed:
    segments = [None if s == "**" else _segment(s) for s in _split(pattern)]
    chunks: list[tuple[int, list[_Segment]]] = [(0, [])]
    # `*` beside `**` only raises how many names it stands for at least.
    for wild, group in groupby(segments, lambda s: s is None or s == _ANY):
        run = list(group)
        named = [s for s in run if s is not None]
        if wild and len(named) < len(run):
            chunks.append((len(named), []))
        else:
            chunks[-1][1].extend(named)
    symbols = [None if s is None else _RUN.join(s) for s in segments]
    if symbols[-1:] == [None]:  # at the end it stands for at least one name
        chunks[-1] = (chunks[-1][0] + 1, [])
        symbols.append(_RUN)
    return _Parsed(tuple(chunks[0][1]), tuple((n, tuple(c)) for n, c in chunks[1:]), tuple(symbols))


def _literals(parsed: _Parsed) -> int:
    """How many segments at the beginning are a folder's literal name."""
    names = 0
    for segment in parsed.head:
        if segment[:-1] or _ONE in segment[-1]:
            return names
        names += 1
    return names if parsed.gaps else max(names - 1, 0)


def _spans(wide: _Parsed, names: Sequence[str | None]) -> bool:
    """Whether a pattern covers a sequence of names; where that is a narrower pattern, None is its `**`."""
    if not wide.gaps:
        return len(names) == len(wide.head) and _run_fits(wide.head, names, 0)
    if not _run_fits(wide.head, names, 0):
        return False
    at = len(wide.head)
    for least, chunk in wide.gaps[:-1]:
        at = _skip(names, at, least)
        while not _run_fits(chunk, names, at):
            at += 1
            if at + len(chunk) > len(names):
                return False
        at += len(chunk)
    least, chunk = wide.gaps[-1]
    end = len(names) - len(chunk)
    return _skip(names, at, least) <= end and _run_fits(chunk, names, end)


def _skip(names: Sequence[str | None], at: int, least: int) -> int:
    """The first position with `least` names between `at` and it; beyond the end if there are not so many."""
    while least and at < len(names):
        least -= names[at] is not None
        at += 1
    return at + least


def _run_fits(chunk: tuple[_Segment, ...], names: Sequence[str | None], at: int) -> bool:
    if at + len(chunk) > len(names):
        return False
    return all(_fits(segment, name) for segment, name in zip(chunk, names[at : at + len(chunk)], strict=True))


def _fits(segment: _Segment, name: str | None) -> bool:
    """Whether one segment of a pattern covers one name; where that is a narrower segment, `_RUN` is its star."""
    if name is None:
        return False
    first, last = segment[0], segment[-1]
    if len(segment) == 1:
        return len(first) == len(name) and _stands(first, name, 0)
    at, end = len(first), len(name) - len(last)
    if at > end or not (_stands(first, name, 0) and _stands(last, name, end)):
        return False
    for piece in segment[1:-1]:
        at = _find(piece, name, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


def _find(piece: str, name: str, at: int, end: int) -> int:
    if _ONE not in piece:
        return name.find(piece, at, end)
    return next((i for i in range(at, end - len(piece) + 1) if _stands(piece, name, i)), -1)


def _stands(piece: str, name: str, at: int) -> bool:
    """Whether the piece stands in the name at this place."""
    if _ONE not in piece:
        return name.startswith(piece, at)
    first, *rest = piece.split(_ONE)
    if not name.startswith(first, at):
        return False
    at += len(first)
    for run in rest:
        if name[at : at + 1] == _RUN or not name.startswith(run, at + 1):
            return False
        at += 1 + len(run)
    return True


# ---- hosts and mail addresses


def _host(text: str) -> str:
    """The ASCII form of a host name, or the canonical form of an address. No port, no user, no trailing dot."""
    _visible(text, 253, "the host")
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if ":" in bare:
        return _address(bare)
    name = text if text.isascii() else _to_ascii(text)
    labels = name.lower().split(".")
    if _reads_as_number(labels[-1]):
        return _address(text)
    for label in labels:
        if not label or len(label) > 63 or not _LABEL.issuperset(label) or "-" in (label[0], label[-1]):
            raise BadName("not a host name: letters, digits, `-` and dots, without port, path or user")
    if len(name) > 253:
        raise BadName("the host is longer than 253 bytes")
    return ".".join(labels)


def _reads_as_number(label: str) -> bool:
    """Whether a resolver takes a name that ends in this label for an address (WHATWG URL, "ends in a number")."""
    return label.isdigit() or (label[:2] == "0x" and all(c in "0123456789abcdef" for c in label[2:]))


def _address(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise BadName("not a host: write an address as 192.0.2.1 or 2001:db8::1, without port") from None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id:
            raise BadName("an address with a zone is not allowed")
        return str(address.ipv4_mapped or address)
    return str(address)


def _to_ascii(text: str) -> str:
    """Its xn-- form. What the mapping would change to something that looks alike is refused, not mapped."""
    composed = unicodedata.normalize("NFC", text)
    if unicodedata.normalize("NFKC", composed) != composed or any(c in "ßẞς。" for c in composed):
        raise BadName("the host has characters with more than one reading: write its xn-- form")
    try:
        return composed.lower().encode("idna").decode("ascii")
    except UnicodeError:
        raise BadName("not a host name: write its xn-- form") from None


def _host_pattern(text: str) -> str:
    if "*" not in text:
        return _host(text)
    if not text.startswith("*.") or "*" in text[2:]:
        raise BadName("only the first label of a host may be a wildcard: *.example.com")
    domain = _host(text[2:])
    if "." not in domain or ":" in domain or domain.replace(".", "").isdigit():
        raise BadName("a wildcard needs a domain below it of at least two labels: *.example.com")
    return "*." + domain


def _mail(text: str) -> str:
    _visible(text, 254, "the address")
    local, _, domain = text.rpartition("@")
    return f"{_local(local.lower())}@{_domain(domain)}"


def _local(local: str) -> str:
    if not local or len(local) > 64 or not _LOCAL.issuperset(local) or "" in local.split("."):
        raise BadName("not one plain mail address: name@example.com, without display name, quotes or comments")
    return local


def _domain(text: str) -> str:
    domain = _host(text)
    if ":" in domain or domain.rpartition(".")[2].isdigit():
        raise BadName("a mail address ends in a name, not in a number")
    return domain


def _mail_pattern(text: str) -> str:
    if not text.startswith("*@"):
        return _mail(text)
    return "*@" + _domain(_visible(text, 254, "the address")[2:])
