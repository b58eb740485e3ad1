"""The peer of what is durable: records in a journal of its own, and the wait until they are on disk. Nothing else."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agentos.home.journal import Journal

BODY = os.urandom(1 << 14)


class Commits:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def each_us(self, count: int, *sizes: int) -> float:
        """The mean of so many, one after the other: a transaction and a sync for records of these sizes in bytes."""
        made = [("bench", "r1", BODY[:size]) for size in sizes or (200,)]
        began = time.perf_counter_ns()
        for _ in range(count):
            await self._journal.durable(self._journal.append(*made))
        return (time.perf_counter_ns() - began) / count / 1e3


@asynccontextmanager
async def commits() -> AsyncIterator[Commits]:
    """Encrypted as a home is, on the disk that homes of the bench lie on; nothing is signed."""
    place = Path(tempfile.mkdtemp(prefix="agentos-bench-commits-"))
    journal = Journal.open(place / "journal.db", bytes(32))
    try:
        made = Commits(journal)
        await made.each_us(20)
        yield made
    finally:
        await journal.close()
        shutil.rmtree(place, ignore_errors=True)
