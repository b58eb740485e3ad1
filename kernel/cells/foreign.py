"""The components that are not our guest: each is compiled once, and has a zygote of its own while it is in use.

Two hundred first runs of one component compile it once: the first does the work and the others wait for it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from agentos.kernel.cells.images import Images
from agentos.kernel.cells.pool import Cells

T = TypeVar("T")
IDLE_FOREIGN = 4


class Flights(Generic[T]):
    """Work that many may want and one does. Who gives up waiting does not stop it; what failed is tried anew."""

    def __init__(self) -> None:
        self._under_way: dict[str, asyncio.Task[T]] = {}

    async def do(self, key: str, work: Callable[[], Coroutine[None, None, T]]) -> T:
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.get_running_loop().create_task(work())
            task.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(task)

    def _landed(self, key: str, done: asyncio.Task[T]) -> None:
        del self._under_way[key]
        if not done.cancelled():
            done.exception()  # whoever still waits hears of it; if nobody does, nobody has to


class Foreign:
    """The components that are not our guest, each with its zygote: those in use, and the last few that were."""

    def __init__(self, images: Images) -> None:
        self._images = images
        self._cells: dict[str, Cells] = {}
        self._users: Counter[str] = Counter()
        self._flights: Flights[Cells] = Flights()
        self._compiling = asyncio.Lock()

    @asynccontextmanager
    async def lent(self, content: bytes) -> AsyncIterator[tuple[Cells, str]]:
        """The cells of a component, for as long as the run that uses them; and its digest."""
        digest = hashlib.sha256(content).hexdigest()
        self._users[digest] += 1
        try:
            yield await self._flights.do(digest, lambda: self._started(digest, content)), digest
        finally:
            self._users[digest] -= 1
            await self._tidy()

    async def _started(self, digest: str, content: bytes) -> Cells:
        cells = self._cells.pop(digest, None)
        if cells is None:
            async with self._compiling:
                image = await self._images.open(content, own=False)
            cells = await Cells.start(image, ready=1)
        self._cells[digest] = cells  # the last in the order of use
        return cells

    async def _tidy(self) -> None:
        self._users = +self._users
        idle = [digest for digest in self._cells if digest not in self._users]
        for digest in idle[: max(len(idle) - IDLE_FOREIGN, 0)]:
            await self._cells.pop(digest).close()

    async def close(self) -> None:
        for cells in self._cells.values():
            await cells.close()
