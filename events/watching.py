"""Watching: what capabilities tell of, taken in as events.

For each capability that an armed trigger waits for there is one process that is watched and does nothing else. What it
tells of is hostile until it was looked at here: an event must be one that was asked for, be named, be JSON and be
small. It is recorded in the order in which it came; when it is on disk the server is told so (`Acknowledge`), and it
alone knows whom that concerns. What was told of twice under one id is one event, across restarts of either side.

A capability that tells of what lies within bounds (files) is told the bounds, and they are those that a grant of the
program covers now: where none does, nothing is watched, and where one ends, what it covered is not taken any more. What
is told of beyond them is not taken, whoever the server has become. What such a server wants to find again is kept for
it (`Marks`), so that it sees what happened while nobody watched.

A server that ends is started again, ever later; one that is killed as its triggers change is another matter, and the
next begins at once.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from agentos.events.dispatch import NOTHING, Dispatch, Led
from agentos.events.queue import MAX_DATA, ArmedTrigger, Queue
from agentos.home.happenings import Armed
from agentos.home.journal import JournalBroken, JournalFull
from agentos.home.refusal import Refusal
from agentos.v1 import capability_pb2 as pb
from agentos.v1 import matchers

MAX_ID = 200
# Told of and not yet on disk: more is not read from a stream.
AT_ONCE = 256
LONGEST_PAUSE_S = 30.0
# What a server noted, all its triggers together.
MOST_MARKED = 7 << 20


class Server(Protocol):
    """One process that is watched."""

    def watch(self, wanted: pb.WatchRequest) -> AsyncIterator[pb.WatchResponse]: ...

    async def acknowledge(self, event: str, taken: pb.Taken.ValueType) -> None: ...

    async def kill(self) -> None: ...


class Servers(Protocol):
    """Who starts them; `places` are patterns of what one may reach, which is read alone."""

    async def watcher(self, capability: str, places: Sequence[str]) -> Server: ...

    def unwatched(self, capability: str) -> None: ...


class Marks(Protocol):
    """What is kept for servers, by trigger."""

    def begun(self, trigger: str) -> bool: ...

    def of(self, trigger: str) -> list[tuple[str, str]]: ...

    def put(self, trigger: str, marks: Iterable[tuple[str, str]], begun: bool = False) -> None: ...

    def keep(self, triggers: Iterable[str]) -> None: ...


class Powers(NamedTuple):
    """What is handed in: `lost` is what is raised of a server that cannot be had, or that ended; `port` says where a
    capability listens, `covered` which of these paths a grant lets this program look at now."""

    servers: Servers
    lost: type[Exception]
    port: Callable[[str], int]
    marks: Marks
    covered: Callable[[Armed, tuple[str, ...]], tuple[str, ...]]


class Watching:
    def __init__(self, queue: Queue, dispatch: Dispatch, powers: Powers) -> None:
        self._queue, self._dispatch = queue, dispatch
        self._servers, self._lost, self._port, self._marks, self._covered = powers
        self._streams: dict[str, tuple[bytes, asyncio.Task[None]]] = {}
        # Why nothing comes: to all of a capability, or to one trigger.
        self._trouble: dict[str, str] = {}
        self._closed = False
        self._turned_away = 0
        dispatch.changed = self.look

    def look(self) -> None:
        """Watch what is wanted now, as it is wanted now."""
        if self._closed:  # what runs record as they end is no reason to begin anew
            return
        wanted = self._wanted()
        self._marks.keep({each.trigger for request in wanted.values() for each in request.wanted})
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
        self._closed = True
        tasks = [task for _, task in self._streams.values()]
        self._streams.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def trouble(self, trigger: str) -> str:
        """Why nothing comes to a trigger (yet); empty where all is well."""
        rule = self._queue.triggers[trigger].rule
        found = self._trouble.get(trigger) or self._trouble.get(rule.event.partition(".")[0], "")
        return found or (
            "what is there now is still being noted" if rule.paths and not self._marks.begun(trigger) else ""
        )

    def statistics(self) -> dict[str, int]:
        """How many servers tell of things, of how many servers and triggers nothing comes, and who was turned away."""
        known = sum(each in self._streams or each in self._queue.triggers for each in self._trouble)
        return {"servers": len(self._streams), "troubled": known, "turned_away": self._turned_away}

    def url(self, trigger: str) -> str:
        """Where a hook is called; empty for what is none."""
        rule = self._queue.triggers[trigger].rule
        return f"http://127.0.0.1:{self._port('hook')}/{trigger}/{rule.secret}" if rule.secret else ""

    def _wanted(self) -> dict[str, pb.WatchRequest]:
        found: dict[str, pb.WatchRequest] = {}
        for each, held in self._queue.triggers.items():
            if held.rule.is_watched and held.on:
                capability, _, event = held.rule.event.partition(".")
                asked = _asked(each, event, held)
                if self._bounded(asked, held):
                    found.setdefault(capability, pb.WatchRequest()).wanted.append(asked)
        return found

    def _bounded(self, asked: pb.Wanted, held: ArmedTrigger) -> bool:
        """Say within which bounds it is watched: whether that is anything."""
        if not held.rule.paths:
            return True
        covered = self._covered(self._queue.programs[held.path].armed, held.rule.paths)
        asked.bounds.add(name="path", values=covered)
        missing = [each for each in held.rule.paths if each not in covered]
        self._trouble.pop(asked.trigger, None)
        if missing:
            self._trouble[asked.trigger] = f"no grant covers {missing[0]}: arm it anew with --grant manifest"
        return bool(covered)

    async def _keep(self, capability: str, request: pb.WatchRequest, before: asyncio.Task[None] | None) -> None:
        """Keep one stream open, whatever ends it, once that is gone which was there before."""
        if before:
            before.cancel()
            await asyncio.wait((before,))
        pause_s = 0.1
        while True:
            heard = False
            try:
                places = [path for each in request.wanted for bound in each.bounds for path in bound.values]
                server = await self._servers.watcher(capability, places)
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
            async for event in server.watch(self._marked(request)):
                heard = True
                if not event.name:
                    self._note(event, triggers)
                    continue
                await room.acquire()
                task = asyncio.get_running_loop().create_task(answer(event))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        except self._lost as lost:
            self._trouble[capability] = str(lost)
        finally:
            for task in tasks:
                task.cancel()
        return heard

    def _marked(self, request: pb.WatchRequest) -> pb.WatchRequest:
        """The request with what the server noted before, as far as one message can carry that."""
        whole, size = pb.WatchRequest(), 0
        for each in request.wanted:
            marked = pb.Wanted()
            marked.CopyFrom(each)
            marked.begun = self._marks.begun(each.trigger)
            marked.marks.extend(pb.Mark(key=key, value=value) for key, value in self._marks.of(each.trigger))
            size += marked.ByteSize()
            if size > MOST_MARKED:
                self._trouble[each.trigger] = "too much is watched already: see agentos triggers"
                continue
            whole.wanted.append(marked)
        return whole

    def _note(self, said: pb.WatchResponse, triggers: set[str]) -> None:
        """What a server says beside events."""
        self._turned_away += said.turned_away
        if said.trigger not in triggers:
            return
        if said.marks or said.begun:
            self._marks.put(said.trigger, [(each.key, each.value) for each in said.marks], said.begun)
        elif said.trouble:
            self._trouble[said.trigger] = plain(said.trouble)
        else:
            self._trouble.pop(said.trigger, None)

    async def _take(self, capability: str, event: pb.WatchResponse, triggers: set[str]) -> pb.Taken.ValueType:
        name, data = f"{capability}.{event.name}", event.payload or "null"
        wanted = [each for each in self._queue.by_name.get(name, ()) if each in triggers]
        if not wanted or event.trigger not in ("", *wanted) or not _well_formed(event.id, data):
            return pb.TAKEN_UNSPECIFIED
        if not all(self._within(each, data) for each in wanted if event.trigger in ("", each)):
            return pb.TAKEN_UNSPECIFIED
        fits = self._queue.wants(name, data)
        to = tuple(each for each in wanted if each in fits and event.trigger in ("", each))
        try:
            again = await self._dispatch.tell(f"{capability}:{event.id}", name, data, to, led=self._led(name, to))
        except (Refusal, JournalFull, JournalBroken):
            return pb.TAKEN_NO_ROOM
        if event.marks and event.trigger:
            self._marks.put(event.trigger, [(each.key, each.value) for each in event.marks])
        return pb.TAKEN_DUPLICATE if again else pb.TAKEN_KEPT

    def _led(self, name: str, to: Iterable[str]) -> Led:
        """A change within bounds happened here, to the person's own; anything else is what somebody out there sent."""
        here = all(self._queue.triggers[each].rule.paths for each in to)
        return NOTHING if here else Led(outside=(name,))

    def _within(self, trigger: str, data: str) -> bool:
        """Whether what is told of lies within what a grant covers now."""
        held = self._queue.triggers[trigger]
        if not held.rule.paths:
            return True
        said = json.loads(data)
        path = said.get("path") if isinstance(said, dict) else None
        covered = self._covered(self._queue.programs[held.path].armed, held.rule.paths)
        return isinstance(path, str) and any(matchers.matches(matchers.PATH, each, path) for each in covered)


def _asked(trigger: str, event: str, held: ArmedTrigger) -> pb.Wanted:
    rule = held.rule
    return pb.Wanted(
        trigger=trigger, event=event, secret=rule.secret, headers=rule.headers, id_header=rule.id_header,
        quiet_ms=rule.quiet_ms,
    )  # fmt: skip


def plain(text: str) -> str:
    """What a server says, for a person's screen."""
    return "".join(c if c.isprintable() else "?" for c in text[:MAX_ID])


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
