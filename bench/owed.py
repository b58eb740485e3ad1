"""Each operation of the disk fails once, under the ledger and the queue of events.

A life on that disk: a program is armed, events are sent and answered, runs begin with them, fail, end and are done, the
ledger is kept. Where an answer is an error, the same life goes on: the next event must be taken in, for the fault is
gone. Then another kernel starts on what is there, as if the power had gone: every event that was acknowledged must be
waiting, with a run, or over, what is folded must be what its records say, and all that waits must be delivered.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import json
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from agentos.events.dispatch import Dispatch
from agentos.events.queue import Queue
from agentos.home import history, schema
from agentos.home.happenings import Armed, Delivered
from agentos.home.heads import Signer, Witness
from agentos.home.history import Record, RunBegan, RunEnded
from agentos.home.journal import Entry, Journal, JournalBroken, JournalFull
from agentos.home.places import File
from agentos.kernel.ledger import FOLD, Ledger
from agentos.manifest.trigger import Trigger
from agentos.v1 import control_pb2 as pb
from bench.disk import MEMORY, VFS, Disk, Head

KEY, SIGNER = b"k" * 32, Signer("abcdefghijklmnop", b"s" * 32)
PATH, START_MS = "/p/armed.py", 1_800_000_000_000
RULE = Trigger("event.a", parallel=2)


@dataclass
class Told:
    """What whoever sends was told."""

    sent: list[str] = field(default_factory=list)
    refused: int = 0


class Life:
    """A ledger and what dispatches from it. It stands in for the runs, which end when we say so."""

    def __init__(self, journal: Journal) -> None:
        self.journal, self.ledger, self.now = journal, Ledger(journal), START_MS
        self.dispatch = Dispatch(self.ledger, self, lambda: self.now)
        self.over: Counter[str] = Counter()

    def deliver(self, began: RunBegan, *delivered: Delivered) -> None:
        self.ledger.record(began, *delivered)

    def waits(self, run_id: str) -> bool:
        return False

    def under_way(self) -> int:
        return len(self.ledger.queue.runs)

    async def arm(self) -> None:
        entry = msgspec.json.encode(RULE).decode()
        made = Armed(PATH, "armed", "d1", "/p", "/h", "", ((self.ledger.next_id("t"), entry),), self.now)
        await self.ledger.durable(self.ledger.record(made))

    async def end(self, status: pb.RunStatus.ValueType) -> None:
        """The oldest run is over."""
        run = next(iter(self.ledger.queue.runs))
        ended = RunEnded(run, int(status), "", "", False, 0, 0, 0, 0, self.now * 1000)
        await self.ledger.durable(self.ledger.record(ended))
        self.dispatch.wake(PATH)

    async def acknowledged(self, work: Callable[[], Awaitable[object]], told: Told) -> bool:
        """Whether it was said to be done. Once it was refused for want of room, what waits is tried again at once."""
        try:
            await work()
        except JournalFull:
            told.refused += 1
            await self.journal.durable(self.journal.head[0])
            self.ledger.room()
            return False
        return True

    async def close(self) -> None:
        self.dispatch.close()
        await self.journal.close()


async def lived(folder: Path, disk: Disk, told: Told, events: int) -> None:
    """One life; it ends early where nothing can be recorded any more."""
    journal = Journal.open(folder / "j", KEY, Witness(SIGNER, Head(disk)), (FOLD,), VFS)
    journal._writing.wal_autocheckpoint(12)  # noqa: SLF001  so that the log is moved into the database often
    life = Life(journal)
    try:
        with contextlib.suppress(JournalBroken):
            await life.acknowledged(life.arm, told)
            for number in range(events):
                event = f"event-{number}"
                if await life.acknowledged(partial(life.dispatch.send, "a", json.dumps(event), event), told):
                    told.sent.append(event)
                if number % 3 == 2 and life.ledger.queue.runs:
                    await life.acknowledged(lambda: life.end(pb.RUN_STATUS_DONE), told)
                if number == events // 2:
                    life.ledger.keep()
    finally:
        await life.close()


async def looked_at(folder: Path, told: Told) -> str:
    """What is not as it must be; nothing where all is well."""
    anew = await _anew(folder)
    life = Life(Journal.open(folder / "j", KEY, Witness(SIGNER, File(folder / "head")), (FOLD,)))
    queue = life.ledger.queue
    try:
        if anew != queue:
            return "what was kept is not what the records say"
        lost = [each for each in told.sent if each not in queue.seen]
        if lost:
            return f"lost: {lost}"
        if not queue.programs:
            return ""  # its arming was cut off, and nothing was sent to it
        life.dispatch.resume()
        for _ in range(len(told.sent) * 2 + 2):
            if not queue.runs:
                break
            await life.end(pb.RUN_STATUS_DONE)
        if queue.waiting or queue.runs:
            return f"{queue.waiting} wait, {len(queue.runs)} run, and nothing goes on"
        delivered = Counter(each.event for each in map(_record, life.journal.entries()) if isinstance(each, Delivered))
        wrong = [each for each in told.sent if delivered[each] != 1]
        return f"not delivered once: {wrong}" if wrong else ""
    finally:
        await life.close()


def _record(entry: Entry) -> Record:
    return history.decode(entry.body)


async def _anew(folder: Path) -> Queue:
    """The queue as its records alone say."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as made:
        shutil.copytree(folder, made, dirs_exist_ok=True)
        journal = Journal.open(Path(made) / "j", KEY)
        found = Ledger(journal).queue
        await journal.close()
        return found


def fail_each(events: int = 8, how: str = "error") -> tuple[int, Counter[str]]:
    """Let the 1st, the 2nd, … operation of a life fail, until one passes without; how many, and what failed."""
    failed: Counter[str] = Counter()
    for number in itertools.count(1):
        told, chance = Told(), random.Random(1)  # noqa: S311
        with tempfile.TemporaryDirectory(dir=MEMORY) as made:
            folder = Path(made)
            schema.create(folder / "j", KEY)
            disk = Disk(chance, lambda: (0, {}))
            disk.fail_at, disk.fail_as = number, how
            with contextlib.suppress(JournalBroken, JournalFull):  # of a start that failed
                asyncio.run(lived(folder, disk, told, events))
            gc.collect()  # a start that failed leaves its connections to the collector, and a close moves files
            if not disk.failed:
                assert len(told.sent) == events, told
                return number - 1, failed
            failed[disk.failed] += 1
            if how != "error":
                assert told.refused <= 1, f"operation {number}: refused {told.refused} times for one fault"
            if disk.head:
                (folder / "head").write_text(disk.head)
            wrong = asyncio.run(looked_at(folder, told))
            assert not wrong, f"operation {number} ({disk.failed}, {how}), and then: {wrong}"
    raise AssertionError
