"""The ledger: the journal and what is folded from it, changed only together.

`record` appends to the journal and brings the table of grants and the history of runs up to date in the same
breath, so that what the kernel believes is always what the journal says, now and after a crash. In memory are the
newest runs, without what they printed and returned; all of a run is read from the journal when it is asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import msgspec

from agentos.home.journal import Journal
from agentos.kernel import history
from agentos.kernel.grants import Table
from agentos.kernel.history import (
    CapabilityAdded,
    CapabilityRemoved,
    Pinned,
    ProgramSeen,
    PromptAnswered,
    Record,
    RunBegan,
    SecretRemoved,
    SecretSet,
)
from agentos.kernel.records import CallMade, CallSettled, Denial, Grant, RunEnded

CALL_KINDS = ("call", "reply")
RUN_KINDS = ("run.began", "run.pinned", "run.ended")
RECENT = 1_000


class Past(msgspec.Struct):
    """A run as the journal knows it. `end` is missing while it is under way, and after a crash."""

    began: RunBegan
    pinned: Pinned | None = None
    end: RunEnded | None = None


class Ledger:
    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.table = Table()
        self.recent: dict[str, Past] = {}
        self.programs: set[str] = set()
        self.folders: dict[str, CapabilityAdded] = {}
        self.secrets: dict[str, SecretSet] = {}
        self._ids: defaultdict[str, int] = defaultdict(int)
        for entry in journal.entries():
            self._fold(history.decode(entry.body))

    def record(self, *made: Record) -> int:
        """Append as one unit and fold; returns the last sequence number. Never waits."""
        seq = self.journal.append(*(history.entry(record) for record in made))
        for record in made:
            self._fold(record)
        return seq

    async def durable(self, seq: int) -> None:
        await self.journal.durable(seq)

    def next_id(self, letter: str) -> str:
        """r12, g7, p3: never given twice in a home."""
        self._ids[letter] += 1
        return f"{letter}{self._ids[letter]}"

    def past(self, run: str) -> Past | None:
        """All of a run but its calls; None where there was no such run."""
        past = None
        for entry in self.journal.entries(run=run, kinds=RUN_KINDS):
            past = _told(past, history.decode(entry.body))
        return past

    def calls(self, run: str) -> Iterator[tuple[CallMade, CallSettled | None]]:
        """The calls of a run in order, each with how it settled."""
        made: dict[int, CallMade] = {}
        settled: dict[int, CallSettled] = {}
        for entry in self.journal.entries(run=run, kinds=CALL_KINDS):
            record = history.decode(entry.body)
            if isinstance(record, CallMade):
                made[record.seq] = record
            elif isinstance(record, CallSettled):
                settled[record.seq] = record
        return ((made[seq], settled.get(seq)) for seq in sorted(made))

    def _fold(self, record: Record) -> None:
        self.table.fold((record,))
        if isinstance(record, RunBegan):
            self._seen(record.run)
            if len(self.recent) >= RECENT:
                del self.recent[next(iter(self.recent))]
            self.recent[record.run] = Past(msgspec.structs.replace(record, input=""))
        elif isinstance(record, RunEnded) and record.run in self.recent:
            self.recent[record.run].end = msgspec.structs.replace(record, result="", output="", traceback="")
        elif isinstance(record, ProgramSeen):
            self.programs.add(record.digest)
        elif isinstance(record, Grant | Denial):
            self._seen(record.id)
        elif isinstance(record, PromptAnswered):
            self._seen(record.prompt)
        elif isinstance(record, CapabilityAdded):
            self.folders[record.name] = record
        elif isinstance(record, CapabilityRemoved):
            self.folders.pop(record.name, None)
        elif isinstance(record, SecretSet | SecretRemoved):
            self.secrets.pop(record.name, None)
            self.secrets |= {record.name: record} if isinstance(record, SecretSet) else {}

    def _seen(self, name: str) -> None:
        self._ids[name[0]] = max(self._ids[name[0]], int(name[1:]))


def _told(past: Past | None, record: Record) -> Past | None:
    """What is known of a run after one more record of it."""
    if isinstance(record, RunBegan):
        return Past(record)
    if past and isinstance(record, Pinned):
        past.pinned = record
    elif past and isinstance(record, RunEnded):
        past.end = record
    return past
