"""Who lets whom go first, as the machine says it of a kernel and of what it started."""

from __future__ import annotations

import ctypes
import os
import platform
import sys

import psutil
import pytest

from agentos.kernel.cells import turns
from agentos.kernel.cells.syscalls import syscall
from tests.kernel.person import Up

RELEASE = tuple(int(word) for word in platform.release().split("-")[0].split(".")[:2] if word.isdecimal())
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or RELEASE < (6, 12), reason="turns of one's own came with Linux 6.12"
)


def turn_of(thread: int) -> tuple[int, int]:
    """Its policy, and its turn in microseconds."""
    told = ctypes.create_string_buffer(turns.ATTRIBUTES.size)
    syscall("sched_getattr", thread, told, turns.ATTRIBUTES.size, 0)
    _, policy, _, _, _, turn_ns, _, _ = turns.ATTRIBUTES.unpack(told.raw)
    return policy, turn_ns // 1000


def test_all_threads_of_a_kernel_take_short_turns_and_its_cells_long_ones(up: Up) -> None:
    kernel = psutil.Process(up.pid)
    assert {turn_of(thread.id) for thread in kernel.threads()} == {(os.SCHED_OTHER, turns.SHORT_US)}
    zygotes = [each for each in kernel.children() if "agentos.kernel.cells.zygote" in each.cmdline()]
    cells = [cell.pid for zygote in zygotes for cell in zygote.children()]
    assert {turn_of(each) for each in (*cells, *(zygote.pid for zygote in zygotes))} == {
        (os.SCHED_BATCH, turns.LONG_US)
    }


def test_a_turn_leaves_policy_and_niceness_as_they_are() -> None:
    niceness, child = os.getpriority(os.PRIO_PROCESS, 0), os.fork()
    if child == 0:
        os.nice(3)
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        turns.take(turns.LONG_US)
        kept = (turn_of(0), os.getpriority(os.PRIO_PROCESS, 0)) == ((os.SCHED_BATCH, turns.LONG_US), 3 + niceness)
        os._exit(0 if kept else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
