"""Changed files, told to the kernel: `{"path", "kind"}`, once each, whoever was down meanwhile.

What the system tells of changes (watchfiles, on inotify and the like) is a hint where to look, and no more: it is
coalesced, may be lost, and follows links. What is told is the difference between how a file was when it was last told
of, and how it is now (`tree.py`). How it was is a mark that the kernel keeps for us: so a start finds what happened
before it, a storm over one file is one event, and a crash tells nothing that was not kept.

    hint -> look -> different from its mark -> quiet for a while -> told -> kept by the kernel -> its mark

An event's id is made of the path, the kind and the version of the file, which has the time when its entry changed last;
so what is told again after a crash is known by its id, and the same file that comes and goes is not.

Where the system gives no hints (too many watches, a share of another machine), all is looked at each minute.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from itertools import islice

from agentos.capabilities.failure import Denied, Limit
from agentos.capabilities.files.places import Places
from agentos.capabilities.files.tree import Tree, same
from agentos.v1 import capability_pb2 as pb

CHUNK = 500
# Told of and not yet kept, of one trigger.
AT_ONCE = 64
AGAIN_S = 2.0
LOOK_EVERY_S = 60.0
# One that is never quiet is told of all the same, after so long.
AT_LAST_S = 60.0
# Hints are put together until there is none for a step, or for so long; of more than that, all is looked at.
STEP_MS, DEBOUNCE_MS, TIMEOUT_MS, MOST_HINTS = 100, 400, 500, 500
# Before hearing is tried again where it failed.
DEAF_S = 5.0


class Watched:
    """One trigger: what is there, how it was told, and what is to be told."""

    def __init__(self, wanted: pb.Wanted, places: Places) -> None:
        self.trigger, self._quiet_s = wanted.trigger, wanted.quiet_ms / 1000
        patterns = tuple(value for bound in wanted.bounds if bound.name == "path" for value in bound.values)
        self.tree = Tree(places, patterns)
        self.trouble = ""
        self._known = {each.key: each.value for each in wanted.marks}
        self._begun = wanted.begun
        # Since when each file is another one, and when it changed last; what was told of it, by event.
        self._since: dict[str, tuple[float, float]] = {}
        self._told: dict[str, tuple[str, str]] = {}

    def begin(self) -> None:
        """Look at all."""
        self.look()
        if self._begun:
            self._seen({**self._known, **self.tree.files})

    def noted(self) -> Iterator[pb.WatchResponse]:
        """What was there from the start, once that was seen: it is told of when it changes."""
        if self._begun or self.trouble:
            return
        self._begun, self._known = True, dict(self.tree.files)
        items = iter(self._known.items())
        while part := list(islice(items, CHUNK)):
            yield pb.WatchResponse(trigger=self.trigger, marks=[pb.Mark(key=key, value=value) for key, value in part])
        yield pb.WatchResponse(trigger=self.trigger, begun=True)

    def look(self, *folders: str) -> None:
        """Look at these folders, or at all."""
        was, self.trouble = self.trouble, ""
        try:
            changed = self.tree.look(*folders)
            self._seen({**self._known, **self.tree.files} if was else changed)
        except (Limit, Denied) as failure:
            self.trouble = f"{failure}: {failure.error.hint}"

    def _seen(self, paths: Iterable[str]) -> None:
        now = time.monotonic()
        for path in paths:
            self._since[path] = self._since.get(path, (now, now))[0], now

    def _differs(self, path: str) -> bool:
        return not same(self._known.get(path, ""), self.tree.files.get(path, ""))

    def due(self) -> Iterator[pb.WatchResponse]:
        """What is to be told now."""
        now, under_way = time.monotonic(), {path for path, _ in self._told.values()}
        if self.trouble or not self._begun:
            return
        for path, (first, last) in list(self._since.items()):
            if len(self._told) >= AT_ONCE:
                return
            if path in under_way or min(last + self._quiet_s, first + AT_LAST_S) > now:
                continue
            if self._differs(path):
                yield self._event(path)
            else:
                del self._since[path]

    def _event(self, path: str) -> pb.WatchResponse:
        before, now = self._known.get(path, ""), self.tree.files.get(path, "")
        kind = "added" if not before else "changed" if now else "removed"
        name = sha256(f"{path}\0{kind}\0{now or before}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
        event = f"{self.trigger}:{name}"
        self._told[event] = path, now
        payload = json.dumps({"path": path, "kind": kind})
        marks = [pb.Mark(key=path, value=now)]
        return pb.WatchResponse(id=event, name="changed", payload=payload, trigger=self.trigger, marks=marks)

    def next_s(self) -> float:
        """How long until something may be due."""
        now = time.monotonic()
        times = [min(last + self._quiet_s, first + AT_LAST_S) for first, last in self._since.values()]
        return max(min(times, default=now + LOOK_EVERY_S) - now, 0.01)

    def acknowledged(self, event: str, taken: int) -> None:
        path, version = self._told.pop(event, ("", ""))
        if not path:
            return
        if taken == pb.TAKEN_NO_ROOM:
            self._since[path] = time.monotonic() + AGAIN_S, time.monotonic() + AGAIN_S
            return
        self._known |= {path: version}
        if not version:
            del self._known[path]
        if not self._differs(path):
            self._since.pop(path, None)


class Watch:
    """All that is watched. `told` is asked once, of a process that does nothing else."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._watched: dict[str, Watched] = {}
        self._news = asyncio.Event()
        self._hints: set[str] | None = set()  # None: anywhere
        self._stop = threading.Event()
        self._heard: frozenset[str] = frozenset()
        self._deaf_until = 0.0

    async def told(self, request: pb.WatchRequest) -> AsyncIterator[pb.WatchResponse]:
        self._watched = {each.trigger: Watched(each, self._places) for each in request.wanted}
        for each in self._watched.values():
            each.begin()
        troubles: dict[str, str] = {}
        looked = time.monotonic()
        try:
            while True:
                self._hear()
                for each in self._watched.values():
                    if each.trouble != troubles.get(each.trigger, ""):
                        troubles[each.trigger] = each.trouble
                        yield pb.WatchResponse(trigger=each.trigger, trouble=each.trouble)
                    for said in (*each.noted(), *each.due()):
                        yield said
                await self._wait(min((each.next_s() for each in self._watched.values()), default=LOOK_EVERY_S))
                if time.monotonic() - looked >= LOOK_EVERY_S:
                    self._hints, looked = None, time.monotonic()
                self._look()
        finally:
            self._stop.set()

    def acknowledged(self, event: str, taken: int) -> None:
        if watched := self._watched.get(event.partition(":")[0]):
            watched.acknowledged(event, taken)
            self._news.set()

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, LOOK_EVERY_S)):
                await self._news.wait()
        self._news.clear()

    def _look(self) -> None:
        """Look where something may have changed."""
        hints, self._hints = self._hints, set()
        for each in self._watched.values():
            if hints is None or len(hints) > MOST_HINTS or hints & (each.tree.heard() - each.tree.folders.keys()):
                each.look()
            elif known := hints & each.tree.folders.keys():
                each.look(*known)

    # ---- hints

    def _hear(self) -> None:
        """Have the system tell of changes in all folders that are known now."""
        folders = frozenset(folder for each in self._watched.values() for folder in each.tree.heard())
        if folders == self._heard or time.monotonic() < self._deaf_until:
            return
        stop, fresh = threading.Event(), set(folders - self._heard)
        hearing = (asyncio.get_running_loop(), folders, fresh, stop, self._stop)
        self._heard, self._stop = folders, stop
        threading.Thread(target=self._listen, args=hearing, daemon=True).start()

    def _listen(
        self, loop: asyncio.AbstractEventLoop, folders: frozenset[str], fresh: set[str], stop: threading.Event,
        before: threading.Event,
    ) -> None:  # fmt: skip
        """In a thread: hand on where something changed, until told to stop. The one before is stopped once we hear."""
        from watchfiles import watch  # for one that is watched alone: those that serve calls begin without it

        with suppress(RuntimeError):  # the loop is closed
            try:
                for found in watch(
                    *folders, watch_filter=None, debounce=DEBOUNCE_MS, step=STEP_MS, rust_timeout=TIMEOUT_MS,
                    stop_event=stop, yield_on_timeout=True, recursive=False, raise_interrupt=False,
                ):  # fmt: skip
                    places = {path for _, path in found}
                    # What changed in a folder before it was heard of is not among it.
                    if places := places | set(map(os.path.dirname, places)) | fresh:
                        loop.call_soon_threadsafe(self._hint, places)
                    fresh = set()
                    before.set()
            except OSError:  # a folder that is gone again, or no more watches
                before.set()
                loop.call_soon_threadsafe(self._deaf)

    def _hint(self, places: set[str]) -> None:
        self._hints = None if self._hints is None else self._hints | places
        self._news.set()

    def _deaf(self) -> None:
        """We hear nothing: look at all, and try anew with what is there then."""
        self._hints, self._heard, self._deaf_until = None, frozenset(), time.monotonic() + DEAF_S
        asyncio.get_running_loop().call_later(DEAF_S, self._news.set)
