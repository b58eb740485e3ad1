"""The network, as far as hosts were granted.

Generated from agentos/v1/net.proto by `python -m agentos.sdk.generate`: change the proto, not this file.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass

from agentos.sdk.calls import Call, Reply, action
from agentos.sdk.http import (
    Cookies,
    Headers,
    HTTPError,
    Page,
    Response,
    Session,
    delete,
    get,
    head,
    page,
    patch,
    post,
    put,
    request,
)

__all__ = [
    "Cookies",
    "FetchResponse",
    "HTTPError",
    "Header",
    "Headers",
    "Page",
    "ReadResponse",
    "Response",
    "Session",
    "close",
    "delete",
    "fetch",
    "get",
    "head",
    "page",
    "patch",
    "post",
    "put",
    "read",
    "request",
]


@dataclass(frozen=True, slots=True)
class Header:
    name: str = ""
    value: str = ""
    """Latin-1 characters, each one byte of the header."""

    @classmethod
    def from_wire(cls, reply: Reply) -> Header:
        return cls(
            name=reply.get("name", ""),
            value=reply.get("value", ""),
        )


@dataclass(frozen=True, slots=True)
class FetchResponse:
    status: int = 0
    headers: tuple[Header, ...] = ()
    """As they came, in order; what frames the message and what was decoded is left out."""
    body: bytes = b""
    """The beginning of the body, decoded where it was compressed."""
    handle: str = ""
    """Set where more of the body follows."""
    cut: bool = False
    """The body was cut off at its limit: what came is not all there was."""

    @classmethod
    def from_wire(cls, reply: Reply) -> FetchResponse:
        return cls(
            status=int(reply.get("status", 0)),
            headers=tuple(Header.from_wire(item) for item in reply.get("headers", ())),
            body=b64decode(reply.get("body", "")),
            handle=reply.get("handle", ""),
            cut=reply.get("cut", False),
        )


@dataclass(frozen=True, slots=True)
class ReadResponse:
    data: bytes = b""
    end: bool = False
    """Nothing follows; the handle is of no more use."""
    cut: bool = False
    """The body was cut off at its limit."""

    @classmethod
    def from_wire(cls, reply: Reply) -> ReadResponse:
        return cls(
            data=b64decode(reply.get("data", "")),
            end=reply.get("end", False),
            cut=reply.get("cut", False),
        )


@action
def fetch(
    method: str,
    scheme: str,
    host: str,
    *,
    port: str = "",
    path: str = "",
    headers: tuple[Header, ...] = (),
    body: bytes = b"",
    timeout_ms: int = 0,
    stream: bool = False,
    most: int = 0,
) -> Call[FetchResponse]:
    """Sends one HTTP request and returns the answer: its head, and as much of its body as one reply carries. When more
    follows, `handle` is set, and Read returns the rest piece by piece.

    Needs a grant of net.fetch, bounded by method and scheme and host and port and path and sent and received and
    network and secret.

    method: Not CONNECT, which makes a tunnel, TRACE, which says back what others added, COPY and MOVE, which name a
    second place that no bound looks at.
    path: With its query: /search?q=owl. Empty means /.
    headers: Host, Connection, Content-Length and whatever else frames a message are set by the server and refused
    here.
    timeout_ms: Until the head has come, and at most between two pieces; 0 means 30 seconds.
    stream: Reply as soon as the head has come; all of the body is then read by Read.
    most: At most this much of a body in all; 0 means 64 MiB.
    """
    return Call(
        "net.fetch",
        {
            "method": method,
            "scheme": scheme,
            "host": host,
            "port": port,
            "path": path,
            "headers": headers,
            "body": body,
            "timeout_ms": timeout_ms,
            "stream": stream,
            "most": most,
        },
        FetchResponse.from_wire,
    )


@action
def read(*, handle: str = "", length: int = 0) -> Call[ReadResponse]:
    """The next piece of a body.

    Needs a grant of net.read or net.fetch.

    length: At most this much; 0 means 1 MiB.
    """
    return Call("net.read", {"handle": handle, "length": length}, ReadResponse.from_wire)


@action
def close(handle: str) -> Call[None]:
    """Hangs up before the end of a body.

    Needs a grant of net.close or net.fetch.
    """
    return Call("net.close", {"handle": handle}, lambda _: None)
