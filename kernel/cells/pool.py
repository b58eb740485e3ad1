"""Cells as the kernel takes them: a zygote for each image, some cells ready ahead, one run for each.

Theory of operation. The kernel makes a socketpair and sends one end to the zygote, which forks a cell around it;
so the kernel knows which descriptor belongs to which run, and a cell has no name to lie about. A cell that offers
itself goes to whoever has waited longest, else among the ready. Refilling waits a moment after a cell was taken, so
that a fork does not compete with the run that took it; no more than a few are forked at once, so that the first of two
hundred takers is not slowed by the other hundred and ninety-nine.

What runs once soon runs again, for the next event or the next question. So half of the ready cells hold a program: they
have no authority and execute nothing of it, and its next run only has to be told what is for it. Such a cell runs no
other program. The cells are shared out as seats are by D'Hondt's rule: the next goes to the program that ran most often
of late for each cell that holds it, and one that has less of a claim than a program that had none makes room.

A cell that dies before it is ready (it was killed, the machine is out of memory) is replaced; after three in a row the
takers are told, and the next try waits, longer each time. The same goes for the zygote itself.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections import Counter, deque
from collections.abc import Coroutine
from typing import Final

from agentos.kernel.cells import frames
from agentos.kernel.cells.held import Cell, CellLimits, Ending, Start
from agentos.kernel.cells.images import Image
from agentos.kernel.cells.spawner import START_WITHIN_S, NoCells, Zygote

__all__ = ["Cell", "CellLimits", "Cells", "Ending", "NoCells", "Start"]

REFILL_AFTER_S: Final = 0.004
MAX_LIVE: Final = 256
AT_ONCE: Final = 2 * (os.cpu_count() or 1)
GIVE_UP_AFTER: Final = 3
LATELY: Final = 16  # programs of at most some MiB each are held on to
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0


class Cells:
    """One zygote and its cells. `cpu_s` is what all that ended have used."""

    def __init__(self, image: Image, ready: int, most: int) -> None:
        self._image = image
        self._wanted = ready
        self._most = most
        self._zygote: Zygote | None = None
        self._ready: deque[Cell] = deque()
        self._ran: deque[Start] = deque(maxlen=LATELY)
        self._takers: deque[asyncio.Future[Cell]] = deque()
        self._forking: deque[Cell] = deque()
        self._live: dict[int, Cell] = {}
        self._warming: set[Cell] = set()
        self._failures = 0
        self._pause = FIRST_PAUSE_S
        self.cpu_s = 0.0
        self._forks = 0
        self._refill_at: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @classmethod
    async def start(cls, image: Image, ready: int = 2, most: int = MAX_LIVE) -> Cells:
        """Start the zygote and begin to fill; the image's descriptor is then ours. Raises NoCells."""
        cells = cls(image, ready, most)
        try:
            cells._zygote = await Zygote.start(image, cells)
        except NoCells:
            os.close(image.descriptor)
            raise
        cells._refill()
        return cells

    @property
    def ready(self) -> int:
        """How many wait for a taker."""
        return len(self._ready)

    @property
    def live(self) -> int:
        """How many processes there are."""
        return len(self._live) + len(self._forking)

    @property
    def busy(self) -> int:
        """How many are taken and not yet buried."""
        return len(self._live) - len(self._ready) - len(self._warming)

    @property
    def missing(self) -> tuple[str, ...]:
        """The walls that this machine lacks, by name."""
        return self._zygote.missing if self._zygote else ()

    def statistics(self) -> dict[str, int]:
        """How many there are, and how many there were; `wanted` wait for one. The time is that of cells that ended."""
        wanted, cpu_us = len(self._waiting()), int(self.cpu_s * 1e6)
        return {"ready": self.ready, "busy": self.busy, "wanted": wanted, "forks": self._forks, "cpu_us": cpu_us}

    def expect(self, start: Start) -> None:
        """This program runs, and may run again soon."""
        self._ran.append(start)

    async def take(self, start: Start) -> Cell:
        """A cell for one run of this program, which it loads. Raises NoCells where none can be made."""
        if self._closed:
            raise NoCells("closed")
        if (ready := self.take_ready(start)) is not None:
            return ready
        taker: asyncio.Future[Cell] = asyncio.get_running_loop().create_future()
        self._takers.append(taker)
        self._refill()
        try:
            cell = await taker
        except asyncio.CancelledError:
            if taker.done() and not taker.cancelled() and not taker.exception():
                taker.result().close()
            raise
        cell.load(start)
        return cell

    def at_hand(self, start: Start) -> Cell | None:
        """The cell that a run would get at once: the newest that holds the program, else the newest that holds none."""
        held = next((cell for cell in reversed(self._ready) if cell.start == start), None)
        return held or next((cell for cell in reversed(self._ready) if not cell.start), None)

    def take_ready(self, start: Start) -> Cell | None:
        """A cell for one run, if one is there."""
        cell = self.at_hand(start)
        if self._closed or not cell:
            return None
        self._ready.remove(cell)
        self._refill_in(REFILL_AFTER_S)
        if cell.start != start:
            cell.load(start)
            self._make_room(start)
        return cell

    def _make_room(self, start: Start) -> None:
        """No cell held this program: the one with the least claim to its cell gives it up, if that is less."""
        holding = [(cell.start, cell) for cell in self._ready if cell.start]
        if len(holding) < self._wanted // 2 or not holding:
            return
        ran, held = Counter(self._ran), Counter(each for each, _ in holding)
        least, cell = min(holding, key=lambda each: ran[each[0]] / held[each[0]])
        if ran[least] / held[least] < ran[start]:
            self._ready.remove(cell)
            cell.close()

    def _to_hold(self) -> Start | None:
        """What the next ready cell is to hold, if anything; of equals what ran last."""
        held = Counter(cell.start for cell in self._ready if cell.start)
        if not self._ran or held.total() >= self._wanted // 2:
            return None
        ran = Counter(reversed(self._ran))
        return max(ran, key=lambda start: ran[start] / (held[start] + 1))

    async def close(self) -> None:
        """End the zygote and all its cells, and wait until it is gone."""
        if self._closed:
            return
        self._closed = True
        self._disappoint("closed")
        self._abandon()
        if self._zygote is not None:
            await self._zygote.end()
        os.close(self._image.descriptor)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ---- filling

    def _refill_in(self, seconds: float) -> None:
        if self._refill_at is None:
            self._refill_at = asyncio.get_running_loop().call_later(seconds, self._refill_now)

    def _refill_now(self) -> None:
        self._refill_at = None
        self._refill()

    def _refill(self) -> None:
        """Fork what is wanted: the ready ones, and one for each that waits; a few at once."""
        if self._closed or self._zygote is None or self._failures >= GIVE_UP_AFTER:
            return
        coming = len(self._forking) + len(self._warming)
        lacking = self._wanted + len(self._waiting()) - len(self._ready) - coming
        for _ in range(min(lacking, AT_ONCE - coming, self._most - self.live)):
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            with theirs:
                if not self._zygote.fork(theirs):
                    ours.close()
                    return
            self._forking.append(Cell(ours))

    def _waiting(self) -> deque[asyncio.Future[Cell]]:
        while self._takers and self._takers[0].done():
            self._takers.popleft()
        return self._takers

    async def _await_warm(self, cell: Cell) -> None:
        try:
            await asyncio.wait_for(cell.warm(), START_WITHIN_S)
        except (EOFError, OSError, TimeoutError, frames.BadFrame):
            cell.close()
            await asyncio.wait((cell.ended,), timeout=1)
            self._warming.discard(cell)
            self._failed()
        else:
            self._warming.discard(cell)
            self._failures, self._pause = 0, FIRST_PAUSE_S
            self._offer(cell)
            self._refill()

    def _offer(self, cell: Cell) -> None:
        if self._closed:
            cell.close()
        elif self._waiting():
            self._takers.popleft().set_result(cell)
        else:
            if (start := self._to_hold()) is not None:
                cell.load(start)
            self._ready.append(cell)

    def _failed(self) -> None:
        if self._zygote is None:
            return
        self._failures += 1
        if self._failures < GIVE_UP_AFTER:
            self._refill()
            return
        self._disappoint("cells die before they are ready")
        self._spawn(self._try_again())

    async def _try_again(self) -> None:
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE_S)
        await asyncio.sleep(pause)
        if self._failures >= GIVE_UP_AFTER and not self._warming and not self._forking:
            self._failures = GIVE_UP_AFTER - 1
            self._refill()

    def _disappoint(self, reason: str) -> None:
        while self._waiting():
            self._takers.popleft().set_exception(NoCells(reason))

    # ---- what the zygote says

    def forked(self, pid: int, pidfd: int) -> None:
        """A cell is there; it is offered when it is warm."""
        cell = self._forking.popleft()
        self._forks += 1
        self._live[pid] = cell
        self._warming.add(cell)
        cell.born(pid, pidfd)
        self._spawn(self._await_warm(cell))

    def exited(self, pid: int, status: int, cpu_s: float) -> None:
        """A cell is buried: its place is free."""
        self.cpu_s += cpu_s
        cell = self._live.pop(pid, None)
        if cell is None:
            return
        cell.died(status, cpu_s)
        if cell in self._ready:
            self._ready.remove(cell)
            cell.close()
        if cell.given_back and cell.start and cell.start in self._ran:
            self._ran.remove(cell.start)  # a run that waits for the person first is counted when it begins
        self._refill()

    def lost(self) -> None:
        """The zygote is gone, and its cells with it: start another one."""
        zygote, self._zygote = self._zygote, None
        self._abandon()
        if zygote is not None:
            zygote.end()
            self._spawn(self._restart())

    def _abandon(self) -> None:
        for cell in (*self._live.values(), *self._forking):
            cell.died(signal.SIGKILL)
            if cell in self._ready or cell in self._forking or self._closed:
                cell.close()
        self._live.clear()
        self._forking.clear()
        self._ready.clear()

    async def _restart(self) -> None:
        pause = 0.0
        while not self._closed and self._zygote is None:
            await asyncio.sleep(pause)
            pause = min(2 * pause or FIRST_PAUSE_S, LONGEST_PAUSE_S)
            try:
                self._zygote = await Zygote.start(self._image, self)
            except NoCells as none:
                self._disappoint(str(none))
        self._failures = 0
        self._refill()

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
