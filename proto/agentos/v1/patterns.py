"""Patterns as people write them, and how two of them compare: for manifests, prompts, grants and the servers' walls.

Here belongs what no call needs: to bring a bound's value into its one canonical form or refuse it with `BadName`, to
read an amount, to say whether one pattern contains another, and where all that a pattern matches lies. What a pattern
means is said in `matchers` and `globs`, and only there.

Containment compares two patterns symbol by symbol, the narrow one read as if it were text: what a wildcard of the
narrow pattern may stand for, only an equal or wider wildcard of the wide one covers. That is sound for any alphabet.
A containment may be missed; none is seen where there is none.

A pattern has at most 32 wildcards, and what is without them is bounded as a path is, so that no pattern is slow.
"""

from __future__ import annotations

import re
from functools import lru_cache

from agentos.v1.globs import MOST_KNOWN, ONE, RUN, Segment, parsed, read_segment, spans
from agentos.v1.matchers import BUDGET, CARRIED, MAXIMUM, PATH, SECRET, canonical_value, literal, matches
from agentos.v1.names import BadName, domain, exact, host, mail, visible
from agentos.v1.paths import MOST_BYTES, anchored, fitting, join, segments, split
from agentos.v1.urls import MOST_BYTES as URL_BYTES
from agentos.v1.urls import checked, names_of, url_name

_WILDCARDS = 32
_TOKENS = re.compile(r"\\\*|\*|[^*\\]+")
_SECRET = re.compile(r"[a-z][a-z0-9._-]{0,63}")
_AMOUNT_MOST = 2**63 - 1
_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}


def canonical_pattern(matcher: int, text: str, start: str, home: str) -> str:
    """The canonical form of a bound's value, as a manifest gives it; for a counted matcher, of the count."""
    match matcher:
        case 1:
            return _path_pattern(text, start, home)
        case 2:
            return _host_pattern(text)
        case 3:
            return _mail_pattern(text)
        case 7:
            return _url_pattern(text)
        case _ if matcher in (MAXIMUM, BUDGET):
            return str(amount(text))
        case _ if matcher == SECRET:
            return secret_name(text)
        case _ if matcher in CARRIED:
            return exact(text)
        case _:
            return canonical_value(matcher, text, start, home)


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


def _path_pattern(text: str, start: str, home: str) -> str:
    if text.startswith("~") and text != "~" and not text.startswith("~/"):
        raise BadName("`~name` is not supported: write the folder, or ./~name for a name that begins with ~")
    most = 2 * MOST_BYTES  # a `\` may stand before each character
    written = segments(anchored(text, literal(PATH, start), literal(PATH, home), most), most)
    read = [read_segment(s) for s in written if s != "**"]
    fitting([s.replace(RUN, "") for s in read])
    if sum(map(_wildcards, read)) + written.count("**") > _WILDCARDS:
        raise BadName(f"a pattern has at most {_WILDCARDS} wildcards")
    return join([s for i, s in enumerate(written) if s != "**" or written[i - 1 : i] != ["**"]])


def _wildcards(segment: Segment) -> int:
    return segment.count(RUN) + segment.count(ONE)


def _host_pattern(text: str) -> str:
    if "/" in text:
        raise BadName("a host stands alone: api.example.com; what stands before and behind it are other bounds")
    name, colon, port = text.partition(":")
    if name and colon and port.isdigit():
        raise BadName(f"a port is a bound of its own: port = {port}")
    if "*" not in text:
        return host(text)
    first, dot, rest = text.partition(".")
    if first + dot != "*." or "*" in rest:
        raise BadName("only the first label of a host may be a wildcard: *.example.com")
    below = host(rest)
    if "." not in below or ":" in below or below.replace(".", "").isdigit():
        raise BadName("a wildcard needs a domain below it of at least two labels: *.example.com")
    return "*." + below


def _mail_pattern(text: str) -> str:
    if not text.startswith("*@"):
        return mail(text)
    return "*@" + domain(visible(text, 254, "the address")[2:])


def _url_pattern(text: str) -> str:
    """The canonical pattern: literal names spelt as in a path, a `*` in a name, `**` for whole names."""
    visible(text, URL_BYTES, "the pattern")
    if not text.startswith("/") or "?" in text or "#" in text:
        raise BadName("a pattern of a URL's path begins with / and has no ? or #: /v1/**")
    names = [name if name == "**" else _url_pattern_name(name) for name in text[1:].split("/")]
    if text.count("*") > _WILDCARDS:
        raise BadName(f"a pattern has at most {_WILDCARDS} wildcards")
    return "/" + "/".join(checked([n for i, n in enumerate(names) if n != "**" or names[i - 1 : i] != ["**"]]))


def _url_pattern_name(name: str) -> str:
    tokens = _TOKENS.findall(name)
    if "".join(tokens) != name:
        raise BadName("`\\` stands only before *")
    if "**" in name.replace("\\*", ""):
        raise BadName("`**` is only allowed as a whole segment: /v1/**")
    return "".join(token if "*" in token else url_name(token) for token in tokens)


def secret_name(text: str) -> str:
    """The name of a secret, which stands in manifests, commands and marks alike."""
    if not _SECRET.fullmatch(text):
        raise BadName("a secret has a name of small letters, digits, dots, dashes and underscores: github")
    return text


def contains(matcher: int, wide: str, narrow: str) -> bool:
    """Whether every value that `narrow` matches is matched by `wide`. Never wrongly true."""
    match matcher:
        case 1:
            return spans(parsed(wide), _symbols(tuple(split(narrow))))
        case 7:
            return wide == narrow or spans(parsed(wide), _symbols(tuple(names_of(narrow))))
        case _ if matcher in CARRIED:
            return wide == narrow
        case _:
            return matches(matcher, wide, narrow)


@lru_cache(MOST_KNOWN)
def _symbols(names: tuple[str, ...]) -> tuple[str | None, ...]:
    """A pattern read as text, as the names that a wider one may cover."""
    symbols = [None if s == "**" else read_segment(s) for s in names]
    return (*symbols, RUN) if symbols[-1:] == [None] else tuple(symbols)  # at the end `**` is at least one name


def root(pattern: str) -> str:
    """The folder that everything a path pattern matches lies in: its literal beginning, without the last segment."""
    return join(parsed(pattern).folder())
