"""The kernel's processes as the machine sees them: which there are, what they hold, what they weigh.

All of ours are closed to other processes of the same user, so memory and descriptors can be counted by root alone;
to anybody else they are None, and the figure says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.person import Up

ZYGOTE = "agentos.kernel.cells.zygote"


@dataclass(frozen=True)
class Weight:
    """Bytes: shared pages in proportion, and what would be freed if it ended now."""

    pss: int
    uss: int


def weight(pid: int) -> Weight | None:
    try:
        memory = psutil.Process(pid).memory_full_info()
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return None
    return Weight(memory.pss, memory.uss)


def descriptors(pid: int) -> int | None:
    try:
        return psutil.Process(pid).num_fds()
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return None


def cpu_us(pids: Iterable[int]) -> float:
    """What these processes have spent on a core, in their threads that live. Anybody may read it."""
    return sum(spent_us(pid) for pid in pids)


def spent_us(pid: int) -> float:
    spent_ns = 0
    with suppress(OSError):  # it ended meanwhile
        for thread in Path(f"/proc/{pid}/task").iterdir():
            spent_ns += int((thread / "schedstat").read_text(encoding="ascii").split()[0])
    return spent_ns / 1000


def zygotes(kernel: int) -> list[int]:
    return [child.pid for child in psutil.Process(kernel).children() if ZYGOTE in child.cmdline()]


def cells(kernel: int) -> list[int]:
    return [cell.pid for zygote in zygotes(kernel) for cell in psutil.Process(zygote).children()]


def servers(kernel: int) -> list[int]:
    """What the kernel started beside its zygotes."""
    mine = set(zygotes(kernel))
    return [child.pid for child in psutil.Process(kernel).children() if child.pid not in mine]


@dataclass(frozen=True)
class Standing:
    """What there is at a still moment. What may not be seen is None."""

    processes: int
    kernel_descriptors: int | None
    zygote_descriptors: int | None
    files: int
    kernel_uss: int | None
    zygote_uss: int | None
    journal_bytes: int


def standing(up: Up) -> Standing:
    zygote = zygotes(up.pid)[0]
    ours, theirs = weight(up.pid), weight(zygote)
    return Standing(
        processes=1 + len(psutil.Process(up.pid).children(recursive=True)),
        kernel_descriptors=descriptors(up.pid),
        zygote_descriptors=descriptors(zygote),
        files=sum(len(list(folder.rglob("*"))) for folder in {up.home / "run", Path(up.socket).parent}),
        kernel_uss=ours.uss if ours else None,
        zygote_uss=theirs.uss if theirs else None,
        journal_bytes=sum(file.stat().st_size for file in up.home.glob("agentos.db*")),
    )


def left_behind(before: Standing, after: Standing) -> dict[str, int]:
    """What there is more of than before, of what must not grow at all. Empty is good."""
    counted = ("processes", "kernel_descriptors", "zygote_descriptors", "files")
    pairs = {name: (getattr(before, name), getattr(after, name)) for name in counted}
    return {name: now - then for name, (then, now) in pairs.items() if None not in (then, now) and now > then}
