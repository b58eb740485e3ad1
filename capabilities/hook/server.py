"""Hooks: what is POSTed to a secret URL of this machine, handed to the kernel, and answered once it is on disk.

    stranger -> request.py (h11, limits) -> which hook? -> the kernel, over Watch -> Acknowledge -> 202

This process parses what strangers send, so that the kernel does not. It was handed one socket, which listens on
loopback; it can make no other, reaches no file and no network, and knows the secrets of the hooks that are armed now
and nothing else.

A URL is `/TRIGGER/SECRET`. Whether a trigger is there, and whether its secret was wrong, cannot be told from outside:
the answer is the same 404, after the same comparison, which takes as long however much of a secret was right.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import h11

from agentos.capabilities.hook import limits
from agentos.capabilities.hook.request import Exchange, Refused, Request
from agentos.capabilities.server import Capability
from agentos.v1 import capability_pb2 as pb
from agentos.v1 import hook_pb2

ALWAYS = ("content-type",)
# Where who sends names what it sends, by custom; a manifest may name another header.
IDS = ("idempotency-key", "webhook-id", "x-github-delivery")
KEPT = (pb.TAKEN_KEPT, pb.TAKEN_DUPLICATE)
# So often the kernel hears how many were turned away, however many those are.
COUNTED_EVERY_S = 0.5


class Hooks(Capability):
    service = hook_pb2.DESCRIPTOR.services_by_name["HookService"].full_name

    def __init__(self) -> None:
        self._hooks: dict[str, pb.Wanted] = {}
        self._buckets: dict[str, limits.Bucket] = {}
        self._told: asyncio.Queue[pb.WatchResponse] = asyncio.Queue()
        self._waiting: dict[str, asyncio.Future[int]] = {}
        self._connections = self._turned_away = 0
        self._watched = False
        # What a secret is compared with that nobody has.
        self._nobody = secrets.token_urlsafe(32)

    async def start(self) -> None:
        listener = socket.socket(fileno=self.boot.listener)
        self._port = listener.getsockname()[1]
        self._server = await asyncio.start_server(self._meet, sock=listener, limit=limits.HEAD_BYTES)

    async def close(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    # ---- the kernel's side

    async def watch(self, request: pb.WatchRequest) -> AsyncIterator[pb.WatchResponse]:
        self._hooks = {each.trigger: each for each in request.wanted}
        self._watched = True
        try:
            while True:
                yield await self._told.get()
        finally:
            self._watched = False
            self._told = asyncio.Queue()
            for event in list(self._waiting):
                self.acknowledged(event, pb.TAKEN_NO_ROOM)

    def acknowledged(self, event: str, taken: int) -> None:
        waiting = self._waiting.pop(event, None)
        if waiting and not waiting.done():
            waiting.set_result(taken)

    # ---- the stranger's side

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        exchange = Exchange(reader, writer, self._port)
        self._connections += 1
        try:
            if self._connections <= limits.CONNECTIONS:
                await self._serve(exchange)
            else:
                self._count()
        except (OSError, EOFError, h11.LocalProtocolError):
            pass
        finally:
            self._connections -= 1
            writer.close()

    async def _serve(self, exchange: Exchange) -> None:
        try:
            async with asyncio.timeout(limits.SENT_WITHIN_S):
                request = await exchange.head()
                hook = self._hook(request.path)
                request.body = await exchange.body()
            await self._keep(hook, request)
            status, headers = 202, dict[str, str]()
        except Refused as refused:
            status, headers = refused.status, refused.headers
        except TimeoutError:
            status, headers = 408, {}
        except h11.RemoteProtocolError as wrong:
            status, headers = wrong.error_status_hint, {}
        if status != 202:
            self._count()
        with suppress(OSError):
            await exchange.answer(status, headers)

    def _count(self) -> None:
        """One more was turned away."""
        self._turned_away += 1
        if self._turned_away == 1:
            asyncio.get_running_loop().call_later(COUNTED_EVERY_S, self._tell_turned_away)

    def _tell_turned_away(self) -> None:
        if self._watched:
            self._told.put_nowait(pb.WatchResponse(turned_away=self._turned_away))
        self._turned_away = 0

    def _hook(self, path: str) -> pb.Wanted:
        """The hook of this URL. Raises Refused."""
        if not self._watched:
            raise Refused(503, retry_after="1")
        trigger, _, given = path.removeprefix("/").partition("/")
        hook = self._hooks.get(trigger)
        secret = hook.secret if hook else self._nobody
        right = hmac.compare_digest(hashlib.sha256(given.encode()).digest(), hashlib.sha256(secret.encode()).digest())
        if hook is None or not right:
            raise Refused(404)
        if not self._buckets.setdefault(trigger, limits.Bucket()).takes():
            raise Refused(429, retry_after="1")
        return hook

    async def _keep(self, hook: pb.Wanted, request: Request) -> None:
        """Tell the kernel, and wait until it is on disk. Raises Refused."""
        event = pb.WatchResponse(
            id=_id(hook, request), name="received", payload=_payload(hook, request), trigger=hook.trigger
        )
        # Sent twice at the same time it is still one event: who comes second waits for the first.
        waiting = self._waiting.get(event.id)
        if waiting is None:
            waiting = self._waiting[event.id] = asyncio.get_running_loop().create_future()
            self._told.put_nowait(event)
        try:
            async with asyncio.timeout(limits.KEPT_WITHIN_S):
                taken = await asyncio.shield(waiting)
        except TimeoutError:
            taken = pb.TAKEN_NO_ROOM
        if taken not in KEPT:
            raise Refused(503, retry_after="5")


def _id(hook: pb.Wanted, request: Request) -> str:
    """What names this event: by its header, however long that is, else by chance."""
    names = (hook.id_header,) if hook.id_header else IDS
    given = next((request.headers[name] for name in names if request.headers.get(name)), "")
    digest = hashlib.sha256(given.encode()).hexdigest()[:32] if given else secrets.token_hex(16)
    return f"{hook.trigger}:{digest}"


def _payload(hook: pb.Wanted, request: Request) -> str:
    """What the program gets, as JSON. What is text is told as text, unless it would be larger so than it is."""
    chosen = {name: request.headers[name] for name in (*ALWAYS, *hook.headers) if name in request.headers}
    told: dict[str, object] = {"method": request.method, "headers": chosen}
    with suppress(UnicodeDecodeError):
        text = json.dumps(told | {"text": request.body.decode()}, ensure_ascii=False)
        if len(text.encode()) <= limits.EVENT_BYTES:
            return text
    return json.dumps(told | {"base64": base64.b64encode(request.body).decode()}, ensure_ascii=False)
