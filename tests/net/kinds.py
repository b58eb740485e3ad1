"""Each kind of fault that a fetch can meet: who makes it, what is asked, and the one ending that is right.

A kind is met under `/NAME?n=NUMBER` of one of the servers of `internet`. How it must end is exact: status, length and
checksum of a body, or code and detail of an error; and so is when: not before `least_ms`, not after `most_ms`.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from zlib import crc32

from tests.net import hostile
from tests.net.hostile import BOMB, BROKEN, CHUNKED, MIB, OK, after, deflated, forever, leads, slowly
from tests.net.world import Says, answer, raw

# What a fetch waits, for those that must wait it out, and for those that must not.
SHORT_MS, LONG_MS = 1_000, 20_000
# Past its time a fetch may be as late as this: it is one of many on a machine that is busy with them.
LATE_MS = 8_000
PLAIN, TLS = "server.test", "secure.test"


@dataclass(frozen=True)
class Kind:
    """`ends` is what the program is told; two, with "or", where it depends on whose packet is first. `then` is what it
    does after its call: read on, close, leave the answer open, or ask again."""

    ends: str
    says: Says | None = None
    server: str = "plain"
    host: str = PLAIN
    asks: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    body: int = 0
    then: str = ""
    waits: bool = False
    rare: bool = False

    @property
    def scheme(self) -> str:
        return "https" if self.server.startswith("tls") else "http"

    @property
    def timeout_ms(self) -> int:
        return SHORT_MS if self.waits else LONG_MS

    @property
    def least_ms(self) -> int:
        return SHORT_MS if self.waits else 0

    @property
    def most_ms(self) -> int:
        return self.least_ms + LATE_MS


def got(body: bytes, status: int = 200, cut: bool = False) -> str:
    """How a program tells of an answer."""
    return f"{status} {len(body)} {crc32(body):08x}{' cut' if cut else ''}"


TEXT = bytes(range(32, 127)) * 40
TWO = gzip.compress(TEXT[:2000]) + gzip.compress(TEXT[2000:])
DEFLATED = deflated(b"\0" * (32 * MIB), True)
TWICE = gzip.compress(BOMB)
STREAM, FEW = MappingProxyType({"stream": True}), MappingProxyType({"most": 1000})
HEAD, POST = MappingProxyType({"method": "HEAD"}), MappingProxyType({"method": "POST"})
# A bomb is told of after 8 MiB; what came until then is passed on in whole pieces of a MiB.
DEFUSED = "200 0 00000000, read 8388608, limit too_large"
# The net server closes it after half a minute.
LEFT_OPEN = "a stream that is left"
WAITS = ("unavailable timeout",)

HONEST: dict[str, Kind] = {
    "an answer": Kind(got(TEXT), answer(TEXT)),
    "nothing there": Kind(got(b"not there", 404)),
    "an empty answer": Kind(got(b"", 204), raw(b"HTTP/1.1 204 No Content\r\n\r\n")),
    "an answer that is gzip": Kind(got(TEXT), answer(gzip.compress(TEXT), Content_Encoding="gzip")),
    "gzip of two members": Kind(got(TEXT), answer(TWO, Content_Encoding="gzip")),
    "deflate": Kind(got(TEXT), answer(deflated(TEXT, True), Content_Encoding="deflate")),
    "deflate without a header": Kind(got(TEXT), answer(deflated(TEXT, False), Content_Encoding="deflate")),
    "brotli, passed on": Kind(got(TEXT), answer(TEXT, Content_Encoding="br")),
    "gzip of gzip, passed on": Kind(got(TWICE), answer(TWICE, Content_Encoding="gzip, gzip")),
    "chunks": Kind(got(b"hello, you"), raw(CHUNKED + b"5\r\nhello\r\n5;x=y\r\n, you\r\n0\r\nX: y\r\n\r\n")),
    "no length": Kind(got(TEXT), raw(OK + b"\r\n" + TEXT)),
    "slow": Kind(
        got(TEXT), slowly(*(b"HTTP/1", b".1 200 OK\r\nContent-", b"Length: 3800\r\n\r\n", TEXT[:9], TEXT[9:]))
    ),
    "more than it said": Kind(got(b"hello"), raw(OK + b"Content-Length: 5\r\n\r\nhello, and more")),
    "a length, and no body: HEAD": Kind(got(b""), raw(OK + b"Content-Length: 99\r\n\r\n"), asks=HEAD),
    "an answer before all was heard": Kind(got(b"", 413), server="before", asks=POST, body=40_000),
    "of https": Kind(got(TEXT), answer(TEXT), "tls", TLS),
}

ENDLESS: dict[str, Kind] = {
    "without end": Kind(got(b"x" * 1000, cut=True), forever(OK + b"\r\n", then=b"x" * 65_536), asks=FEW),
    "chunks without end or limit": Kind(
        got(b"y" * 1000, cut=True), forever(CHUNKED, then=b"1\r\ny\r\n" * 99), asks=FEW
    ),
    "a body that trickles": Kind(
        got(b"x" * 3, cut=True), forever(OK + b"\r\n", then=b"x", pause_s=0.05), asks={"most": 3}
    ),
    "mostly frame": Kind("limit too_large", hostile.mostly_frame, asks=FEW),
    "a bomb of gzip": Kind(DEFUSED, answer(BOMB, Content_Encoding="gzip"), asks=STREAM, then="read", rare=True),
    "a bomb of deflate": Kind(
        DEFUSED, answer(DEFLATED, Content_Encoding="deflate"), asks=STREAM, then="read", rare=True
    ),
    "a stream that breaks": Kind(
        "200 0 00000000, read 0, unavailable reset", raw(OK + b"Content-Length: 9\r\n\r\nhello"),
        asks=STREAM, then="read",
    ),
    "a stream that is closed": Kind(
        "200 0 00000000, closed", forever(OK + b"\r\n", then=b"x" * 65_536), asks=STREAM, then="close"
    ),
    LEFT_OPEN: Kind(
        "200 0 00000000", forever(OK + b"\r\n", then=b"x" * 65_536), asks=STREAM, then="leave", rare=True
    ),
}  # fmt: skip

REDIRECTS: dict[str, Kind] = {
    "a redirect is an answer": Kind(got(b"this way", 302), leads()),
    "a redirect to itself": Kind("LimitExceeded redirects", leads(), then="follow"),
    "a redirect to a host that was not granted": Kind("Denied", leads("http://evil.test/{n}"), then="follow"),
    "a redirect to a file": Kind("Denied redirect", leads("file:///etc/passwd"), then="follow"),
    "a redirect out of https": Kind("Denied redirect", leads("http://server.test/"), "tls", TLS, then="follow"),
    "a redirect to nowhere": Kind("Denied", leads("http://169.254.169.254/{n}"), then="follow"),
}

CONNECTIONS: dict[str, Kind] = {
    "nobody there": Kind("unavailable refused", server="closed"),
    "a line that is never taken": Kind("unavailable unreachable", server="full", waits=True),
    "a line that is cut at once": Kind("unavailable reset or unavailable unreachable", server="cut"),
    "a line that is cut in the request": Kind("unavailable reset", server="cut late", asks=POST, body=40_000),
    "a line that stays silent": Kind("unavailable timeout", server="deaf", asks=POST, body=40_000, waits=True),
    "silence where TLS was": Kind("unavailable unreachable", server="tls silent", host=TLS, waits=True),
    "half a handshake": Kind("unavailable unreachable", server="tls half", host=TLS, waits=True),
    "a handshake that is cut": Kind("unavailable tls", server="tls cut", host=TLS),
    "no TLS": Kind("unavailable tls", server="tls none", host=TLS),
    "a certificate of another host": Kind("unavailable other_host", server="tls other", host=TLS),
    "a certificate of nobody": Kind("unavailable tls", server="tls nobody", host=TLS),
    "a certificate of the past": Kind("unavailable tls", server="tls past", host=TLS),
    "TLS of 1999": Kind("unavailable tls", server="tls old", host=TLS),
    "TLS that ends in the middle": Kind("unavailable reset", raw(OK + b"Content-Length: 9\r\n\r\nhi"), "tls", TLS),
    "TLS that is cut": Kind("unavailable reset", after(OK + b"Content-Length: 9\r\n\r\nhi", hostile.reset), "tls", TLS),
    "TLS that falls silent": Kind("unavailable timeout", hostile.silent, "tls", TLS, waits=True),
}

NAMES: dict[str, Kind] = {
    "no such name": Kind("not_found no_name", host="gone.test"),
    "a name that rebinds": Kind(f"{got(TEXT)}, denied address", answer(TEXT), host="{n}.rebinds.test", then="again"),
    "a name that is half private": Kind("denied address", host="mixed.test"),
    "a name of the cloud's keys": Kind("denied address", host="metadata.test"),
    "a name of a private network": Kind("denied address", host="private.test"),
    "a name of too many addresses": Kind("unavailable no_name", host="many.test"),
    "a name server that fails": Kind("unavailable no_name", host="fails.odd.test"),
    "a name server that is silent": Kind("unavailable no_name", host="silent.odd.test", waits=True),
    "a name server that talks noise": Kind("unavailable no_name", host="noise.odd.test", waits=True),
    "a name server that answers another": Kind("unavailable no_name", host="another.odd.test", waits=True),
    "a host that was not granted": Kind("denied", host="evil.test"),
}

KINDS: dict[str, Kind] = {
    **HONEST,
    **{name: Kind(ends, says, waits=ends in WAITS) for name, (says, ends) in BROKEN.items()},
    **ENDLESS,
    **REDIRECTS,
    **CONNECTIONS,
    **NAMES,
}


def path(name: str) -> str:
    return "/" + "".join(letter if letter.isalnum() else "-" for letter in name)
