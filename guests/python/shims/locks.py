"""One thread: a lock that is held will never be let go by another, so waiting for it is sleeping, or an error."""

from __future__ import annotations

import _queue
import _thread
import concurrent.futures
import queue
import threading
from typing import Any, NoReturn

from agentos.guests.python.shims import clock
from agentos.guests.python.shims.replace import instead


class lock:  # noqa: N801  (Python's own name for it)
    """`threading.Lock`, for one thread."""

    __slots__ = ("__weakref__", "_held")

    def __init__(self) -> None:
        self._held = False

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if not blocking and timeout != -1:
            raise ValueError("can't specify a timeout for a non-blocking call")
        if blocking and timeout < 0 and timeout != -1:
            raise ValueError("timeout value must be a non-negative number")
        if not self._held:
            self._held = True
            return True
        if not blocking:
            return False
        if timeout == -1:
            raise RuntimeError("the program waits for itself: it has one thread, and that thread holds the lock")
        clock.sleep(timeout)
        return False

    def release(self) -> None:
        if not self._held:
            raise RuntimeError("release unlocked lock")
        self._held = False

    def locked(self) -> bool:
        return self._held

    acquire_lock, release_lock, locked_lock = acquire, release, locked

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _at_fork_reinit(self) -> None:
        self._held = False

    def __repr__(self) -> str:
        return f"<{'locked' if self._held else 'unlocked'} _thread.lock object>"


lock.__module__ = "_thread"


def _no_thread(*_: Any, **__: Any) -> NoReturn:
    raise RuntimeError(
        "a program has one thread: run the steps one after the other, use asyncio, "
        "or make calls side by side with agentos.sdk.gather"
    )


def install() -> None:
    for name in ("allocate_lock", "allocate", "lock", "LockType"):
        instead(_thread, name, lock)
    for name in ("start_new_thread", "start_new", "start_joinable_thread"):
        instead(_thread, name, _no_thread)
    instead(threading, "Lock", lock)
    for module in (_queue, queue):
        module.SimpleQueue = queue._PySimpleQueue  # type: ignore[attr-defined]
    concurrent.futures.ThreadPoolExecutor.submit = _no_thread  # type: ignore[method-assign]
    lock.__name__ = lock.__qualname__ = "lock"
