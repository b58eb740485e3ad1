"""A URL taken apart where the program is, so that nobody but the program reads one.

The kernel decides on the parts and brings each into its one canonical form (IDNA, numbers that are addresses, `.` and
`..`, escapes), or refuses it. So here it is only split, and what two readers could split in two ways is refused: users
and passwords, backslashes, control characters, spaces at the ends, schemes other than http and https.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn
from urllib.parse import urlencode, urljoin

from agentos.sdk.errors import Invalid

PORTS = {"https": "443", "http": "80"}
Params = Mapping[str, object] | Iterable[tuple[str, object]] | str | bytes
"""A query: names with a value, with several (a list), or with None, which leaves the name out; or as it is written."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
_AUTHORITY = re.compile(r"//([^/?#]*)(.*)", re.DOTALL)
# Of what is no character of a URL, only what stands for itself in none of its readings; the rest the kernel encodes.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Url:
    """The parts that a call names. `host` is without brackets, `path` with its query and never empty."""

    scheme: str
    host: str
    port: str
    path: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"

    @property
    def origin(self) -> tuple[str, str, str]:
        """Who answers: what was meant for one origin is not told to another."""
        return self.scheme, self.host, self.port

    def with_query(self, params: Params | None) -> Url:
        """The same with these parameters after those that it has."""
        added = query(params) if params else ""
        if not added:
            return self
        mark = "" if self.path.endswith(("?", "&")) else "&" if "?" in self.path else "?"
        return replace(self, path=f"{self.path}{mark}{added}")


def split(text: str) -> Url:
    """The parts of an absolute URL; its fragment is dropped. Invalid (`bad_name`) says what to write instead."""
    if not isinstance(text, str):
        _no_url(repr(text), "a URL is text", 'write it as "https://example.com/path"')
    _plain(text)
    scheme, rest = _scheme(text)
    found = _AUTHORITY.fullmatch(rest)
    if found is None or not found[1]:
        _no_url(text, "it names no host", f"write {scheme}://example.com/path")
    if "@" in found[1]:
        _no_url(text, "a user or password has no place in it", 'give auth=("user", "password")')
    host, port = _host(text, found[1])
    path = found[2].partition("#")[0]
    if "\\" in path.partition("?")[0]:
        _no_url(text, "it has a backslash", "write / between names, or %5C for the character itself")
    return Url(scheme, host.lower(), port or PORTS[scheme], path if path.startswith("/") else f"/{path}")


def joined(base: Url, location: str) -> Url:
    """Where a redirect or a link leads, seen from `base`."""
    _plain(location)
    if location.partition(":")[0].lower() in PORTS:
        return split(location)
    try:
        return split(urljoin(str(base), location))
    except ValueError as error:
        if isinstance(error, Invalid):
            raise
        _no_url(location, "its host is no address", "write an IPv6 address as [2001:db8::1]")


def query(params: Params) -> str:
    """Parameters as they stand behind the `?` of a URL or in a form."""
    if isinstance(params, bytes):
        return params.decode("ascii", "strict")
    if isinstance(params, str):
        return params.removeprefix("?")
    pairs: Any = params.items() if isinstance(params, Mapping) else params
    return urlencode([(name, value) for name, given in pairs for value in _values(given)])


def _values(given: object) -> Iterable[object]:
    if given is None:
        return ()
    if isinstance(given, Iterable) and not isinstance(given, str | bytes):
        return (value for value in given if value is not None)
    return (given,)


def _plain(text: str) -> None:
    control = _CONTROL.search(text)
    if control is not None:
        _no_url(text, f"it has a control character, U+{ord(control[0]):04X}", "take it out: url.strip() for line ends")
    if text != text.strip():
        _no_url(text, "there is a space around it", "write url.strip()")


def _scheme(text: str) -> tuple[str, str]:
    found = _SCHEME.fullmatch(text)
    # A host with a port reads as a scheme: example.com:8080/path.
    if found is None or "." in found[1] or found[2][:1].isdigit():
        _no_url(text, "it has no scheme", f"write https://{text.lstrip('/')[:200]}")
    scheme = found[1].lower()
    if scheme == "file":
        _no_url(text, "a file is not opened by its address", "use open(path)")
    if scheme not in PORTS:
        _no_url(text, f"{scheme}: is not fetched", "there are https:// and http://")
    return scheme, found[2]


def _host(text: str, authority: str) -> tuple[str, str]:
    """The host without brackets, and the port where there is one."""
    if "\\" in authority:
        _no_url(text, "it has a backslash", "write / after the host")
    if authority.startswith("["):
        host, bracket, rest = authority[1:].partition("]")
        colon, port = rest[:1], rest[1:]
        if not bracket or ":" not in host or colon not in ("", ":"):
            _no_url(text, "its host is no address", "write an IPv6 address as [2001:db8::1]")
    else:
        host, colon, port = authority.partition(":")
        if ":" in port:
            _no_url(text, "it has more than one port", "write an IPv6 address as [2001:db8::1]")
    if not host:
        _no_url(text, "it names no host", "write https://example.com/path")
    if colon and not port:
        _no_url(text, "there is no port behind the :", "leave the : out, or write the port")
    return host, port


def _no_url(text: str, why: str, hint: str) -> NoReturn:
    raise Invalid(f"not a URL that can be fetched, {text[:200]!r}: {why}", hint, "bad_name")
