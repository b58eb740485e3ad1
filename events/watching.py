"""Watching: what capabilities tell of, taken in as events.

For each capability that an armed trigger waits for there is one process that is watched and does nothing else. What it
tells of is hostile until it was looked at here: an event must be one that was asked for, be named, be JSON and be
small. It is recorded in the order in which it came; when it is on disk the server is told so (`Acknowledge`), and it
alone knows whom that concerns. What was told of twice under one id is one event, across restarts of either side.

A server that ends is started again, ever later; one that is killed as its triggers change is another matter, and the
next begins at once.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from agentos.events.dispatch import Dispatch
from agentos.events.queue import MAX_DATA, ArmedTrigger, Queue
from agentos.home.journal import JournalBroken, JournalFull
from agentos.home.refusal import Refusal
from agentos.v1 import capability_pb2 as pb

MAX_ID = 200
# Told of and not yet on disk: more is not read from a stream.
AT_ONCE = 256
LONGEST_PAUSE_S = 30.0


class Server(Protocol):
    """One process that is watched."""

    def watch(self, wanted: pb.WatchRequest) -> AsyncIterator[pb.WatchResponse]: ...

    async def acknowledge(self, event: str, taken: pb.Taken.ValueType) -> None: ...

    async def kill(self) -> None: ...


class Servers(Protocol):
    """Who starts them."""

    async def watcher(self, capability: str) -> Server: ...

    def unwatched(self, capability: str) -> None: ...


class Watching:
    """`lost` is what is raised of a server that cannot be had, or that ended; `port` where a capability listens."""

    def __init__(
        self, queue: Queue, dispatch: Dispatch, servers: Servers, lost: type[Exception], port: Callable[[str], int]
    ) -> None:
        self._queue, self._dispatch, self._servers, self._lost = queue, dispatch, servers, lost
        self._port = port
        self._streams: dict[str, tuple[bytes, asyncio.Task[None]]] = {}
        self._trouble: dict[str, str] = {}
        dispatch.changed = self.look

    def look(self) -> None:
        """Watch what is wanted now, as it is wanted now."""
        wanted = self._wanted()
        for capability in [each for each in self._streams if each not in wanted]:
            self._streams.pop(capability)[1].cancel()
            self._servers.unwatched(capability)
            self._trouble.pop(capability, None)
        for capability, request in wanted.items():
            raw = request.SerializeToString(deterministic=True)
            before = self._streams.get(capability)
            if before is None or before[0] != raw:
                keeping = self._keep(capability, request, before[1] if before else None)
                self._streams[capability] = raw, asyncio.get_running_loop().create_task(keeping)

    async def close(self) -> None:
        tasks = [task for _, task in self._streams.values()]
        self._streams.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def trouble(self, trigger: str) -> str:
        """Why nothing comes to a trigger; empty where all is well."""
        return self._trouble.get(self._queue.triggers[trigger].rule.event.partition(".")[0], "")

    def url(self, trigger: str) -> str:
        """Where a hook is called; empty for what is none."""
        rule = self._queue.triggers[trigger].rule
        return f"http://127.0.0.1:{self._port('hook')}/{trigger}/{rule.secret}" if rule.secret else ""

    def _wanted(self) -> dict[str, pb.WatchRequest]:
        found: dict[str, pb.WatchRequest] = {}
        for each, held in self._queue.triggers.items():
            if held.rule.is_watched and held.on:
                capability, _, event = held.rule.event.partition(".")
                found.setdefault(capability, pb.WatchRequest()).wanted.append(_asked(each, event, held))
        return found

    async def _keep(self, capability: str, request: pb.WatchRequest, before: asyncio.Task[None] | None) -> None:
        """Keep one stream open, whatever ends it, once that is gone which was there before."""
        if before:
            before.cancel()
            await asyncio.wait((before,))
        pause_s = 0.1
        while True:
            heard = False
            try:
                server = await self._servers.watcher(capability)
                self._trouble.pop(capability, None)
                try:
                    heard = await self._listen(server, capability, request)
                finally:
                    await asyncio.shield(server.kill())
            except self._lost as lost:
                self._trouble[capability] = str(lost)
            pause_s = 0.1 if heard else min(pause_s * 2, LONGEST_PAUSE_S)
            await asyncio.sleep(pause_s)

    async def _listen(self, server: Server, capability: str, request: pb.WatchRequest) -> bool:
        """Take in what it tells of, to its end: whether that was anything."""
        room, heard, triggers = asyncio.Semaphore(AT_ONCE), False, {each.trigger for each in request.wanted}
        tasks: set[asyncio.Task[None]] = set()

        async def answer(event: pb.WatchResponse) -> None:
            try:
                await server.acknowledge(event.id, await self._take(capability, event, triggers))
            except self._lost:
                pass
            finally:
                room.release()

        try:
            async for event in server.watch(request):
                heard = True
                await room.acquire()
                task = asyncio.get_running_loop().create_task(answer(event))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        except self._lost:
            pass
        finally:
            for task in tasks:
                task.cancel()
        return heard

    async def _take(self, capability: str, event: pb.WatchResponse, triggers: set[str]) -> pb.Taken.ValueType:
        name, data = f"{capability}.{event.name}", event.payload or "null"
        wanted = [each for each in self._queue.by_name.get(name, ()) if each in triggers]
        if not wanted or event.trigger not in ("", *wanted) or not _well_formed(event.id, data):
            return pb.TAKEN_UNSPECIFIED
        fits = self._queue.wants(name, data)
        to = tuple(each for each in wanted if each in fits and event.trigger in ("", each))
        try:
            again = await self._dispatch.tell(f"{capability}:{event.id}", name, data, to)
        except (Refusal, JournalFull, JournalBroken):
            return pb.TAKEN_NO_ROOM
        return pb.TAKEN_DUPLICATE if again else pb.TAKEN_KEPT


def _asked(trigger: str, event: str, held: ArmedTrigger) -> pb.Wanted:
    rule = held.rule
    return pb.Wanted(trigger=trigger, event=event, secret=rule.secret, headers=rule.headers, id_header=rule.id_header)


def _well_formed(event: str, data: str) -> bool:
    plain = 0 < len(event) <= MAX_ID and event.isascii() and event.isprintable()
    raw = data.encode()
    if not plain or len(raw) > MAX_DATA:
        return False
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True
