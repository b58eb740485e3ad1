"""memory: what each process weighs while nothing runs, against an idle python3.

A page that several processes share counts in proportion with each of them (PSS). So a zygote looks lighter the more
cells wait beside it, and a cell heavier than what it costs to have one more. Both goals are therefore held against
sums: idle is the kernel and a zygote that has no cell, and a ready cell is what eight of them add to that, by the
head.
"""

from __future__ import annotations

import statistics

from bench import figures, many, processes
from bench.figures import Figure, Goal, Part, against
from bench.peers.python import Python
from bench.person import Person, kernel

ABOUT = "pages that are shared count in proportion (PSS); nothing under way, the pool full"
PEER = "idle python3"
# 120 MB and 5 MB.
IDLE, CELL = Goal(round(120e6 / 1024), of_ratio=False), Goal(round(5e6 / 1024), of_ratio=False)


async def measure(person: Person, python: Python) -> Part:
    load = figures.load()
    await many.prepare(person)
    await person.still()
    up = person.up
    groups = {
        "kernel": [up.pid],
        "zygote": processes.zygotes(up.pid),
        "each ready cell": processes.cells(up.pid),
        "files server": processes.servers(up.pid),
    }
    with python.idle() as pid:
        theirs = processes.weight(pid)
        assert theirs  # it is not ours, so it can be read
        found = [_figure(name, pids, theirs.pss) for name, pids in groups.items()]
    everything = sum(figure.ours * figure.samples for figure in found)
    whole = against(f"all, with {up.ready} ready cells", everything, theirs.pss / 1024, "KiB", PEER, 1)
    ours, zygote, cell, server = found
    unseen = ours.missing or zygote.missing or cell.missing
    alone = 0.0 if unseen else _without_cells()
    idle = Figure("kernel, and a zygote without cells", ours.ours + alone, "KiB", 1, goal=IDLE, missing=unseen)
    more = (zygote.ours + cell.ours * cell.samples - alone) / max(cell.samples, 1)
    each = Figure("what each ready cell adds", more, "KiB", cell.samples, goal=CELL, missing=unseen)
    return Part("memory", ABOUT, load, (ours, zygote, cell, server, whole, idle, each))


def _without_cells() -> float:
    """The zygote of a kernel that keeps no cell ready, in KiB."""
    with kernel(ready=0) as up:
        (pid,) = processes.zygotes(up.pid)
        found = processes.weight(pid)
    return found.pss / 1024 if found else 0.0


def _figure(name: str, pids: list[int], theirs: int) -> Figure:
    weights = [weight for pid in pids if (weight := processes.weight(pid))]
    if len(weights) < len(pids) or not weights:
        return Figure(name, 0.0, "KiB", 0, missing="it is closed to all but root")
    pss = statistics.median(weight.pss for weight in weights) / 1024
    alone = statistics.median(weight.uss for weight in weights) / 1024
    return against(name, pss, theirs / 1024, "KiB", PEER, len(weights), note=f"{alone:,.0f} KiB of it its own (USS)")
