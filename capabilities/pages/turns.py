"""One page at a time, and each with a few seconds of processor.

What parses HTML cannot be trusted to come to an end, Python cannot stop a thread, and this process may not fork. So:

    after 5 s of processor   an exception is put into the thread. Most of the time is spent in Python, between two
                             lines of which it is raised: that call ends as a limit, and the others do not notice.
    after 7 s                it is somewhere in C that lets others run, so it can still be told: that call ends as a
                             limit, those that wait as interrupted, and then the process ends itself.
    after 9 s                it is somewhere in C that lets nobody run, and the system ends the process (SIGPROF): all
                             of its calls are interrupted.

A page that takes all memory ends as a limit of its own, in its thread. If it was this one, the loop's, that was refused
memory meanwhile, then what it was at may be half done, and a wake of somebody lost: it ends itself as after 7 s.

The kernel starts a process anew at the next call. What was interrupted had no effect, since nothing here has any, so
whoever waited can simply ask again. Time is counted in processor time of the whole process, which a busy machine does
not shorten; a page that waits for something cannot be, since there is nothing here to wait for.

Runs take turns: of each run one page at most stands in the queue that all share.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Generic, TypeVar

from agentos.capabilities.failure import Limit, Unavailable

INTERRUPT_S, GIVE_UP_S, KILL_S = 5.0, 7.0, 9.0
LOOK_S = 0.1
# Long enough for the answers to leave.
LEAVE_S = 0.05
MOST_WAITING = 64
HINT = "read it as text, or a part of it: html[: 2**20]"

T = TypeVar("T")


class TooLong(BaseException):
    """Put into a thread that takes too long. No library's `except Exception` catches it."""


class Turns:
    def __init__(self) -> None:
        self._shared = asyncio.Lock()
        self._of_run: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._waiting: dict[str, int] = {}
        self._leaving = False

    def look_after(self, loop: asyncio.AbstractEventLoop) -> None:
        """Leave if this loop is refused memory where nobody waits for what it was at."""

        def failed(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
            if isinstance(context.get("exception"), MemoryError):
                self._leave()
            else:
                loop.default_exception_handler(context)

        loop.set_exception_handler(failed)

    async def take(self, run: str, work: Callable[[], T]) -> T:
        """The result of the work, when it is its turn. Raises Limit, Unavailable, or what the work raises."""
        if self._leaving:  # it comes too late for an answer: the kernel says what became of it, and starts another
            await asyncio.Event().wait()
        if self._waiting.get(run, 0) >= MOST_WAITING:
            raise Unavailable("too many pages of this run wait to be read", "read them one after the other", "busy")
        self._waiting[run] = self._waiting.get(run, 0) + 1
        try:
            async with self._of_run[run]:
                await self._shared.acquire()
                turn = asyncio.ensure_future(self._turn(work))
                turn.add_done_callback(lambda done: done.cancelled() or done.exception())
                # A caller that gives up does not end the turn: the thread is at it all the same.
                return await asyncio.shield(turn)
        finally:
            self._waiting[run] -= 1
            if not self._waiting[run]:
                del self._waiting[run], self._of_run[run]

    async def _turn(self, work: Callable[[], T]) -> T:
        try:
            if self._leaving:
                reason = "another page took so long that the reader of pages was ended"
                raise Unavailable(reason, "make the call again", "interrupted")
            return await self._watched(work)
        finally:
            self._shared.release()

    async def _watched(self, work: Callable[[], T]) -> T:
        began = time.process_time()
        # Before the thread starts: from then on, this one may never come to run again.
        signal.setitimer(signal.ITIMER_PROF, KILL_S)
        try:
            attempt = Attempt(work)
            while not await attempt.ended(LOOK_S):
                spent = time.process_time() - began
                if spent >= GIVE_UP_S:
                    self._leave()
                    raise too_long()
                if spent >= INTERRUPT_S:
                    attempt.interrupt()
        except MemoryError:
            self._leave()
            raise too_large() from None
        finally:
            if not self._leaving:
                signal.setitimer(signal.ITIMER_PROF, 0)
        return attempt.result()

    def _leave(self) -> None:
        self._leaving = True
        try:
            asyncio.get_running_loop().call_later(LEAVE_S, os._exit, 1)
        except MemoryError:
            os._exit(1)


class Attempt(Generic[T]):
    """Some work in a thread of its own."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self._result: list[T] = []
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result.append(self._work())
        except BaseException as problem:  # noqa: BLE001 - whatever it is, it is raised where it is waited for
            self._problem = problem
        self._loop.call_soon_threadsafe(self._over.set)

    async def ended(self, within_s: float) -> bool:
        try:
            await asyncio.wait_for(self._over.wait(), within_s)
        except TimeoutError:
            # An exception that came when the work had just ended took the thread with it, and nobody was told.
            return not self._thread.is_alive()
        return True

    def interrupt(self) -> None:
        ident = ctypes.c_ulong(self._thread.ident or 0)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(TooLong))

    def result(self) -> T:
        if self._problem is not None and not isinstance(self._problem, TooLong):
            raise self._problem
        if not self._result:
            raise too_long()
        return self._result[0]


def too_large() -> Limit:
    return Limit("the page takes more memory than there is for one", HINT, "too_large")


def too_long() -> Limit:
    reason = f"the page takes more than {INTERRUPT_S:.0f} s to read"
    return Limit(reason, HINT, "too_large")
