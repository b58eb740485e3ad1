"""What comes next of all that waits for one program, found without looking through it.

What waits stands in the queue by its key, oldest first. Which of it is next depends on the time, on how often it was
tried, and on how many of a batch there are; a storm of events asks that ten thousand times. So its order is kept in two
heaps, of what is due by its place and of the rest by its time, and beside them the new ones of each trigger, and those
that failed together. What left the queue is left in the heaps until it comes up there or they are mostly that: they
hold at most twice what waits.

None of it is kept on disk: it is made from the queue when it is asked for first, and again where a program is armed
anew, since the rules of its triggers are in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from itertools import islice

import msgspec

# Below so many it does not matter what the heaps hold.
FEW = 64


class Owed(msgspec.Struct, omit_defaults=True, gc=False):
    """One event that is owed to one trigger; `seq` is its place in the journal, `run` who has it or had it."""

    event: str
    name: str
    trigger: str
    path: str
    seq: int
    at_ms: int
    after_ms: int = 0
    tries: int = 0
    run: str = ""

    @property
    def key(self) -> str:
        return f"{self.trigger} {self.event}"


class Upcoming:
    """`waiting` is what waits for one program, by key; `most` says of its triggers how many events are a batch."""

    def __init__(self, waiting: Mapping[str, Owed], most: Mapping[str, int]) -> None:
        self._waiting, self._most = waiting, most
        self._count = 0
        # Of what waits, by key: its number in the order in which it came.
        self._numbers: dict[str, int] = {}
        self._later: list[tuple[int, int, str]] = []
        self._due: list[tuple[int, str]] = []
        # What may go to one run, by trigger and the run in which it failed; of what fails alone, only the new.
        self._together: dict[tuple[str, str], dict[str, Owed]] = {}
        for owed in waiting.values():
            self.put(owed)

    @property
    def entries(self) -> int:
        """How many its heaps hold, with those that are over."""
        return len(self._later) + len(self._due)

    def put(self, owed: Owed) -> None:
        """It waits from now on, as the last."""
        self._count += 1
        self._numbers[owed.key] = self._count
        heappush(self._later, (owed.after_ms, self._count, owed.key))
        if not owed.tries or self._most.get(owed.trigger):
            self._together.setdefault(_group(owed), {})[owed.key] = owed
        if self.entries > 2 * len(self._numbers) + FEW:
            self._tidy()

    def drop(self, owed: Owed) -> None:
        """It waits no more; it is as it was when it was put."""
        del self._numbers[owed.key]
        group = self._together.get(_group(owed), {})
        group.pop(owed.key, None)
        if not group:
            self._together.pop(_group(owed), None)

    def new(self, trigger: str) -> list[Owed]:
        """What was never tried of this trigger, oldest first."""
        return list(self._together.get((trigger, ""), {}).values())

    def next(self, now_ms: int) -> list[Owed]:
        """What one run gets next: the first whose time has come, with what goes with it, or the first full batch."""
        first = self._full(self._first_due(now_ms))
        if first is None:
            return []
        most = self._most.get(first.trigger)
        return list(islice(self._together[_group(first)].values(), most)) if most else [first]

    def later_ms(self) -> int:
        """Of what is not due: when the first is; 0 where nothing is."""
        while self._later and not self._stands(*self._later[0][1:]):
            heappop(self._later)
        return self._later[0][0] if self._later else 0

    def _first_due(self, now_ms: int) -> Owed | None:
        while self._later and self._later[0][0] <= now_ms:
            heappush(self._due, heappop(self._later)[1:])
        while self._due:
            number, key = self._due[0]
            if self._stands(number, key):
                if self._waiting[key].after_ms <= now_ms:
                    return self._waiting[key]
                heappush(self._later, (self._waiting[key].after_ms, number, key))  # the clock was set back
            heappop(self._due)
        return None

    def _full(self, due: Owed | None) -> Owed | None:
        """The first of a batch that was full before this one came, if there is one; else this one."""
        before = self._numbers[due.key] if due else self._count + 1
        for trigger, most in self._most.items():
            new = self._together.get((trigger, ""), {})
            last = next(islice(new, most - 1, None), None) if len(new) >= most else None
            if last and self._numbers[last] < before:
                due, before = new[next(iter(new))], self._numbers[last]
        return due

    def _stands(self, number: int, key: str) -> bool:
        return self._numbers.get(key) == number

    def _tidy(self) -> None:
        """Take out of the heaps what is over."""
        self._later = [each for each in self._later if self._stands(*each[1:])]
        self._due = [each for each in self._due if self._stands(*each)]
        heapify(self._later)
        heapify(self._due)


def _group(owed: Owed) -> tuple[str, str]:
    return owed.trigger, owed.run if owed.tries else ""
