"""When runs come back that left memory, and triggers are looked at: a heap of times, and one timer for the first.

Times are the wall clock's, which may jump and which stands still for us while a laptop sleeps. So the timer is never
set further than a minute ahead, and what is due is read from the clock each time.

A run comes back a little before its time. It is played again meanwhile, up to its wait, and spends the rest of that in
its cell like any wait that is short: so it goes on at its time, and not as much later as playing it takes, which is
several times as long on a machine that had nothing to do before.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Mapping

from agentos.events.schedule import SET_BACK_MS

LOOK_EVERY_S = 60.0
AHEAD_MS = 3_600_000
# Less than the wait for which a run leaves memory (A_MOMENT_MS in kernel/own.py), or it would leave again.
EARLY_MS = 100


class Waking:
    def __init__(
        self, now_ms: Callable[[], int], wake: Callable[[str], None], set_back: Callable[[], None] = lambda: None
    ) -> None:
        """`set_back` is told of a clock that was put back by so much that it was wrong before."""
        self._now_ms, self._wake, self._set_back = now_ms, wake, set_back
        self._latest_ms = 0
        self._due: list[tuple[int, str]] = []
        self._there: set[tuple[int, str]] = set()  # each of them, so that none is there twice
        self._timer: asyncio.TimerHandle | None = None

    def at(self, until_ms: int, run: str) -> None:
        """Wake this run at that time."""
        new = (until_ms, run)
        if new in self._there:
            return
        self._there.add(new)
        heapq.heappush(self._due, new)
        if self._due[0] is new:
            self._set()

    def close(self) -> None:
        self._due.clear()
        self._there.clear()
        self._set()

    def _set(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None
        if self._due:
            left_s = max((self._due[0][0] - self._now_ms()) / 1000, 0)
            self._timer = asyncio.get_running_loop().call_later(min(left_s, LOOK_EVERY_S), self._look)

    def _look(self) -> None:
        now = self._now_ms()
        if now < self._latest_ms - SET_BACK_MS:
            self._set_back()
        self._latest_ms = now
        while self._due and self._due[0][0] <= self._now_ms():
            due = heapq.heappop(self._due)
            self._there.remove(due)
            self._wake(due[1])
        self._set()


class Alarms:
    """When runs come back that left memory. `open_` says it of all that did, as unix ms.

    Many wait for days, and for something that comes long before: a person, a child, an event. So only the times of the
    next hour are set, and once an hour those of the hour after it.
    """

    def __init__(self, now_ms: Callable[[], int], wake: Callable[[str], None], open_: Mapping[str, int]) -> None:
        self._now_ms, self._wake, self._open = now_ms, wake, open_
        self._waking = Waking(now_ms, self._due)
        # What is due up to then is set; 0 where nobody looked yet.
        self._ahead_ms = 0

    def at(self, until_ms: int, run: str) -> None:
        """Wake this run, which is among the open ones, in time to go on then."""
        if until_ms <= self._ahead_ms:
            self._waking.at(until_ms - EARLY_MS, run)
        elif not self._ahead_ms:
            self.look_ahead()

    def look_ahead(self) -> None:
        """Set the times that come next of all that are open."""
        now = self._now_ms()
        before, self._ahead_ms = self._ahead_ms or now, max(self._ahead_ms, now + AHEAD_MS)
        for run, until_ms in self._open.items():
            if before < until_ms <= self._ahead_ms:
                self._waking.at(until_ms - EARLY_MS, run)
        self._waking.at(self._ahead_ms, "")

    def close(self) -> None:
        self._waking.close()

    def _due(self, run: str) -> None:
        if run:
            self._wake(run)
        else:
            self.look_ahead()
