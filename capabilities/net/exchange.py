"""One request and its answer, from the parts of a URL to a body that can be read.

    parts -> names (resolve, check every address) -> dial (connect, TLS) -> httpcore2 (HTTP/1.1) -> Answer

Each request has a connection of its own, which is closed after it. Kept connections would save a handshake, and make
what one program did to a connection (a login, a framing that lies) the next one's affair.

The secrets of a call have been put among its headers before (`server`); here all that comes back is searched for them,
headers and body.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import httpcore2

from agentos.capabilities.failure import Invalid
from agentos.capabilities.net import bodies, faults, headers, limits
from agentos.capabilities.net.dial import Dialer
from agentos.capabilities.net.secrets import Lent
from agentos.v1 import net_pb2 as pb
from agentos.v1.addresses import Address


@dataclass(frozen=True)
class Parts:
    """What is asked of whom, each part canonical and decided on."""

    method: str
    scheme: str
    host: str
    port: str
    path: str

    @classmethod
    def of(cls, request: pb.NetFetchRequest | pb.NetHeadRequest) -> Parts:
        return cls(request.method, request.scheme, request.host, request.port, request.path or "/")


@dataclass(frozen=True)
class Wants:
    """How much, and how patiently. `head_by` is a moment of time.monotonic()."""

    most: int
    patience: float
    head_by: float


class Answer:
    """The head of an answer, and its body as far as it was not read yet."""

    def __init__(
        self, status: int, fields: list[pb.NetHeader], body: bodies.Body, wire: httpcore2.Response, lent: Lent
    ) -> None:
        self.status, self.headers, self.body, self.lent = status, fields, body, lent
        self._wire = wire

    async def close(self) -> None:
        await self.body.close()
        with suppress(Exception):
            await self._wire.aclose()


async def ask(
    parts: Parts, given: list[pb.NetHeader], content: bytes, found: list[Address], trust: ssl.SSLContext, wants: Wants,
    lent: Lent,
) -> Answer:  # fmt: skip
    """Send a request to one of these checked addresses, and return once the head of its answer has come. Raises."""
    verb = headers.method(parts.method)
    request = httpcore2.Request(
        verb,
        httpcore2.URL(
            scheme=parts.scheme.encode(), host=parts.host.encode(), port=int(parts.port), target=parts.path.encode()
        ),
        headers=headers.sent(given, verb, headers.host(parts.host, parts.scheme, parts.port), content),
        content=content,
    )
    dialer = Dialer(parts.host, found)
    connection = httpcore2.AsyncHTTPConnection(request.url.origin, trust, http2=False, network_backend=dialer)
    try:
        with _told(parts.host, dialer):
            async with asyncio.timeout(max(wants.head_by - time.monotonic(), 0)):
                response = await connection.handle_async_request(request)
        return _answer(parts.host, verb, response, dialer, wants, lent)
    except BaseException:
        if dialer.line is not None:
            await dialer.line.aclose()
        raise


def _answer(host: str, verb: bytes, response: httpcore2.Response, dialer: Dialer, wants: Wants, lent: Lent) -> Answer:
    if dialer.line is not None:
        dialer.line.in_body = True
        dialer.line.body_left = limits.FRAMED * wants.most + limits.MIB
    if len(response.headers) > limits.FIELDS:
        raise faults.head_too_large(host)
    coding = headers.packed(response.headers, verb, response.status)
    if lent.any and not coding and headers.closed(response.headers, verb, response.status):
        raise faults.unsearchable(host)
    unpacks = bodies.Packed(coding) if coding else bodies.Plain()
    body = bodies.Body(
        host,
        _wire(response),
        bodies.Searched(unpacks, lent.stream()) if lent.any else unpacks,
        wants.most,
        time.monotonic() + limits.WHOLE_S,
        wants.patience,
    )
    fields = headers.came(response.headers, decoded=bool(coding))
    for each in fields:
        each.name, each.value = lent.text(each.name), lent.text(each.value)
    return Answer(response.status, fields, body, response, lent)


def _wire(response: httpcore2.Response) -> AsyncIterator[bytes]:
    stream = response.stream
    if not isinstance(stream, AsyncIterable):
        raise TypeError("an answer without a body to read")
    return aiter(stream)


@contextmanager
def _told(host: str, dialer: Dialer) -> Iterator[None]:
    """Turns what a library raises within into what the program is told."""
    try:
        yield
    except TimeoutError:
        raise (faults.timeout(host) if dialer.sent else faults.unreachable(host)) from None
    except httpcore2.LocalProtocolError:
        raise Invalid("the request cannot be written as HTTP", "see its path and its headers") from None
    except httpcore2.ProtocolError:
        raise (faults.not_http(host) if dialer.heard else faults.reset(host)) from None
    except httpcore2.NetworkError:
        raise faults.reset(host) from None
