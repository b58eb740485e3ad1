"""The peer of what is durable: one record in a journal of its own, and the wait until it is on disk. Nothing else."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agentos.home.journal import Journal

BODY = bytes(200)


class Commits:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def each_us(self, count: int) -> float:
        """The mean of so many, one after the other: a transaction and a sync for each."""
        began = time.perf_counter_ns()
        for _ in range(count):
            await self._journal.durable(self._journal.append(("bench", "", BODY)))
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
