"""A run under way: its state, what it has printed, its wall clock, and the feed that its follower reads."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from agentos.events.hearing import Wanted
from agentos.events.sending import Sender
from agentos.home.history import Pinned, RunBegan, RunContinued
from agentos.home.journal import JournalBroken, JournalFull
from agentos.home.refusal import Refusal
from agentos.kernel.actor import Actor
from agentos.kernel.cells.pool import Cell, CellLimits
from agentos.kernel.grants import Standing
from agentos.kernel.own import Parted
from agentos.kernel.programs import Loaded
from agentos.kernel.replay import Diverged, Recorded
from agentos.manifest.lines import Manifest
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2

TOGETHER_S = 0.01
Durable = Callable[[int], Awaitable[None]]


class Feed:
    """What happens to a run, in order, for one follower. Text that waits for a slow one is put together.

    Each event waits until the record that it rests on is on disk: what was told cannot be lost, nor be otherwise later.
    """

    def __init__(self, durable: Durable) -> None:
        self.durable = durable
        self._waiting: deque[tuple[int, pb.RunResponse]] = deque()
        self._news = asyncio.Event()
        self._over = False

    def put(self, event: pb.RunResponse, rests_on: int) -> None:
        last = self._waiting[-1][1] if self._waiting else None
        if last and last.HasField("output") and event.HasField("output") and last.output.stream == event.output.stream:
            last.output.text += event.output.text
            self._waiting[-1] = rests_on, last
        else:
            self._waiting.append((rests_on, event))
        self._news.set()

    def end(self) -> None:
        self._over = True
        self._news.set()

    async def next(self) -> pb.RunResponse | None:
        """The next event; None after the last."""
        while not self._waiting and not self._over:
            await self._news_within(None)
        if not self._waiting:
            return None
        rests_on, event = self._waiting.popleft()
        if event.HasField("accepted") and not self._waiting and not self._over:
            await self._news_within(TOGETHER_S)  # a run that is over soon is written with its end, and not before
        with suppress(JournalFull, JournalBroken):  # that ends the run, and is told with its end
            await self.durable(rests_on)
        return event

    async def _news_within(self, seconds: float | None) -> None:
        self._news.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()


class Run:
    """One run. `stopped` is why we ended it: cancelled, wall, tree, calls, journal; empty if we did not."""

    def __init__(
        self, began: RunBegan, request: pb.RunRequest, manifest: Manifest, who: Standing, durable: Durable
    ) -> None:
        self.id = began.run
        self.began = began
        self.request = request
        self.manifest = manifest
        self.who = who
        self.feed = Feed(durable)
        self.typed: asyncio.Queue[str | None] = asyncio.Queue()
        self.cell: Cell | None = None
        self.stopped = ""
        self.pinned = Pinned(began.run, "")
        self.began_with: Pinned | None = None
        # The number of the record with which it began, or began to be played this time.
        self.began_at = 0
        self.cell_us = 0
        # Whether it is played again, even if it had done nothing; what it did; how much it printed was told already.
        self.again = False
        self.past: dict[int, Recorded] = {}
        self.told = 0
        # What it waits for away from its cell. `left` says that this kernel has let go of it.
        self.parted: Parted | None = None
        self.left = False
        self.followed = False
        # It waits for the person.
        self.asking = False
        self.woken = asyncio.Event()
        # Set once it has waited for a person, or is over.
        self.rested = asyncio.Event()
        self.diverged: Diverged | None = None
        # How the generation under way began, if it is not the first, and the state for the next, if it is over.
        self.continued: RunContinued | None = None
        self.continuing: str | None = None
        self.warned = False
        # The child that it waits for, away from its cell.
        self.joins = ""
        # The event that it waits for, away from its cell.
        self.waits: Wanted | None = None
        self.since_s = time.monotonic()
        self.output = bytearray()
        self.output_cut = False
        self.actor: Actor | None = None
        self._wall_left = manifest.limits.wall_ms / 1000
        self._wall: asyncio.TimerHandle | None = None
        self._wall_from = 0.0

    def tell(self, **event: object) -> None:
        rests_on = max(self.began_at, self.actor.heard_at if self.actor else 0)
        self.feed.put(pb.RunResponse(**event), rests_on)  # type: ignore[arg-type]  # one field of the oneof

    def printed(self, stream: int, text: str) -> None:
        """Keep and pass on what the program printed, up to its limit."""
        left = self.manifest.limits.output_bytes - len(self.output)
        raw = text.encode(errors="replace")
        if len(raw) > left:
            self.output_cut = True
            text = raw[:left].decode(errors="ignore")
            raw = text.encode()
        self.output += raw
        if new := raw[max(self.told - len(self.output) + len(raw), 0) :]:
            self.told = len(self.output)
            self.tell(output=pb.Output(stream=2 if stream == 2 else 1, text=new.decode(errors="ignore")))

    def rewind(self, past: dict[int, Recorded]) -> None:
        """Play it from its beginning, in another cell: what it did is on record, and what it printed was told."""
        self.put_back()
        self.again, self.past, self.output, self.output_cut = True, past, bytearray(), False

    @property
    def first(self) -> int:
        """The number of the last call of the generations before."""
        return self.continued.seq if self.continued else 0

    def renew(self) -> None:
        """The next generation begins: nothing of the one before is played again, and its limits begin anew."""
        self.rewind({})
        self.told, self.warned, self.began_with = 0, False, None
        self._wall_left = self.manifest.limits.wall_ms / 1000

    def follow(self) -> Feed:
        """A feed of what happens from now on, after all that was printed. Whoever followed before hears no more."""
        self.feed.end()
        self.feed, self.followed = Feed(self.feed.durable), True
        self.told = len(self.output)  # while it is played again that is less than was told before
        if self.told:
            self.tell(output=pb.Output(stream=1, text=self.output.decode(errors="ignore")))
        return self.feed

    @property
    def limits(self) -> CellLimits:
        limits = self.manifest.limits
        return CellLimits(limits.memory_bytes, -(-limits.cpu_ms // 1000))

    def take(self, loaded: Loaded, cell: Cell) -> None:
        """It runs in this cell, which has the program."""
        self.cell, self.pinned = cell, Pinned(self.id, loaded.component, loaded.code)
        cell.tell(loaded.known)
        self.cell_us = time.time_ns() // 1000

    def put_back(self) -> None:
        """No cell waits for a person: this one is given up, and another taken when the run begins."""
        if self.cell:
            self.cell.close()
            self.cell = None

    def stop(self, why: str) -> None:
        """End it from outside. The first reason stays."""
        self.stopped = self.stopped or why
        self.woken.set()
        if self.cell:
            self.cell.kill()

    def clock(self, running: bool) -> None:
        """Let the wall clock run, or hold it while a person is asked."""
        loop = asyncio.get_running_loop()
        if running and not self._wall:
            self._wall_from = loop.time()
            self._wall = loop.call_later(max(self._wall_left, 0.001), self.stop, "wall")
        elif not running:
            self.rested.set()
            if self._wall:
                self._wall.cancel()
                self._wall = None
                self._wall_left -= loop.time() - self._wall_from


class Roster:
    """The runs in memory."""

    def __init__(self) -> None:
        self.active: dict[str, Run] = {}
        # Told of a program (by path) when one of its runs ends or begins to wait for the person.
        self.look: Callable[[str], None] = lambda path: None
        # Asked to end what a run started, before its own end is recorded, and told of that end.
        self.ends: Callable[[str], Awaitable[None]] = _nothing
        self.over: Callable[[str], None] = lambda run: None
        # Sends an event, by name and data: its id. Raises Refusal.
        self.send: Callable[[Sender, str, str], Awaitable[str]] = _nobody
        # Those who wait for a run that is not in memory.
        self._waiting: dict[str, asyncio.Event] = {}

    async def news(self, run: str) -> None:
        """Until a run that waits away from here is back in memory, or over."""
        await self._waiting.setdefault(run, asyncio.Event()).wait()

    def changed(self, run: str) -> None:
        """Tell those who wait for it."""
        if waiting := self._waiting.pop(run, None):
            waiting.set()


async def _nothing(run: str) -> None:
    pass


async def _nobody(sender: Sender, name: str, data: str) -> str:
    raise Refusal(error_pb2.CODE_UNAVAILABLE, "nobody takes events in")
