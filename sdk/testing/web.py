"""The net capability in memory: a web of a few URLs, which answers as the real one does, and nothing on a wire."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from agentos.sdk.errors import AgentError, Denied, Invalid, Unavailable
from agentos.sdk.http import urls
from agentos.sdk.http.headers import Headers
from agentos.v1 import matchers
from agentos.v1 import net_pb2 as pb

PIECE = 2**20
MOST = 64 * 2**20
Bounds = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Reply:
    """What a URL of a `Web` answers; `body` is bytes, text, or what becomes JSON."""

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """One request as a host saw it."""

    method: str
    url: str
    headers: Headers
    body: bytes


class Web:
    """Answers by URL: bytes, text, what becomes JSON, a `Reply`, an error to raise, or a function of what was `Seen`.

        Web({"https://api.example.com/owls": [{"name": "Ada"}], "https://example.com/old": Reply(status=410)})

    A URL without a query answers for every query. What is not there is a 404, a host that is not there Unavailable.
    `seen` are the requests that were made of it.
    """

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers = {_canonical(url): answer for url, answer in answers.items()}
        self._hosts = {urls.split(url).host for url in self._answers}
        self._bodies: dict[str, tuple[bytes, bool]] = {}
        self._numbers = count(1)
        self.seen: list[Seen] = []

    # ---- the actions, as net.proto has them

    def fetch(self, request: pb.NetFetchRequest, bounds: Bounds) -> pb.NetFetchResponse:
        answer = self._answer(request, request.body, bounds)
        status, headers, body = _written(answer)
        if request.method == "HEAD":
            body = b""
        most = min([request.most or MOST, *map(int, bounds.get("received", ()))])
        reply = pb.NetFetchResponse(status=status, headers=headers)
        handle = f"body-{next(self._numbers)}"
        self._bodies[handle] = body[:most], len(body) > most
        if request.stream:
            reply.handle = handle
            return reply
        piece = self.read(pb.NetReadRequest(handle=handle), bounds)
        reply.body, reply.cut, reply.handle = piece.data, piece.cut, "" if piece.end else handle
        return reply

    def head(self, request: pb.NetHeadRequest, bounds: Bounds) -> pb.NetHeadResponse:
        status, headers, _ = _written(self._answer(request, b"", bounds))
        return pb.NetHeadResponse(status=status, headers=headers)

    def read(self, request: pb.NetReadRequest, bounds: Bounds) -> pb.NetReadResponse:
        if request.handle not in self._bodies:
            raise Invalid("there is no such answer, or it was read to its end", "fetch it again")
        body, cut = self._bodies.pop(request.handle)
        length = min(request.length or PIECE, PIECE)
        end = len(body) <= length
        if not end:
            self._bodies[request.handle] = body[length:], cut
        return pb.NetReadResponse(data=body[:length], end=end, cut=end and cut)

    def close(self, request: pb.NetCloseRequest, bounds: Bounds) -> pb.NetCloseResponse:
        self._bodies.pop(request.handle, None)
        return pb.NetCloseResponse()

    # ---- the web

    def _answer(self, request: pb.NetFetchRequest | pb.NetHeadRequest, body: bytes, bounds: Bounds) -> Any:
        _reachable(request.host, bounds.get("network", ()))
        target = urls.Url(request.scheme, request.host, request.port, request.path)
        seen = Seen(request.method, str(target), Headers.from_wire(_pairs(request.headers)), body)
        self.seen.append(seen)
        if request.host not in self._hosts:
            raise Unavailable(f"{request.host} does not answer", "try again later")
        without_query = str(urls.Url(*target.origin, target.path.partition("?")[0]))
        answer = self._answers.get(str(target), self._answers.get(without_query, Reply("not found", 404)))
        return answer(seen) if callable(answer) else answer


def _canonical(url: str) -> str:
    """A URL as its parts come from the rules."""
    parts = urls.split(url)
    host = matchers.canonical_value(matchers.HOST, parts.host, "/", "/")
    return str(
        urls.Url(parts.scheme, host, parts.port, matchers.canonical_value(matchers.URL_PATH, parts.path, "/", "/"))
    )


def _pairs(headers: Iterable[pb.NetHeader]) -> list[dict[str, str]]:
    return [{"name": each.name, "value": each.value} for each in headers]


def _written(answer: Any) -> tuple[int, list[pb.NetHeader], bytes]:
    """Status, headers and body of an answer, however it was given."""
    if isinstance(answer, AgentError):
        raise answer
    reply = answer if isinstance(answer, Reply) else Reply(answer)
    headers = Headers(reply.headers)
    match reply.body:
        case bytes() as body:
            kind = "application/octet-stream"
        case str() as text:
            body, kind = text.encode(), "text/plain; charset=utf-8"
        case value:
            body, kind = json.dumps(value).encode(), "application/json"
    if "Content-Type" not in headers:
        headers.add("Content-Type", kind)
    return reply.status, [pb.NetHeader(**pair) for pair in headers.to_wire()], body


def _reachable(host: str, networks: Sequence[str]) -> None:
    """Whether the grant's networks hold this host, as far as its name tells."""
    try:
        address = ipaddress.ip_address(host)
        loopback, private = address.is_loopback, not address.is_global
    except ValueError:
        loopback = private = host == "localhost" or host.endswith(".localhost")
    needed = "loopback" if loopback else "lan" if private else "public"
    if needed not in networks:
        raise Denied(f"{host} is not on a network that was granted", f'add network = ["{needed}"] to its manifest line')
