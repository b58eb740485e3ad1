"""Hearing: the events that runs wait for in their middle, and what came for them. A fold, as the queue is.

    Listens  ->  Happened …  ->  RunParked(event)  ->  Heard  ->  …  ->  RunEnded

A run hears a name from the record that says so on: before its program begins for the names of its manifest, else when
it first waits for one. What comes from then on is kept for it until it takes it, each event once and in order, whether
it waits already or asks later: an answer that is faster than the question's next line is not lost. An event is for all
who hear its name, and for the triggers besides.

In memory are the ids of what came, never the data. Of a run that does not take them, the oldest go.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache

import msgspec

from agentos.home.happenings import Happened, Heard, Listens
from agentos.home.history import Pinned, RunEnded, RunParked
from agentos.home.records import CallSettled

# Of one run: so many names, and so many events that it has not taken, of so many bytes of data together.
MOST_NAMES = 64
MOST, MOST_BYTES = 256, 4 << 20

Filters = tuple[tuple[str, str], ...]


class Came(msgspec.Struct, omit_defaults=True, gc=False):
    """An event that a run has not taken yet; `seq` is its place in the journal, `size` that of its data in bytes."""

    event: str
    name: str
    seq: int
    size: int


class Wanted(msgspec.Struct, frozen=True):
    """What a run waits for: an event of this name with these fields, beyond the newest that it has looked at."""

    name: str
    fields: Filters = ()
    newest: int = 0


class Listener(msgspec.Struct):
    """A run that hears these names. `waits` is what it waits for, where it left its cell for that."""

    names: set[str] = set()
    came: list[Came] = []
    # What its calls took whose answers are not on record: the place of each event, by the call's number.
    taken: dict[int, int] = {}
    waits: Wanted | None = None


class Hearing(msgspec.Struct):
    runs: dict[str, Listener] = {}
    by_name: dict[str, set[str]] = {}

    # ---- questions

    def came(self, run: str, name: str) -> list[Came]:
        """What came of this name that the run has not taken, oldest first."""
        listener = self.runs.get(run)
        return [each for each in listener.came if each.name == name] if listener else []

    def taken(self, run: str, seq: int) -> int:
        """Where the event stands that a call took, which was cut off before it answered; 0 where there is none."""
        listener = self.runs.get(run)
        return listener.taken.get(seq, 0) if listener else 0

    def waits_for(self, run: str) -> str:
        """The event that a run left its cell for; empty where there is none."""
        listener = self.runs.get(run)
        return listener.waits.name if listener and listener.waits else ""

    def wakes(self, happened: Happened) -> list[str]:
        """The runs away from their cells that wait for just this event."""
        of, fits = ((run, self.runs[run].waits) for run in self.by_name.get(happened.name, ())), fitting(happened.data)
        return sorted(run for run, waits in of if waits and waits.name == happened.name and fits(waits.fields))

    def holds(self, event: str) -> bool:
        """Whether a run may still take this event."""
        return any(each.event == event for listener in self.runs.values() for each in listener.came)

    # ---- the fold

    def fold(self, record: object, seq: int) -> None:
        if isinstance(record, Happened):
            for run in self.by_name.get(record.name, ()):
                self._keep(self.runs[run], Came(record.run, record.name, seq, len(record.data.encode())))
        elif isinstance(record, Listens):
            self.runs.setdefault(record.run, Listener()).names.update(record.names)
            for name in record.names:
                self.by_name.setdefault(name, set()).add(record.run)
        elif isinstance(record, RunEnded):
            self.forget(record.run)
        elif isinstance(record, CallSettled):
            if record.run in self.runs:
                self.runs[record.run].taken.pop(record.seq, None)
        elif isinstance(record, Heard | RunParked | Pinned) and record.run in self.runs:
            self._goes_on_or_away(self.runs[record.run], record)

    def _goes_on_or_away(self, listener: Listener, record: Heard | RunParked | Pinned) -> None:
        listener.waits = None
        if isinstance(record, RunParked) and record.event:
            listener.waits = Wanted(record.event, record.fields)
        elif isinstance(record, Heard):
            listener.came = [each for each in listener.came if each.event != record.event]
            listener.taken[record.seq] = record.place

    def _keep(self, listener: Listener, new: Came) -> None:
        listener.came.append(new)
        while len(listener.came) > MOST or (sum(each.size for each in listener.came) > MOST_BYTES):
            del listener.came[0]

    def forget(self, run: str) -> None:
        """This run takes no more."""
        listener = self.runs.pop(run, None)
        for name in listener.names if listener else ():
            self.by_name[name].discard(run)
            if not self.by_name[name]:
                del self.by_name[name]


def fitting(data: str) -> Callable[[Filters], bool]:
    """Says of fields, each with a value as JSON, whether this data has them, with just these values.

    The data, JSON itself, is read once, and only where somebody asks for a field.
    """
    found = cache(lambda: json.loads(data))

    def fits(filters: Filters) -> bool:
        return not filters or (isinstance(found(), dict) and all(_has(found(), *each) for each in filters))

    return fits


def _has(found: dict[str, object], name: str, value: str) -> bool:
    wanted = json.loads(value)
    return name in found and type(found[name]) is type(wanted) and found[name] == wanted
