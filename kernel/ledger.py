"""The ledger: the journal and what is folded from it, changed only together.

`record` appends to the journal and brings the table of grants and the history of runs up to date in the same
breath, so that what the kernel believes is always what the journal says, now and after a crash.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import msgspec

from agentos.home.journal import Journal
from agentos.kernel import records
from agentos.kernel.grants import Table
from agentos.kernel.records import (
    CallMade,
    CallSettled,
    CapabilityAdded,
    CapabilityRemoved,
    Denial,
    Grant,
    Pinned,
    ProgramSeen,
    PromptAnswered,
    Record,
    RunBegan,
    RunEnded,
)  # fmt: skip

CALL_KINDS = ("call", "reply")


class Past(msgspec.Struct):
    """A run as the journal knows it. `end` is missing while it is under way, and after a crash."""

    began: RunBegan
    pinned: Pinned | None = None
    end: RunEnded | None = None


class Ledger:
    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.table = Table()
        self.runs: dict[str, Past] = {}
        self.programs: dict[str, ProgramSeen] = {}
        self.folders: dict[str, CapabilityAdded] = {}
        self._ids: defaultdict[str, int] = defaultdict(int)
        for entry in journal.entries():
            self._fold(records.decode(entry.body))

    def record(self, *made: Record) -> int:
        """Append as one unit and fold; returns the last sequence number. Never waits."""
        seq = self.journal.append(*(records.entry(record) for record in made))
        for record in made:
            self._fold(record)
        return seq

    async def durable(self, seq: int) -> None:
        await self.journal.durable(seq)

    def next_id(self, letter: str) -> str:
        """r12, g7, p3: never given twice in a home."""
        self._ids[letter] += 1
        return f"{letter}{self._ids[letter]}"

    def calls(self, run: str) -> Iterator[tuple[CallMade, CallSettled | None]]:
        """The calls of a run in order, each with how it settled."""
        made: dict[int, CallMade] = {}
        settled: dict[int, CallSettled] = {}
        for entry in self.journal.entries(run=run, kinds=CALL_KINDS):
            record = records.decode(entry.body)
            if isinstance(record, CallMade):
                made[record.seq] = record
            elif isinstance(record, CallSettled):
                settled[record.seq] = record
        return ((made[seq], settled.get(seq)) for seq in sorted(made))

    def _fold(self, record: Record) -> None:
        self.table.fold((record,))
        if isinstance(record, RunBegan):
            self.runs[record.run] = Past(record)
            self._seen(record.run)
        elif isinstance(record, Pinned):
            self.runs[record.run].pinned = record
        elif isinstance(record, RunEnded):
            self.runs[record.run].end = record
        elif isinstance(record, ProgramSeen):
            self.programs[record.digest] = record
        elif isinstance(record, Grant | Denial):
            self._seen(record.id)
        elif isinstance(record, PromptAnswered):
            self._seen(record.prompt)
        elif isinstance(record, CapabilityAdded):
            self.folders[record.name] = record
        elif isinstance(record, CapabilityRemoved):
            self.folders.pop(record.name, None)

    def _seen(self, name: str) -> None:
        self._ids[name[0]] = max(self._ids[name[0]], int(name[1:]))
