"""Dispatch: takes events in, and begins the runs that get them.

    timer due, or an event is sent  ->  Happened  ->  RunBegan + Delivered  ->  RunEnded (the end of a run settles it)

Each arrow is a record, and what stands in the journal is all that there is: a kernel that dies between two of them
goes on from the last one. A run that asks the person, or waits for them, does not hold up the next event. Of all
programs together no more than AT_ONCE runs are begun; the others wait in the queue, on disk.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Protocol

import msgspec

from agentos.events import schedule
from agentos.events.queue import MAX_DATA, Queue, later_ms, may_begin, ready
from agentos.events.upcoming import Owed
from agentos.events.waking import Waking
from agentos.home.happenings import Delivered, Happened, Replayed, Switched
from agentos.home.history import Ledger, Record, RunBegan
from agentos.home.journal import JournalBroken, JournalFull
from agentos.home.refusal import Refusal
from agentos.manifest.triggers import SENT
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2

AT_ONCE = 64
# After a start so many timers are set in one go; then others have their turn.
SET_AT_ONCE, SET_PAUSE_S = 128, 0.005
AGAIN_MS = 1_000
MAX_ID = 200
# What the events of one run may weigh together.
MAX_BATCH = 3 << 20
# How ids look that we give: nobody else may name an event like that.
TAKEN = re.compile(r"[a-z]\d+(\.\d+)*([@:]\d+)?")
SEE = "see: agentos triggers"


class Book(Ledger, Protocol):
    """The ledger, as far as events need it."""

    queue: Queue

    def next_id(self, letter: str) -> str: ...

    def room(self) -> None:
        """Raises JournalFull while nothing new is to begin."""
        ...

    def at(self, seq: int) -> Record | None:
        """What stands at this place in the journal."""
        ...

    def happened(self, event: str) -> int:
        """Where in the journal an event stands, however long ago it was taken in; 0 where it does not."""
        ...


class Runs(Protocol):
    """What begins a run and knows which are under way."""

    def deliver(self, began: RunBegan, *delivered: Delivered) -> None:
        """Begin a run that nobody follows, all records in one unit."""
        ...

    def waits(self, run_id: str) -> bool:
        """Whether a run waits for the person."""
        ...

    def under_way(self) -> int: ...


class Event(msgspec.Struct, frozen=True):
    """What `main(input)` gets."""

    event: str
    id: str
    at: int
    data: msgspec.Raw


class Led(msgspec.Struct, frozen=True):
    """What led to an event: how many runs and events, and where those had read from."""

    hops: int = 0
    outside: tuple[str, ...] = ()


NOTHING = Led()


class Dispatch:
    def __init__(self, book: Book, runs: Runs, now_ms: Callable[[], int]) -> None:
        self._book, self._queue, self._runs, self._now_ms = book, book.queue, runs, now_ms
        self.waking = Waking(now_ms, self.wake, self._set_all)
        # When each timer is looked at next; what the heap says besides is of timers that are no more.
        self._set: dict[str, int] = {}
        self._held_up: OrderedDict[str, None] = OrderedDict()
        # Timers that were not looked at since the start.
        self._unset: deque[str] = deque()
        # Of timers that were armed, or came last, ahead of now: when it was noticed that the clock was set back.
        self._set_back: dict[str, int] = {}
        # Told when other triggers are armed, or on.
        self.changed: Callable[[], None] = lambda: None
        self._closed = False

    def resume(self) -> None:
        """Go on with what waited when the last kernel ended, and make up for the times that were missed."""
        for path in list(self._queue.owed):
            self.wake(path)
        self._set_all()
        self.changed()

    def _set_all(self) -> None:
        """Set all timers: after a start, and where the times that are set are of a clock that was wrong.

        When a cron line comes next takes some 50 µs to say, so that many timers are set while others are served.
        """
        self._unset.extend(self._queue.triggers)
        self._set_some()

    def _set_some(self) -> None:
        for _ in range(min(SET_AT_ONCE, len(self._unset))):
            self.wake(self._unset.popleft())
        if self._unset:
            asyncio.get_running_loop().call_later(SET_PAUSE_S, self._set_some)

    def close(self) -> None:
        """Begin nothing any more: runs that end from now on are let go of."""
        self._closed = True
        self._unset.clear()
        self.waking.close()

    def wake(self, name: str) -> None:
        """A trigger's time, or a program for which something may have changed."""
        if self._closed:
            return
        try:
            self._book.room()
            if name in self._queue.triggers:
                if self._queue.triggers[name].rule.is_timer:
                    self._tick(name)
            else:
                self._set.pop(name, None)
                self.look(name)
        except (JournalFull, JournalBroken):
            self.waking.at(self._now_ms() + AGAIN_MS, name)

    # ---- timers

    def _tick(self, trigger: str) -> None:
        held, now = self._queue.triggers[trigger], self._now_ms()
        program = self._queue.programs[held.path]
        since_ms, last_ms = self._told_right(trigger, now)
        first_ms = schedule.following(held.rule, since_ms, max(last_ms, since_ms))
        if first_ms > now:  # as nearly all are after a start, and this said it
            self._set_to(trigger, first_ms)
            return
        times = schedule.due(held.rule, since_ms, last_ms, now) if held.on and not program.paused else []
        for at_ms in times:
            event = f"{trigger}@{at_ms}"
            waits = f"{trigger} {event}" in self._queue.owed.get(held.path, ())  # since before the clock was set back
            if not waits and self._queue.room((trigger,)):
                self._book.record(Happened(event, held.rule.event, at_ms, "null", (trigger,), at_ms))
        self.next(trigger)
        if times:
            self.look(held.path)

    def _told_right(self, trigger: str, now: int) -> tuple[int, int]:
        """When a timer was armed and came last: by a clock that is right now, if it was set back since."""
        held, right = self._queue.triggers[trigger], now + schedule.SET_BACK_MS
        if max(held.since_ms, held.last_ms) <= right:
            self._set_back.pop(trigger, None)
            return held.since_ms, held.last_ms
        noticed = self._set_back[trigger] = min(self._set_back.get(trigger, now), now)
        since_ms = schedule.armed_since(held.rule, held.since_ms, noticed)
        return since_ms, held.last_ms if held.last_ms <= right else noticed

    def next(self, trigger: str) -> None:
        """Set the timer of a trigger, if it has one."""
        held, now = self._queue.triggers[trigger], self._now_ms()
        if not held.rule.is_timer:
            return
        behind = held.rule.catch_up == "all" and held.on and not self._queue.programs[held.path].paused
        since_ms, last_ms = self._told_right(trigger, now)
        after_ms = max(last_ms, since_ms) if behind else now
        at_ms = schedule.following(held.rule, since_ms, after_ms)
        at_ms = max(at_ms, now + AGAIN_MS) if behind and at_ms and at_ms <= now else at_ms
        if at_ms:
            self._set_to(trigger, at_ms)

    def _set_to(self, trigger: str, at_ms: int) -> None:
        if self._set.get(trigger) != at_ms:
            self._set[trigger] = at_ms
            self.waking.at(at_ms, trigger)

    # ---- what is sent

    async def send(self, name: str, data: str, event: str, at_ms: int = 0) -> tuple[str, bool, int]:
        """Take an event in: its id, whether it was there already, to how many triggers it goes. Raises Refusal.

        `at_ms` is when it came, if that was before: while the home was locked.
        """
        data = data or "null"
        check(name, data, event)
        event = event or self._book.next_id("e")
        to = self._queue.wants(f"event.{name}", data)
        again = await self.tell(event, f"event.{name}", data, to, at_ms)
        return event, again, 0 if again else len(to)

    async def tell(
        self, event: str, name: str, data: str, to: tuple[str, ...], at_ms: int = 0, led: Led = NOTHING
    ) -> bool:
        """Take an event in for these triggers: whether it was there already. On disk when this returns."""
        if event in self._queue.seen:
            await self._book.durable(self._queue.seen[event])
            return True
        await self._take_in(event, name, data, to, at_ms, led)
        return False

    async def fire(self, trigger: str) -> str:
        """Start its program now, as if the trigger had been pulled. Raises Refusal."""
        held = self._queue.triggers.get(trigger)
        if held is None:
            raise Refusal(error_pb2.CODE_NOT_FOUND, "there is no such trigger", SEE)
        event = self._book.next_id("e")
        await self._take_in(event, held.rule.event, "null", (trigger,))
        return event

    async def _take_in(
        self, event: str, name: str, data: str, to: tuple[str, ...], at_ms: int = 0, led: Led = NOTHING
    ) -> None:
        self._book.room()
        if not self._queue.room(to):
            raise Refusal(error_pb2.CODE_LIMIT, "too many events wait already", "see: agentos events", "queue_full")
        now = self._now_ms()
        happened = Happened(event, name, min(at_ms or now, now), data, to, 0, led.hops, led.outside)
        await self._book.durable(self._book.record(happened))
        for path in {self._queue.triggers[each].path for each in to if each in self._queue.triggers}:
            self.wake(path)

    async def replay(self, event: str) -> int:
        """Deliver again what was given up. Raises Refusal."""
        found = [each for each in self._queue.dead.values() if each.event == event]
        if not found:
            raise Refusal(error_pb2.CODE_NOT_FOUND, "no such event was given up", "see: agentos events dead")
        for each in found:
            await self._book.durable(self._book.record(Replayed(event, each.trigger, self._now_ms())))
            self.wake(each.path)
        return len(found)

    async def switch(self, name: str, on: bool) -> None:
        """Turn a trigger, or a program, on or off. Raises Refusal."""
        path = self._queue.named(name)
        if name not in self._queue.triggers and not path:
            raise Refusal(error_pb2.CODE_NOT_FOUND, "nothing of that name is armed", SEE)
        await self._book.durable(self._book.record(Switched(path or name, on, self._now_ms())))
        for each in self.triggers(path) if path else [name]:
            self.wake(each)
        self.wake(path)
        self.changed()

    def triggers(self, path: str) -> list[str]:
        """The triggers of an armed program."""
        return list(self._queue.programs[path].triggers)

    # ---- delivery

    def look(self, path: str) -> None:
        """Begin what may begin of this program, and before it of those that were held up."""
        if path in self._queue.owed:
            self._held_up.setdefault(path)
        while self._held_up and self._runs.under_way() < AT_ONCE:
            self._begin(self._held_up.popitem(last=False)[0])

    def _begin(self, path: str) -> None:
        while owed := ready(self._queue, path, self._busy(path), self._now_ms()):
            if self._runs.under_way() >= AT_ONCE:
                self._held_up[path] = None
                return
            self._deliver(owed)
        if path in self._queue.owed and may_begin(self._queue, path, self._busy(path)):
            self.waking.at(later_ms(self._queue, path), path)

    def _busy(self, path: str) -> int:
        """How many runs of a program are under way and wait for nobody."""
        return sum(not self._runs.waits(run) for run in self._queue.running.get(path, ()))

    def _deliver(self, batch: list[Owed]) -> None:
        owed, held = batch[0], self._queue.triggers[batch[0].trigger]
        armed, said = self._queue.programs[owed.path].armed, self._said(batch)
        told = [_event(*each) for each in zip(batch, said, strict=False)]
        given = msgspec.json.encode(told if held.rule.batch else told[0])
        run = self._book.next_id("r")
        began = RunBegan(
            run, armed.program, armed.path, armed.digest, armed.start_folder, armed.home_folder, (), given.decode(),
            self._now_ms() * 1000, int(pb.ASK_WAIT), armed.manifest_path, event=owed.event,
            outside=tuple(dict.fromkeys(place for each in said for place in each.outside)),
            hops=max(each.hops for each in said),
        )  # fmt: skip
        self._runs.deliver(began, *(Delivered(run, each.event, each.trigger) for each in batch[: len(said)]))

    def _said(self, batch: list[Owed]) -> list[Happened]:
        """What the first of these said, as many as one run can be given."""
        said: list[Happened] = []
        size = 0
        for each in batch:
            found = self._book.at(each.seq)
            happened = found if isinstance(found, Happened) else Happened(each.event, each.name, each.at_ms, "null", ())
            size += len(happened.data.encode())
            if said and size > MAX_BATCH:
                break
            said.append(happened)
        return said


def _event(owed: Owed, said: Happened) -> Event:
    return Event(owed.name, owed.event, owed.at_ms, msgspec.Raw(said.data.encode()))


def check(name: str, data: str, event: str) -> None:
    """Raises Refusal for what is no event."""
    if not SENT.fullmatch(name):
        hint = "small letters, digits, _ and dots: invoice.arrived"
        raise Refusal(error_pb2.CODE_INVALID, "this cannot be the name of an event", hint)
    if len(event) > MAX_ID or not event.isprintable() or TAKEN.fullmatch(event):
        hint = f"at most {MAX_ID} characters, not like e7"
        raise Refusal(error_pb2.CODE_INVALID, "this cannot be an event's id", hint)
    if len(data.encode()) > MAX_DATA:
        hint = "write it to a file, and send its name"
        raise Refusal(error_pb2.CODE_LIMIT, f"the event is larger than {MAX_DATA >> 20} MiB", hint, "too_large")
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        raise Refusal(error_pb2.CODE_INVALID, "the data is not JSON", "try: --data '{\"key\": 1}'") from None
