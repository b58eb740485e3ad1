"""How a field of a request is compared with a bound of a manifest: pure text, no I/O, only the standard library.

Here belongs what a call needs. The kernel decides with these functions and a capability checks with them again at the
moment of use, so there is one reading of every pattern. What a request names is first brought into its one canonical
form (`names`, `paths`), or refused with `BadName`; matching then compares canonical forms only. How a pattern comes
into its canonical form, and how two patterns compare, is no business of a call: see `patterns`.

    PATH      a path pattern: see `globs`
    HOST      a host, or `*.example.com`, which stands for exactly one label, as in a certificate
    MAIL      an address, or `*@example.com`, which is anybody there
    EXACT     the very same text
    MAXIMUM   a count that one call may reach
    BUDGET    a count that all calls of a run together may reach
    URL_PATH  a path of a URL against a path pattern: see `urls`
    PORT      the very same port
    AT_USE    nothing a call says: the capability decides, at the moment of use
    SECRET    nothing a call says: what goes with it to the capability

The numbers are those of `agentos.v1.Matcher`. A matcher that is not known matches nothing.
"""

from __future__ import annotations

from functools import lru_cache

from agentos.v1.globs import SPECIAL, fits, parsed, spans
from agentos.v1.names import BadName, exact, host, mail, port
from agentos.v1.paths import canonical_path, split
from agentos.v1.urls import names_of, url_path

PATH = 1
HOST = 2
MAIL = 3
EXACT = 4
MAXIMUM = 5
BUDGET = 6
URL_PATH = 7
PORT = 8
AT_USE = 9
SECRET = 10

BY_VALUE = (PATH, HOST, MAIL, EXACT, URL_PATH, PORT)
CARRIED = (AT_USE, SECRET)
COUNTED = (MAXIMUM, BUDGET)
_NAMES = {HOST: host, MAIL: mail, EXACT: exact, URL_PATH: url_path, PORT: port}


def canonical_value(matcher: int, text: str, start: str, home: str) -> str:
    """The canonical form of what a request names. What is counted has no name."""
    if matcher == PATH:
        return canonical_path(text, start, home)
    if matcher not in _NAMES:
        raise BadName("no such matcher")
    return _NAMES[matcher](text)


def literal(matcher: int, value: str) -> str:
    """The canonical pattern that matches this canonical value and no other."""
    if matcher == URL_PATH:
        return value.partition("?")[0].replace("*", "\\*")
    if matcher != PATH:
        return value
    return "".join("\\" + c if c in SPECIAL else c for c in value)


@lru_cache(1024)
def matches(matcher: int, pattern: str, value: str) -> bool:
    """Whether a canonical value lies within a canonical pattern.

    Remembered: a call is held against the same few by each rule that decides on it, and so is the next call.
    """
    match matcher:
        case 1:
            return value.startswith("/") and spans(parsed(pattern), split(value))
        case 2 if pattern.startswith("*."):
            label, dot, rest = value.partition(".")
            return bool(label and dot) and rest == pattern[2:]
        case 3 if pattern.startswith("*@"):
            return "@" in value and value.rpartition("@")[2] == pattern[2:]
        case 2 | 3 | 4 | 8:
            return pattern == value
        case 7:
            return pattern == literal(URL_PATH, value) or spans(parsed(pattern), names_of(value))
        case _:
            return matcher in COUNTED and int(value) <= int(pattern)


def reaches(pattern: str, path: str) -> bool:
    """Whether a path is matched, or is the very folder whose content `…/**` names: `.git` itself for `**/.git/**`."""
    return matches(PATH, pattern, path) or (pattern.endswith("/**") and matches(PATH, pattern[:-3] or "/", path))


@lru_cache(1024)
def leads(pattern: str, path: str) -> bool:
    """Whether `path` is the pattern's root or, as a folder below it, could hold something that matches."""
    glob, names, folder = parsed(pattern), split(path), parsed(pattern).folder()
    if names[: len(folder)] != folder:
        return False
    on_the_way = all(fits(segment, name) for segment, name in zip(glob.head, names, strict=False))
    return on_the_way and (bool(glob.gaps) or len(names) < len(glob.head))
