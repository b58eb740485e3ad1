"""Pruning: which runs and events are old enough to be forgotten, and forgetting them while the kernel goes on.

What goes of a run is what `forget` takes: its input, calls, output and result. What stays is what authority is folded
from, that the run was, and the commitments that the chain is over. So a journal that was pruned is checked like any
other, and says itself what was pruned, and when.

What is folded is kept once, at the end: a snapshot from before may hold what was forgotten since. Where the end never
comes, the next start keeps another in its place.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Protocol

import msgspec

from agentos.home import history
from agentos.home.history import RunBegan, RunEnded
from agentos.home.journal import Journal

AT_ONCE = 32  # in one transaction, at most
SPAN = 512  # so much of the journal is looked at before others have their turn
KINDS = ("run.began", "run.ended", "forgotten")


class Book(Protocol):
    """The ledger, as far as pruning needs it."""

    journal: Journal

    async def durable(self, seq: int) -> None: ...

    def forget(self, *runs: str, keep: bool = True) -> int:
        """Erase runs; with `keep`, what is folded is kept without them."""
        ...

    def keep(self) -> None: ...


class Over(msgspec.Struct, frozen=True):
    """A run that is over; `ended_us` is unix microseconds."""

    run: str
    program: str
    path: str
    ended_us: int


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


async def over(book: Book) -> list[Over]:
    """All runs that are over and not forgotten. Lets others go on while it reads of them in the journal."""
    began: dict[str, RunBegan] = {}
    ended: dict[str, Over] = {}
    for after in range(0, book.journal.head[0], SPAN):
        await asyncio.sleep(0)
        for entry in book.journal.entries(after, kinds=KINDS, upto=after + SPAN):
            record = history.decode(entry.body)
            if isinstance(record, RunBegan):
                began[record.run] = record
            elif isinstance(record, RunEnded) and (of := began.pop(record.run, None)):
                ended[of.run] = Over(of.run, of.program, of.path, record.ended_us)
            elif isinstance(record, history.Forgotten):
                ended.pop(record.run, None)  # what it erases may not be off the disk yet
    return list(ended.values())


async def prune(book: Book, runs: Sequence[Over]) -> AsyncIterator[int]:
    """Forget these runs, some at a time, then give their room back to the disk; says how many are gone for good.

    Raises JournalFull or JournalBroken; what was counted by then is gone, and all else is as it was.
    """
    if not runs:
        return
    try:
        for start in range(0, len(runs), AT_ONCE):
            some = runs[start : start + AT_ONCE]
            await book.durable(book.forget(*(each.run for each in some), keep=False))
            yield start + len(some)
    finally:
        book.keep()
    await book.journal.compact()
