"""Pruning: which runs and events are old enough to be forgotten, and forgetting them while the kernel goes on.

What goes of a run is what `forget` takes: its input, calls, output and result. What stays is what authority is folded
from, that the run was, and the commitments that the chain is over. So a journal that was pruned is checked like any
other, and says itself what was pruned, and when.

An event goes with the run that got it. One that none got (another took its place, its program was disarmed, it fell off
the end of what was given up) goes by its own age, where nothing holds it.

What is folded is kept once, at the end: a snapshot from before may hold what was forgotten since. Where the end never
comes, the next start keeps another in its place.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from agentos.home import history
from agentos.home.happenings import Delivered, EventsForgotten, Happened, Heard
from agentos.home.history import Forgotten, RunBegan, RunEnded
from agentos.home.journal import Journal

AT_ONCE, EVENTS_AT_ONCE = 32, 256  # in one transaction, at most
SPAN = 512  # so much of the journal is looked at before others have their turn
KINDS = ("run.began", "run.ended", "forgotten", "event", "event.delivered", "event.heard", "event.forgotten")


class Book(Protocol):
    """The ledger, as far as pruning needs it."""

    journal: Journal

    async def durable(self, seq: int) -> None: ...

    def forget(self, *runs: str, keep: bool = True) -> int:
        """Erase runs; with `keep`, what is folded is kept without them."""
        ...

    def forget_events(self, *events: str) -> int:
        """Erase what these events said."""
        ...

    def keep(self) -> None: ...


class Over(msgspec.Struct, frozen=True):
    """A run that is over; `ended_us` is unix microseconds."""

    run: str
    program: str
    path: str
    ended_us: int


class Told(msgspec.Struct, frozen=True):
    """An event, and the triggers that it was owed to; `at_ms` is when it came."""

    event: str
    to: tuple[str, ...]
    at_ms: int


def old(runs: Iterable[Over], before_us: int, program: str, keep: int) -> list[Over]:
    """Of these runs, the oldest first: what ended before that, of a program (its name or path; "": of all).

    The newest `keep` runs of each program stay in any case, so that there is something to look at.
    """
    newest: dict[str, list[Over]] = defaultdict(list)
    for each in sorted(runs, key=lambda run: run.ended_us):
        if program in ("", each.program, each.path):
            newest[each.path].append(each)
    found = [each for of_one in newest.values() for each in of_one[: max(len(of_one) - keep, 0)]]
    return sorted((each for each in found if each.ended_us < before_us), key=lambda run: run.ended_us)


class Past:
    """What may be old enough: runs that are over, and events that go with no run. By id, oldest first."""

    def __init__(self) -> None:
        self.runs: dict[str, Over] = {}
        self.events: dict[str, Told] = {}
        self._began: dict[str, RunBegan] = {}
        # The events that go with a run, by run.
        self._of_run: dict[str, list[Told]] = {}

    def fold(self, record: object) -> None:
        if isinstance(record, RunBegan):
            self._began[record.run] = record
        elif isinstance(record, RunEnded):
            if of := self._began.pop(record.run, None):
                self.runs[of.run] = Over(of.run, of.program, of.path, record.ended_us)
        elif isinstance(record, Happened):
            if not record.due_ms:  # that a timer came says nothing, and has to be known
                self.events[record.run] = Told(record.run, record.to, record.at_ms)
        elif isinstance(record, Delivered | Heard):
            if told := self.events.pop(record.event, None):
                self._of_run.setdefault(record.run, []).append(told)
        elif isinstance(record, Forgotten | EventsForgotten):
            self._forgotten(record)

    def _forgotten(self, record: Forgotten | EventsForgotten) -> None:
        """What it erases may not be off the disk yet; and what it left goes with no run any more."""
        self.runs.pop(record.run, None)
        self.events |= {each.event: each for each in self._of_run.pop(record.run, ())}
        for each in record.events:
            self.events.pop(each, None)


async def past(book: Book) -> Past:
    """What is over and not forgotten. Lets others go on while it reads of it in the journal."""
    found = Past()
    for after in range(0, book.journal.head[0], SPAN):
        await asyncio.sleep(0)
        for entry in book.journal.entries(after, kinds=KINDS, upto=after + SPAN):
            found.fold(history.decode(entry.body))
    return found


def unheld(events: Iterable[Told], before_us: int, holds: Callable[[str, tuple[str, ...]], bool]) -> list[str]:
    """Of these events those from before that which nothing holds."""
    return [each.event for each in events if each.at_ms * 1000 < before_us and not holds(each.event, each.to)]


async def prune(book: Book, runs: Sequence[Over], events: Sequence[str] = ()) -> AsyncIterator[int]:
    """Forget these runs and events, some at a time, then give their room back; says how many runs are gone for good.

    Raises JournalFull or JournalBroken; what was counted by then is gone, and all else is as it was.
    """
    if not runs and not events:
        return
    try:
        for start in range(0, len(runs), AT_ONCE):
            some = runs[start : start + AT_ONCE]
            await book.durable(book.forget(*(each.run for each in some), keep=False))
            yield start + len(some)
        for start in range(0, len(events), EVENTS_AT_ONCE):
            await book.durable(book.forget_events(*events[start : start + EVENTS_AT_ONCE]))
    finally:
        book.keep()
    await book.journal.compact()
