"""The network, as far as hosts were granted: the rpcs of net.proto. Every part of a URL has been checked against the
grant before a method sees it; where its name leads is checked here, at the moment of use (names.py)."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from agentos.capabilities.context import Context
from agentos.capabilities.failure import Failure, Invalid, NotFound, Unavailable
from agentos.capabilities.net import limits, names
from agentos.capabilities.net.dial import trust
from agentos.capabilities.net.exchange import Answer, Parts, Wants, ask
from agentos.capabilities.net.secrets import Destination, Lent
from agentos.capabilities.server import Capability
from agentos.v1 import net_pb2 as pb

# Between the end of our patience and that of whoever asked.
MARGIN_S = 4.0


@dataclass
class Open:
    """An answer that is read on: whose it is, its place, and when it is closed for want of a reader."""

    run: str
    answer: Answer
    lease: limits.Lease
    busy: bool = False
    closing: asyncio.TimerHandle | None = field(default=None)

    async def close(self) -> None:
        if self.closing is not None:
            self.closing.cancel()
        await self.answer.close()
        self.lease.release()


class Net(Capability):
    service = "agentos.v1.NetService"

    async def start(self) -> None:
        self._resolve = names.resolver(self.boot.settings.get("resolver", ""))
        self._limits = limits.Limits()
        self._open: dict[str, Open] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._trust: ssl.SSLContext | None = None

    # ---- the actions

    async def fetch(self, request: pb.NetFetchRequest, context: Context) -> pb.NetFetchResponse:
        if request.most < 0:
            raise Invalid("most is 0 or more")
        most = min([request.most or limits.BODY, limits.BODY_MOST, *map(int, context.bounds.get("received", ()))])
        answer, lease = await self._ask(request, request.body, context, most)
        opened = Open(context.run, answer, lease)
        reply = pb.NetFetchResponse(status=answer.status, headers=answer.headers)
        try:
            if not request.stream:
                with typed(answer.lent):
                    reply.body = await answer.body.piece(limits.PIECE, min(limits.FIRST_S, _left(context)))
            reply.cut = answer.body.cut
            if not answer.body.ended:
                reply.handle = self._keep(opened)
        finally:
            if not reply.handle:
                await opened.close()
        return reply

    async def head(self, request: pb.NetHeadRequest, context: Context) -> pb.NetHeadResponse:
        answer, lease = await self._ask(request, b"", context, 0)
        await Open(context.run, answer, lease).close()
        return pb.NetHeadResponse(status=answer.status, headers=answer.headers)

    async def read(self, request: pb.NetReadRequest, context: Context) -> pb.NetReadResponse:
        if request.length < 0:
            raise Invalid("length is 0 or more")
        opened = self._opened(request.handle, context)
        if opened.busy:
            raise Invalid("this answer is being read already", "read it one piece after the other")
        opened.busy = True
        if opened.closing is not None:
            opened.closing.cancel()
        body = opened.answer.body
        try:
            with typed(opened.answer.lent):
                piece = await body.piece(min(request.length or limits.PIECE, limits.PIECE), _left(context))
            opened.busy = body.ended
        finally:
            if opened.busy:
                await self._drop(request.handle)
            else:
                self._expire(request.handle, opened)
        return pb.NetReadResponse(data=piece, end=body.ended, cut=body.cut)

    async def close(self, request: pb.NetCloseRequest, context: Context) -> pb.NetCloseResponse:
        with suppress(NotFound):
            self._opened(request.handle, context)
            await self._drop(request.handle)
        return pb.NetCloseResponse()

    # ---- asking

    async def _ask(
        self, request: pb.NetFetchRequest | pb.NetHeadRequest, content: bytes, context: Context, most: int
    ) -> tuple[Answer, limits.Lease]:
        if request.timeout_ms < 0:
            raise Invalid("timeout_ms is 0 or more")
        if self._trust is None:
            self._trust = trust(self.boot.settings.get("ca", ""))
        parts, lent = Parts.of(request), Lent(context.secrets)
        given = lent.joined(Destination(parts.scheme, parts.host, parts.port, parts.path), request.headers)
        patience = min(request.timeout_ms / 1000 or limits.HEAD_S, limits.HEAD_MOST_S, _left(context))
        head_by = time.monotonic() + patience
        lease = await self._limits.lease(context.program, patience)
        try:
            with typed(lent):
                found = await names.checked(
                    parts.host, context.bounds.get("network", ()), self._resolve, head_by - time.monotonic(),
                    lambda kind: _line(parts, kind),
                )  # fmt: skip
                wants = Wants(most, patience, head_by)
                return await ask(parts, given, content, found, self._trust, wants, lent), lease
        except BaseException:
            lease.release()
            raise

    # ---- answers that are read on

    def _keep(self, opened: Open) -> str:
        opened.lease.keep()
        handle = secrets.token_urlsafe(24)
        self._open[handle] = opened
        self._expire(handle, opened)
        return handle

    def _opened(self, handle: str, context: Context) -> Open:
        opened = self._open.get(handle)
        # Whose it is not, to him it is not there.
        if opened is None or opened.run != context.run:
            raise NotFound("there is no such answer, or it was read to its end", "fetch it again", "handle")
        return opened

    def _expire(self, handle: str, opened: Open) -> None:
        opened.closing = asyncio.get_running_loop().call_later(limits.IDLE_S, self._expired, handle)

    def _expired(self, handle: str) -> None:
        task = asyncio.get_running_loop().create_task(self._drop(handle))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drop(self, handle: str) -> None:
        opened = self._open.pop(handle, None)
        if opened is not None:
            await opened.close()


def _left(context: Context) -> float:
    """How long a call may still take, so that its answer comes in time."""
    return max(context.remaining_s - MARGIN_S, 0)


def _line(parts: Parts, network: str) -> str:
    """The line of a manifest that would allow this request on that network."""
    bounds = [f'host = ["{parts.host}"]', f'network = "{network}"']
    if parts.method not in ("GET", "HEAD"):
        bounds.insert(0, f'method = ["{parts.method}"]')
    if parts.scheme != "https":
        bounds.append(f'scheme = "{parts.scheme}"')
    if parts.port != "443":
        bounds.append(f'port = "{parts.port}"')
    return f'"net.fetch" = {{ {", ".join(bounds)} }}'


@contextmanager
def typed(lent: Lent) -> Iterator[None]:
    """Lets failures through. Of what nobody thought of, a program learns that it happened, and our log the rest."""
    try:
        yield
    except Failure:
        raise
    except Exception as problem:  # noqa: BLE001 - `interrupted`, as for any other server, would end this one for all
        # A library's own words may repeat what came, and with it a secret.
        sys.stderr.write(lent.text("".join(traceback.format_exception(problem))))
        failure = Unavailable("the request failed", "try again later", "failed")
        failure.error.happened = True
        raise failure from None
