"""The peer of what is durable: records in a journal of its own, and the wait until they are on disk. Nothing else."""

from __future__ import annotations

import asyncio
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

    async def each_us(self, count: int, *sizes: int, every_us: float = 0) -> float:
        """The mean of so many, one after the other: a transaction and a sync for records of these sizes in bytes.

        Between two there is as much time as between those that they are held against: at once after another, caches and
        disk hot, one takes two thirds of what it takes a millisecond later. The core is kept awake meanwhile.
        """
        made = [("bench", "r1", BODY[:size]) for size in sizes or (200,)]
        took_ns = 0
        for _ in range(count):
            began = time.perf_counter_ns()
            await self._journal.durable(self._journal.append(*made))
            ended = time.perf_counter_ns()
            took_ns += ended - began
            while time.perf_counter_ns() - ended < every_us * 1e3:  # noqa: ASYNC110  only time is waited for
                await asyncio.sleep(0)
        return took_ns / count / 1e3


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
