"""What a person says of a secret: where it goes, and as which header. One reading of it, for all sides.

The kernel brings it into its canonical form when a secret is set; a capability asks it at the moment of use; the shell
says with it what would happen. No function here puts a value into an error, or tells its length.

    https://api.github.com/**          the place of a secret: a URL whose host and path are patterns as in a manifest
    https://*.example.com:8443/v1/**   any one label; another port
    http://127.0.0.1:8080/**           without TLS only to this very machine, by its address

A place is compared part by part with the parts that a call was decided on. Nothing here parses what a program wrote.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple

from agentos.v1.capability_pb2 import Secret
from agentos.v1.matchers import HOST, URL_PATH, matches
from agentos.v1.names import BadName, port, visible
from agentos.v1.patterns import canonical_pattern, secret_name

MOST_PLACES = 64
FEWEST, MOST, FEWEST_DIFFERENT = 8, 4096, 4
USUAL_PORT = {"https": "443", "http": "80"}
AUTHORIZATION = "Authorization"
# What frames a message, or says how its body is written: the server's own to set.
FRAMING = frozenset(
    [
        "host",
        "connection",
        "keep-alive",
        "proxy-connection",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "content-length",
        "content-type",
        "content-encoding",
        "accept-encoding",
        "expect",
        "range",
        "if-range",
    ]
)
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_STANDS_FOR = re.compile(r"\{(?:([^{}:]{1,128}):)?secret\}")
_PLACE_BYTES = 8300


class Place(NamedTuple):
    """The parts of a place, canonical: `host` and `path` are patterns, the others are themselves."""

    scheme: str
    host: str
    port: str
    path: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        shown = "" if self.port == USUAL_PORT[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{shown}{self.path}"

    def covers(self, scheme: str, host: str, port: str, path: str) -> bool:
        """Whether the secret goes along to a URL of these parts, each canonical; the path with its query."""
        same = (self.scheme, self.port) == (scheme, port)
        return same and matches(HOST, self.host, host) and matches(URL_PATH, self.path, path)


@lru_cache(1024)
def place(text: str) -> Place:
    """What a person wrote for a place, or its canonical text. Raises BadName."""
    visible(text, _PLACE_BYTES, "the place")
    scheme, mark, rest = text.partition("://")
    scheme, rest = (scheme.lower(), rest) if mark else ("https", text)
    if scheme not in USUAL_PORT:
        raise BadName(
            "a secret goes over https: write a host such as api.example.com, or https://api.example.com/v1/**"
        )
    authority, slash, below = rest.partition("/")
    name, at = _authority(authority)
    host = canonical_pattern(HOST, name, "", "")
    if scheme == "http" and not _this_machine(host):
        raise BadName(
            "http shows a secret to whoever is on the way: it is for this machine alone, http://127.0.0.1:8080"
        )
    path = canonical_pattern(URL_PATH, "/" + below, "", "") if slash else "/**"
    return Place(scheme, host, port(at) if at else USUAL_PORT[scheme], path)


def _authority(text: str) -> tuple[str, str]:
    """The host and the port, where there is one."""
    if text.startswith("["):
        name, bracket, after = text.partition("]")
        if not bracket or (after and not after.startswith(":")) or after == ":":
            raise BadName("an address with colons stands in brackets: https://[2001:db8::1]:8443")
        return f"{name}]", after[1:]
    name, colon, at = text.partition(":")
    if colon and not at:
        raise BadName("there is no port behind the colon")
    return name, at


def _this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, and a name leads where its resolver says
        return False


def canonical(given: Secret) -> Secret:
    """A secret as a person gave it, with what was left out. Raises BadName, which never has the value."""
    if not 1 <= len(given.places) <= MOST_PLACES:
        raise BadName(f"a secret goes to at least one place and at most {MOST_PLACES}: --for api.example.com")
    named = header(given.header or AUTHORIZATION)
    return Secret(
        name=secret_name(given.name),
        value=value(given.value),
        places=sorted({str(place(each)) for each in given.places}),
        header=named,
        form=form(given.form or usual_form(named)),
    )


def header(text: str) -> str:
    """The name of the header that carries a secret. Raises BadName."""
    if not _TOKEN.fullmatch(text):
        raise BadName("the header is a name such as Authorization or X-Api-Key")
    if text.lower() in FRAMING:
        raise BadName(f"the header {text} frames the message: a secret cannot be there")
    return text


def usual_form(header: str) -> str:
    return "Bearer {secret}" if header.lower() == AUTHORIZATION.lower() else "{secret}"


def form(text: str) -> str:
    """The text of the header, with {secret} where the value goes. Raises BadName."""
    if not (text.isascii() and text.isprintable() and len(text) <= 256 and text.strip() == text):
        raise BadName("the form is a short line of plain characters")
    if len(_STANDS_FOR.findall(text)) != 1 or "{" in _STANDS_FOR.sub("", text) or "}" in _STANDS_FOR.sub("", text):
        raise BadName(
            "the form has one {secret}, or {USER:secret} for the two in base64: Basic {me@example.com:secret}"
        )
    return text


def value(text: str) -> str:
    """A value that can be carried, and found again where it comes back. Raises BadName, which never has it."""
    if not (text.isascii() and text.isprintable()) or text.strip() != text:
        raise BadName("a secret is one line of printable ASCII characters, with no blank before or behind it")
    if len(text) < FEWEST or len(set(text)) < FEWEST_DIFFERENT:
        raise BadName(f"a secret has at least {FEWEST} characters, {FEWEST_DIFFERENT} of them different")
    if len(text) > MOST:
        raise BadName(f"a secret has at most {MOST} characters")
    return text


def standing(form: str, value: str) -> str:
    """What stands in the header in place of {secret}: the value, or user and value as Basic has them (RFC 7617)."""
    found = _STANDS_FOR.search(form)
    user = found[1] if found else None
    return base64.b64encode(f"{user}:{value}".encode()).decode() if user else value


def filled(form: str, value: str) -> str:
    """The header's whole text."""
    return _STANDS_FOR.sub(lambda _: standing(form, value), form)
