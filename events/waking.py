"""When runs come back that left memory: a heap of times, and one timer for the first of them.

Times are the wall clock's, which may jump and which stands still for us while a laptop sleeps. So the timer is never
set further than a minute ahead, and what is due is read from the clock each time.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

LOOK_EVERY_S = 60.0


class Waking:
    def __init__(self, now_ms: Callable[[], int], wake: Callable[[str], None]) -> None:
        self._now_ms, self._wake = now_ms, wake
        self._due: list[tuple[int, str]] = []
        self._timer: asyncio.TimerHandle | None = None

    def at(self, until_ms: int, run: str) -> None:
        """Wake this run at that time."""
        new = (until_ms, run)
        heapq.heappush(self._due, new)
        if self._due[0] is new:
            self._set()

    def close(self) -> None:
        self._due.clear()
        self._set()

    def _set(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None
        if self._due:
            left_s = max((self._due[0][0] - self._now_ms()) / 1000, 0)
            self._timer = asyncio.get_running_loop().call_later(min(left_s, LOOK_EVERY_S), self._look)

    def _look(self) -> None:
        while self._due and self._due[0][0] <= self._now_ms():
            self._wake(heapq.heappop(self._due)[1])
        self._set()
