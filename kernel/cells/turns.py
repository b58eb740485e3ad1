"""Turns: for how long a process is left at work before another one may have its core.

Linux lets who wakes up go before who is at work where its turn is the shorter one (since 6.12). The kernel is what each
run and each call waits for, again and again and for a moment, so its turns are short; a cell that is made ready, and a
program that computes, keep a core for longer at a time. Nobody gets more of the machine by this, or less. An older
system goes by its own rule.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from contextlib import suppress
from typing import Final

from agentos.kernel.cells.syscalls import syscall

SHORT_US: Final = 100
LONG_US: Final = 3_000
# struct sched_attr: its size, policy, flags, nice, priority, and the turn (of a deadline, its budget) in nanoseconds.
ATTRIBUTES: Final = struct.Struct("=IIQiIQQQ")


def take(microseconds: int) -> None:
    """From here on, in this thread and all that it starts. Its policy and its niceness stay."""
    if sys.platform != "linux":
        return
    policy, nice = os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)
    asked = ATTRIBUTES.pack(ATTRIBUTES.size, policy, 0, nice, 0, microseconds * 1000, 0, 0)
    with suppress(OSError):
        syscall("sched_setattr", 0, ctypes.create_string_buffer(asked, len(asked)), 0)
