"""One request of a stranger, read by h11 and never by hand, and the one answer that it gets.

Who talks to loopback is any process of this machine, and any page that a browser here has open. So before a URL is
looked at, the request must name this machine as its host (a name that was rebound to 127.0.0.1 does not) and must not
come from a page (browsers say so in Origin and Sec-Fetch-Site, and a page cannot take that out).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import h11

from agentos.capabilities.hook import limits

PORTION = 1 << 14
HOSTS = ("127.0.0.1", "localhost", "[::1]")
FROM_A_PAGE = ("origin", "sec-fetch-site")


class Refused(Exception):
    """What the stranger is told instead; no more than the status says."""

    def __init__(self, status: int, **headers: str) -> None:
        super().__init__(status)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass
class Request:
    """`headers` by lower-case name; of one that came more than once all values, as HTTP joins them."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass
class Exchange:
    """One connection, which carries one request."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    port: int
    _http: h11.Connection = field(
        default_factory=lambda: h11.Connection(h11.SERVER, max_incomplete_event_size=limits.HEAD_BYTES)
    )

    async def head(self) -> Request:
        """The request without its body. Raises Refused, EOFError, h11.RemoteProtocolError."""
        event = await self._next()
        if not isinstance(event, h11.Request):
            raise EOFError
        found: dict[str, str] = {}
        for raw_name, raw_value in event.headers:
            name, value = raw_name.decode("ascii"), raw_value.decode("latin-1")
            found[name] = f"{found[name]}, {value}" if name in found else value
        request = Request(event.method.decode("ascii"), event.target.decode("latin-1"), found)
        self._check(request)
        return request

    def _check(self, request: Request) -> None:
        if request.headers.get("host", "").lower() not in [f"{host}:{self.port}" for host in HOSTS]:
            raise Refused(421)
        if any(name in request.headers for name in FROM_A_PAGE):
            raise Refused(403)
        if request.method != "POST":
            raise Refused(405, allow="POST")
        length = request.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > limits.BODY_BYTES:
            raise Refused(413)

    async def body(self) -> bytes:
        """Its body. Raises Refused for one that is too large, whatever was said of its length."""
        if self._http.they_are_waiting_for_100_continue:
            self._say(h11.InformationalResponse(status_code=100, headers=[]))
        parts, size = [], 0
        while isinstance(event := await self._next(), h11.Data):
            size += len(event.data)
            if size > limits.BODY_BYTES:
                raise Refused(413)
            parts.append(bytes(event.data))
        return b"".join(parts)

    async def _next(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self.reader.read(PORTION))
        if isinstance(event, h11.ConnectionClosed):
            raise EOFError
        return event

    async def answer(self, status: int, headers: Mapping[str, str]) -> None:
        """Answer, and end the connection."""
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        told = [*headers.items(), ("content-length", "0"), ("connection", "close"), ("cache-control", "no-store")]
        self._say(h11.Response(status_code=status, headers=told))
        self._say(h11.EndOfMessage())
        if self._http.their_state is h11.DONE:
            return
        self.writer.write_eof()
        with suppress(TimeoutError):
            async with asyncio.timeout(limits.LINGER_S):
                heard = 0
                while heard < limits.LINGER_BYTES and (portion := await self.reader.read(PORTION)):
                    heard += len(portion)

    def _say(self, event: h11.InformationalResponse | h11.Response | h11.EndOfMessage) -> None:
        self.writer.write(self._http.send(event) or b"")
