"""The net capability in memory: a web of a few URLs, which answers as the real one does, and nothing on a wire."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from agentos.sdk.errors import AgentError, Denied, Invalid, LimitExceeded, NotFound, Unavailable
from agentos.sdk.http import urls
from agentos.sdk.http.headers import Headers
from agentos.v1 import addresses, matchers
from agentos.v1 import headers as written
from agentos.v1 import net_pb2 as pb

PIECE = 2**20
MOST = 64 * 2**20
HANDLES = 16
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

    A URL without a query answers for every query. What is not there is a 404, a host that is not there NotFound, a port
    of it where nothing is Unavailable.
    `seen` are the requests that were made of it.
    """

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers = {_canonical(url): answer for url, answer in answers.items()}
        self._places = {(urls.split(url).host, urls.split(url).port) for url in self._answers}
        self._bodies: dict[str, tuple[bytes, bool]] = {}
        self._numbers = count(1)
        self.seen: list[Seen] = []

    # ---- the actions, as net.proto has them

    def fetch(self, request: pb.NetFetchRequest, bounds: Bounds) -> pb.NetFetchResponse:
        if request.most < 0:
            raise Invalid("most is 0 or more")
        answer = self._answer(request, request.body, bounds)
        status, headers, body = _written(answer)
        if request.method == "HEAD":
            body = b""
        most = min([request.most or MOST, *map(int, bounds.get("received", ()))])
        reply = pb.NetFetchResponse(status=status, headers=headers)
        handle = f"body-{next(self._numbers)}"
        self._bodies[handle] = body[:most], len(body) > most
        if not request.stream:
            piece = self.read(pb.NetReadRequest(handle=handle), bounds)
            reply.body, reply.cut = piece.data, piece.cut
        reply.handle = handle if handle in self._bodies else ""
        if len(self._bodies) > HANDLES:
            del self._bodies[handle]
            hint = "read them to their end, or close them, before the next"
            raise LimitExceeded(f"{HANDLES} answers of this program are open", hint, "handles")
        return reply

    def head(self, request: pb.NetHeadRequest, bounds: Bounds) -> pb.NetHeadResponse:
        status, headers, _ = _written(self._answer(request, b"", bounds))
        return pb.NetHeadResponse(status=status, headers=headers)

    def read(self, request: pb.NetReadRequest, bounds: Bounds) -> pb.NetReadResponse:
        if request.length < 0:
            raise Invalid("length is 0 or more")
        if request.handle not in self._bodies:
            raise NotFound("there is no such answer, or it was read to its end", "fetch it again", "handle")
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
        if request.timeout_ms < 0:
            raise Invalid("timeout_ms is 0 or more")
        target = urls.Url(request.scheme, request.host, request.port, request.path)
        _reachable(target, request.method, bounds.get("network", ()))
        self._listening(target)
        _sendable(request.headers)
        seen = Seen(request.method, str(target), Headers.from_wire(_pairs(request.headers)), body)
        self.seen.append(seen)
        without_query = str(urls.Url(*target.origin, target.path.partition("?")[0]))
        answer = self._answers.get(str(target), self._answers.get(without_query, Reply("not found", 404)))
        return answer(seen) if callable(answer) else answer

    def _listening(self, target: urls.Url) -> None:
        """Whether there is such a host, and somebody at that port of it. Raises NotFound, Unavailable."""
        named = addresses.literal(target.host) is None and target.host != "localhost"
        if named and target.host not in {host for host, _ in self._places}:
            raise NotFound(f"there is no host {target.host}", "see if it is spelt right", "no_name")
        if (target.host, target.port) not in self._places:
            raise Unavailable(f"nobody answers at that port of {target.host}", "try again later", "refused")


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
    if "Content-Length" not in headers:
        headers.add("Content-Length", str(len(body)))
    return reply.status, [pb.NetHeader(**pair) for pair in headers.to_wire()], body


def _reachable(target: urls.Url, method: str, networks: Sequence[str]) -> None:
    """Whether the grant's networks hold this host, as far as its name tells. Raises Denied."""
    local = target.host == "localhost" or target.host.endswith(".localhost")
    address = None if local else addresses.literal(target.host)
    kind = addresses.LOOPBACK if local else addresses.kind(address) if address else addresses.PUBLIC
    if kind == addresses.NEVER:
        raise Denied(f"{target.host} leads to an address that no grant reaches", "no grant changes that", "address")
    if kind not in networks:
        line = f"only if it is meant to, its manifest needs, below [tool.agentos.grants]: {_line(target, method, kind)}"
        raise Denied(f"{target.host} leads to {addresses.WORDS[kind]}", line, "address")


def _line(target: urls.Url, method: str, network: str) -> str:
    """The line of a manifest that would allow this request on that network."""
    said = {"method": [] if method in ("GET", "HEAD") else [method], "host": [target.host], "network": network}
    said |= {"scheme": "" if target.scheme == "https" else target.scheme}
    said |= {"port": "" if target.port == "443" else target.port}
    return '"net.fetch" = { ' + ", ".join(f"{name} = {json.dumps(one)}" for name, one in said.items() if one) + " }"


def _sendable(headers: Iterable[pb.NetHeader]) -> None:
    """Whether a program may send these headers. Raises Invalid, LimitExceeded."""
    try:
        fields = [written.field(each.name, each.value) for each in headers]
    except written.BadHeader as bad:
        raise Invalid(bad.reason, bad.hint, "bad_name") from None
    if written.too_many(fields):
        reason = "more than 64 headers, or more than 32 KiB of them"
        raise LimitExceeded(reason, "send what is long as the body", "too_large")
