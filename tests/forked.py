"""Work in a fork of the tests: what confines for good, or is killed in its middle.

A fork has none of its parent's threads, but all of its garbage. Were that collected there, a channel of gRPC would
wait for a thread that is not, for ever. And nobody waits for a fork for ever.
"""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Callable

WITHIN_S = 60.0


def begun(work: Callable[[], object]) -> int:
    """The pid of a child that does this: it exits with 0 when it could, 1 when the system refused, else 2."""
    if pid := os.fork():
        return pid
    gc.disable()
    code = 2
    try:
        work()
        code = 0
    except OSError:
        code = 1
    finally:
        os._exit(code)


def ended(pid: int) -> int:
    """Its wait status; that of a child that was killed where it takes too long."""
    until = time.monotonic() + WITHIN_S
    while time.monotonic() < until:
        there, status = os.waitpid(pid, os.WNOHANG)
        if there:
            return status
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]
