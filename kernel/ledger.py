"""The ledger: the journal and what is folded from it, changed only together.

`record` appends to the journal and brings the table of grants and the history of runs up to date in the same
breath, so that what the kernel believes is always what the journal says, now and after a crash. In memory are the
newest runs, without what they printed and returned; all of a run is read from the journal when it is asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import msgspec

from agentos.events.queue import Queue, numbered
from agentos.home import history
from agentos.home.happenings import Armed, Delivered, EventsForgotten, Happened, Heard
from agentos.home.journal import Journal
from agentos.home.records import CallMade, CallSettled, Denial, Grant
from agentos.kernel.grants import Table, root
from agentos.kernel.own import FAR_MS, JOIN_MS
from agentos.kernel.replay import Recorded

CALL_KINDS = ("call", "reply", "call.unknown", "call.again")
RUN_KINDS = ("run.began", "run.pinned", "run.parked", "run.continued", "run.ended")
TOLD = ("event.delivered", "event.heard")
FORGOTTEN = "forgotten"
RECENT = 1_000
# The name says its form: with another form of `Folded`, or of what is in it, comes another name.
FOLD = "ledger 7"
# A snapshot is written whole each time: so seldom that no record bears more than so many bytes of it.
KEEP_EVERY, KEEP_BYTES = 5_000, 512
MOST_REFUSED = 10_000


class Past(msgspec.Struct):
    """A run as the journal knows it. `end` is missing while it is under way, and after a crash."""

    began: history.RunBegan
    pinned: history.Pinned | None = None
    continued: history.RunContinued | None = None
    end: history.RunEnded | None = None


class Folded(msgspec.Struct):
    """All that is folded: what a kernel knows when it starts, and what is kept of it so that it starts at once."""

    table: Table
    recent: dict[str, Past] = {}
    # Where in the journal each program is.
    programs: dict[str, int] = {}
    # Runs that are not over, and until when those are away that left memory.
    open: dict[str, int] = {}
    # Calls of which nobody can tell whether they happened, by run and number.
    unknown: dict[str, set[int]] = {}
    # Where in the journal the newest generation of a run began, of those that began anew.
    since: dict[str, int] = {}
    # Children that are not over, by parent; and which versions of programs the person approved, by digest and by path.
    below: dict[str, set[str]] = {}
    approved: dict[str, str] = {}
    newest: dict[str, str] = {}
    folders: dict[str, history.CapabilityAdded] = {}
    secrets: dict[str, history.SecretSet] = {}
    ids: dict[str, int] = {}
    # What the person refused once, of programs that nobody watches; the oldest goes.
    refused: dict[str, bool] = {}
    queue: Queue = msgspec.field(default_factory=Queue)


class Ledger:
    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.listeners: list[Callable[[history.Record], None]] = []  # told of each record that is made
        kept = journal.folds.pop(FOLD, None)  # it is large, and needed once
        self._kept = kept.point[0] if kept else 0
        self.every = KEEP_EVERY  # so many records are between two snapshots
        self._weighs(len(kept.state) if kept else 0)
        self._all = msgspec.msgpack.decode(kept.state, type=Folded) if kept else Folded(Table())
        # Each is changed in place, and never another one.
        self.table, self.recent, self.programs = self._all.table, self._all.recent, self._all.programs
        self.folders, self.secrets, self._ids = self._all.folders, self._all.secrets, self._all.ids
        self.open, self.unknown, self.queue = self._all.open, self._all.unknown, self._all.queue
        self._since, self.below = self._all.since, self._all.below
        self.approved, self.newest = self._all.approved, self._all.newest
        self.refused = self._all.refused
        forgot = False
        for entry in journal.entries(after=self._kept):
            self._fold(history.decode(entry.body), entry.seq)
            forgot = forgot or entry.kind == FORGOTTEN
        if forgot:  # a snapshot that is older, of whatever form, may hold it still
            self.keep()

    def record(self, *made: history.Record) -> int:
        """Append as one unit and fold; returns the last sequence number. Never waits."""
        seq = self.journal.append(*(history.entry(record) for record in made))
        for at, record in enumerate(made, seq - len(made) + 1):
            self._fold(record, at)
            for told in self.listeners:
                told(record)
        if seq >= self._kept + self.every:
            self.keep()
        return seq

    def keep(self) -> None:
        """Keep what is folded up to here: the next start goes on from it."""
        self._kept = self.journal.head[0]
        state = msgspec.msgpack.encode(self._all)
        self._weighs(len(state))
        self.journal.keep(FOLD, state)

    def _weighs(self, size: int) -> None:
        self.every = max(KEEP_EVERY, size // KEEP_BYTES)

    def forget(self, *runs: str, keep: bool = True) -> int:
        """Erase what runs that are over were given, did and said; that they were, and what they were allowed, stays.

        What is folded holds something of them too: without `keep`, whoever forgets many keeps it once, at the end.
        """
        seq = [self._forget(run) for run in runs][-1]
        if keep:
            self.keep()
        return seq

    def _forget(self, run: str) -> int:
        calls = (history.decode(entry.body) for entry in self.journal.entries(run=run, kinds=("call",)))
        grants = {made.grant for made in calls if isinstance(made, CallMade) and made.grant}
        past = self.past(run)
        above = past.began.above if past else ()  # what a child used was used of theirs too
        held = self.table.held
        lent = [each for each in held if held[each].grant.path in above] if above else []
        uses = tuple(
            (each, held[each].uses, held[each].last_used_ms)
            for each in sorted({*lent, *(grants & held.keys())})
        )  # fmt: skip
        given = (history.decode(each.body) for each in self.journal.entries(run=run, kinds=TOLD))
        told = {each.event for each in given if isinstance(each, Delivered | Heard)}
        events = tuple(each for each in sorted(told) if not self._wanted(each))
        forgotten = history.Forgotten(run, uses, time.time_ns() // 1_000_000, events)
        erase = [(run, CALL_KINDS + RUN_KINDS), *((each, ("event",)) for each in events)]
        seq = self.journal.append(history.entry(forgotten), erase=erase)
        self._fold(forgotten, seq)
        return seq

    def forget_events(self, *events: str) -> int:
        """Erase what these said, if nothing holds them by now."""
        gone = tuple(each for each in events if not self._wanted(each))
        forgotten = EventsForgotten(gone, time.time_ns() // 1_000_000)
        seq = self.journal.append(history.entry(forgotten), erase=[(each, ("event",)) for each in gone])
        self._fold(forgotten, seq)
        return seq

    def _wanted(self, event: str) -> bool:
        """Whether an event stays: something holds it, or it is a timer's, which is that its time came and no more."""
        found = (history.decode(each.body) for each in self.journal.entries(run=event, kinds=("event",)))
        said = [each for each in found if isinstance(each, Happened)]  # the same id may have come again, years later
        return not said or any(each.due_ms or self.queue.holds(event, each.to) for each in said)

    def room(self) -> None:
        """Raises JournalFull while nothing new is to begin."""
        self.journal.room()

    async def durable(self, seq: int) -> None:
        await self.journal.durable(seq)

    def soon(self) -> None:
        self.journal.soon()

    def next_id(self, letter: str) -> str:
        """r12, g7, p3: never given twice in a home."""
        self._ids[letter] = self._ids.get(letter, 0) + 1
        return f"{letter}{self._ids[letter]}"

    def past(self, run: str) -> Past | None:
        """All of a run but its calls; None where there was no such run."""
        began = next(self.journal.entries(run=run, kinds=("run.began",)), None)
        past = _told(None, history.decode(began.body)) if began else None
        for entry in self.journal.entries(run=run, kinds=RUN_KINDS, after=self._since.get(run, 1) - 1):
            past = _told(past, history.decode(entry.body))
        return past

    def calls(self, run: str) -> Iterator[tuple[CallMade, CallSettled | None]]:
        """The calls of a run in order, each with how it settled; of its newest generation alone."""
        found = self.recorded(run)
        return ((found[seq].made, found[seq].settled) for seq in sorted(found))

    def recorded(self, run: str) -> dict[int, Recorded]:
        """All that a run has done, by the number of each call; what generations before did is over."""
        found: dict[int, Recorded] = {}
        for entry in self.journal.entries(run=run, kinds=CALL_KINDS, after=self._since.get(run, 0)):
            record = history.decode(entry.body)
            if isinstance(record, CallMade):
                found[record.seq] = Recorded(record)
            elif isinstance(record, CallSettled):
                found[record.seq] = msgspec.structs.replace(found[record.seq], settled=record)
            elif isinstance(record, history.CallAgain):
                found[record.seq] = msgspec.structs.replace(found[record.seq], cleared=not record.spent)
        return found

    def answered(self, run: str) -> list[history.PromptAnswered]:
        """What the person answered to what this run asked."""
        found = (history.decode(entry.body) for entry in self.journal.entries(run=run, kinds=("answer",)))
        return [each for each in found if isinstance(each, history.PromptAnswered)]

    def program(self, digest: str) -> history.ProgramSeen | None:
        """A program as it was seen first."""
        record = self.at(self._all.programs[digest])
        return record if isinstance(record, history.ProgramSeen) else None

    def at(self, seq: int) -> history.Record | None:
        """What stands at this place of the journal, if it was not erased."""
        entry = self.journal.at(seq)
        return history.decode(entry.body) if entry else None

    def happened(self, event: str) -> int:
        """Where in the journal an event stands, however long ago it was taken in, and forgotten or not; else 0."""
        return self.journal.first(event, "event")

    def _fold(self, record: history.Record, seq: int) -> None:
        self.table.fold((record,))
        self.queue.fold(record, seq)
        self._family(record)
        for name in numbered(record):
            self._seen(name)
        if isinstance(record, history.RunBegan):
            self._seen(record.run)
            self.open[record.run] = 0
            if len(self.recent) >= RECENT:
                del self.recent[next(iter(self.recent))]
            self.recent[record.run] = Past(msgspec.structs.replace(record, input=""))
        elif isinstance(record, history.RunEnded):
            self.table.end(record.run)
            self.open.pop(record.run, None)
            self.unknown.pop(record.run, None)
            if record.run in self.recent:
                self.recent[record.run].end = msgspec.structs.replace(record, result="", output="", traceback="")
        elif isinstance(record, history.ProgramSeen):
            self.programs[record.digest] = seq
        elif isinstance(record, Grant | Denial):
            self._seen(record.id)
        elif isinstance(record, history.PromptAnswered):
            self._seen(record.prompt)
            self._refused(record.refused)
        elif isinstance(record, history.Forgotten):
            self._forgotten(record)
        else:
            self._waiting(record, seq)
            self._kept_by_name(record)

    def _family(self, record: history.Record) -> None:
        """Which runs have children, and which programs may become one."""
        if isinstance(record, history.RunBegan) and record.above:
            self.below.setdefault(parent(record.run), set()).add(record.run)
        elif isinstance(record, history.RunEnded | history.Forgotten):
            above = parent(record.run)
            self.below.get(above, set()).discard(record.run)
            if not self.below.get(above):
                self.below.pop(above, None)
            if self.open.get(above) == JOIN_MS:
                self.open[above] = 0  # it may be what it waited for
        elif isinstance(record, Armed) or (isinstance(record, Grant) and not record.parent):
            self._approve(record.digest, record.path)
        elif isinstance(record, history.Pinned) and record.run in self.recent:
            began = self.recent[record.run].began
            if not began.above and not began.event:
                self._approve(began.digest, began.path)

    def _approve(self, digest: str, path: str) -> None:
        """The person let this version of a program run, or armed it, or granted it something."""
        self.approved[digest], self.newest[path] = path, digest

    def _refused(self, things: tuple[str, ...]) -> None:
        """Once, or once more: that is a Denial of its own by now."""
        for each in things:
            if not self.refused.pop(each, False):
                self.refused[each] = True
            if len(self.refused) > MOST_REFUSED:
                del self.refused[next(iter(self.refused))]

    def _waiting(self, record: history.Record, seq: int) -> None:
        if isinstance(record, history.RunParked) and record.run in self.open:
            settled = record.until_ms == FAR_MS and not self.unknown.get(record.run)  # meanwhile
            self.open[record.run] = 0 if settled else record.until_ms
        elif isinstance(record, history.Pinned) and record.run in self.open:
            self.open[record.run] = 0  # it is played again
        elif isinstance(record, Happened):
            self.open |= dict.fromkeys(self.queue.hearing.wakes(record), 0)  # it is what they wait for
        elif isinstance(record, history.RunContinued):
            self._since[record.run] = seq
            if record.run in self.recent:
                kept = msgspec.structs.replace(record, state="", output="", outside=())
                self.recent[record.run].continued = kept
        elif isinstance(record, history.CallUnknown):
            self.unknown.setdefault(record.run, set()).add(record.seq)
        elif isinstance(record, CallSettled | history.CallAgain) and record.seq in self.unknown.get(record.run, ()):
            self.unknown[record.run].remove(record.seq)
            self.open[record.run] = 0  # what it waited for is there, whatever becomes of this kernel

    def _kept_by_name(self, record: history.Record) -> None:
        if isinstance(record, history.CapabilityAdded):
            self.folders[record.name] = record
        elif isinstance(record, history.CapabilityRemoved):
            self.folders.pop(record.name, None)
        elif isinstance(record, history.SecretSet | history.SecretRemoved):
            self.secrets.pop(record.name, None)
            self.secrets.update({record.name: record} if isinstance(record, history.SecretSet) else {})

    def _forgotten(self, record: history.Forgotten) -> None:
        self._seen(record.run)
        self.recent.pop(record.run, None)
        self.open.pop(record.run, None)
        self._since.pop(record.run, None)
        self.queue.forget(record.run)
        self.table.end(record.run)
        for each, uses, last_used_ms in record.uses:
            self.table.held[each].uses, self.table.held[each].last_used_ms = uses, last_used_ms

    def _seen(self, name: str) -> None:
        self._ids[name[0]] = max(self._ids.get(name[0], 0), int(root(name)[1:]))


def parent(run: str) -> str:
    """The run that started this one; empty where it was no run."""
    return run.rpartition(".")[0]


def _told(past: Past | None, record: history.Record) -> Past | None:
    """What is known of a run after one more record of it."""
    if isinstance(record, history.RunBegan):
        return Past(record)
    if past and isinstance(record, history.RunContinued):
        past.continued, past.pinned = record, None
    elif past and isinstance(record, history.Pinned):
        past.pinned = record
    elif past and isinstance(record, history.RunEnded):
        past.end = record
    return past
