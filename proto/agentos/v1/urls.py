"""The one spelling of the path and query of a URL; or `BadName`. Patterns over such paths are read in `patterns`.

Servers differ in how they read a path: some decode it twice, some take `\\` for `/`, some drop what stands behind a
`;`, some run together what stands between two `/`. A prefix that was granted must hold for all of them. So whatever
two servers could read as two different places is refused: `.` and `..` in any disguise, empty names, a broken `%`.
What differs in spelling alone is written in one way (RFC 3986, 6.2.2): what needs no `%` has none, hex digits are
capital, and all else that is not plain ASCII of a URL is encoded as UTF-8.

A pattern is compared with the path alone, name by name, as `globs` says; its wildcards are `*` and `**`. The empty name
behind a last `/` counts: `/v1/**` covers `/v1/` and all below it, and not `/v1`.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from agentos.v1.names import BadName, visible

MOST_BYTES = 8000
_NAMES = 256
# pchar of RFC 3986 but for `%`; a query may hold `/` and `?` as well.
_IN_PATH = "A-Za-z0-9._~!$&'()*+,;=:@-"
_UNRESERVED = re.compile(rb"[A-Za-z0-9._~-]")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_NOT_IN_PATH = re.compile(f"[^%{_IN_PATH}]")
_NOT_IN_QUERY = re.compile(f"[^%/?{_IN_PATH}]")


def url_path(text: str) -> str:
    """The canonical path, with its query where it has one. Empty means `/`."""
    path, mark, query = visible(text or "/", MOST_BYTES, "the path").partition("?")
    if not path.startswith("/") or "#" in text:
        raise BadName("a path of a URL begins with / and has no #")
    names = [url_name(name) for name in path[1:].split("/")]
    found = "/" + "/".join(checked(names)) + mark + _spelt(query, _NOT_IN_QUERY)
    return visible(found, MOST_BYTES, "the path")


def names_of(path: str) -> list[str]:
    """The names of a canonical path or pattern, without its query; `/` has one, the empty one."""
    return path.partition("?")[0][1:].split("/")


def checked(names: list[str]) -> list[str]:
    if len(names) > _NAMES:
        raise BadName(f"a path has at most {_NAMES} segments")
    if "" in names[:-1]:
        raise BadName("a path has no // in it")
    return names


def url_name(name: str) -> str:
    """One name in its canonical spelling."""
    if "\\" in name:
        raise BadName("a path of a URL has no \\")
    spelt = _spelt(name, _NOT_IN_PATH)
    raw = unquote_to_bytes(spelt)
    again = unquote_to_bytes(raw)
    for reading in (raw, again):
        if any(part.partition(b";")[0].strip() in (b".", b"..") for part in re.split(rb"[/\\]", reading)):
            raise BadName("`.` and `..` are not allowed in the path of a URL")
        if any(byte < 32 or byte == 127 for byte in reading):
            raise BadName("the path has an encoded control character")
    return spelt


def _spelt(text: str, foreign: re.Pattern[str]) -> str:
    return _ESCAPE.sub(_escape, foreign.sub(lambda found: _encoded(found[0].encode()), text))


def _encoded(raw: bytes) -> str:
    return "".join(f"%{byte:02X}" for byte in raw)


def _escape(found: re.Match[str]) -> str:
    if found[1] is None:
        raise BadName("a % stands only before two hex digits: write %25 for the character itself")
    byte = bytes.fromhex(found[1])
    return byte.decode() if _UNRESERVED.fullmatch(byte) else f"%{found[1].upper()}"
