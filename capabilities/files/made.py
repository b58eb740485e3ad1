"""How many files and folders each run has made: a disk has so many inodes, and a run is not to take them all."""

from __future__ import annotations

import threading
from collections import OrderedDict

from agentos.capabilities.failure import Limit

MOST = 5_000
RUNS = 1_000


class Made:
    """Counts by run, of the newest thousand. Several threads may count at once."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def count(self, run: str) -> None:
        """One more is about to be made. Raises Limit."""
        with self._lock:
            made = self._counts.pop(run, 0) + 1
            self._counts[run] = min(made, MOST)
            if len(self._counts) > RUNS:
                self._counts.popitem(last=False)
        if made > MOST:
            raise Limit(f"this run has made {MOST} files and folders", "keep more in one file", "quota")
