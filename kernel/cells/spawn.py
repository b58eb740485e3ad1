"""Processes with exactly the descriptors they are given, and pipes that are listened to without waiting.

Nothing here forks, and nothing in the kernel may: what asks the system for a process by `fork()`, as uvloop does for
asyncio's subprocesses, makes a copy of the process that holds the keys, in which gRPC's handlers start threads before
the new program does. Once in a few hundred times those crashed. posix_spawn runs no handler and copies nothing.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import threading
from collections.abc import Callable, Mapping

# What a large call took is given back when it ends. By default glibc keeps it, in up to eight heaps for each core, and
# a server of many threads comes to its limit of memory with next to nothing in use.
ALLOCATOR = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "262144"}


def spawn(command: list[str], given: Mapping[int, int]) -> int:
    """Start a process with nothing of our environment and exactly these descriptors, by the number it sees."""
    high = {number: fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 64) for number, fd in given.items()}
    actions: list[tuple[int, int, int] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, standard, os.devnull, os.O_RDWR, 0) for standard in range(3) if standard not in given
    ]
    actions += [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in high.items()]
    try:
        return os.posix_spawn(
            command[0], command, ALLOCATOR, file_actions=actions, setpgroup=0, setsigdef=[signal.SIGPIPE]
        )
    finally:
        for fd in high.values():
            os.close(fd)


def hear(fd: int, heard: Callable[[bytes], object]) -> None:
    """Pass on what arrives on a pipe until its end, which is passed on as b""."""
    os.set_blocking(fd, False)
    loop = asyncio.get_running_loop()

    def read() -> None:
        try:
            piece = os.read(fd, 4096)
        except BlockingIOError:
            return
        if not piece:
            loop.remove_reader(fd)
            os.close(fd)
        heard(piece)

    loop.add_reader(fd, read)


async def hear_out(command: list[str], given: Mapping[int, int], within_s: float) -> tuple[bytes, int]:
    """All that a process writes to its output until its end, and its exit code: below 0, the signal that ended it.

    Raises TimeoutError; then it was killed. Either way nothing is left of it.
    """
    loop = asyncio.get_running_loop()
    said, ended = bytearray(), loop.create_future()
    closed = asyncio.Event()
    reading, writing = os.pipe()
    pid = spawn(command, {1: writing, **given})
    os.close(writing)
    hear(reading, lambda piece: said.extend(piece) if piece else closed.set())
    watch(pid, lambda status: ended.set_result(os.waitstatus_to_exitcode(status)))
    try:
        async with asyncio.timeout(within_s):
            await closed.wait()
            return bytes(said), await asyncio.shield(ended)
    finally:
        if not ended.done():
            os.kill(pid, signal.SIGKILL)
            await ended


def watch(pid: int, ended: Callable[[int], None]) -> None:
    """Call `ended` on the loop with its wait status when this child has ended, and bury it."""
    loop = asyncio.get_running_loop()
    if not hasattr(os, "pidfd_open"):
        threading.Thread(target=_wait, args=(pid, loop, ended), daemon=True).start()
        return
    pidfd = os.pidfd_open(pid)

    def bury() -> None:
        loop.remove_reader(pidfd)
        os.close(pidfd)
        ended(os.waitpid(pid, 0)[1])

    loop.add_reader(pidfd, bury)


def _wait(pid: int, loop: asyncio.AbstractEventLoop, ended: Callable[[int], None]) -> None:
    status = os.waitpid(pid, 0)[1]
    loop.call_soon_threadsafe(ended, status)
