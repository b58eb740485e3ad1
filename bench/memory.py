"""memory: what each process weighs while nothing runs, against an idle python3."""

from __future__ import annotations

import statistics
from dataclasses import replace

from bench import figures, many, processes
from bench.figures import Figure, Goal, Part, against
from bench.peers.python import Python
from bench.person import Person

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
    both, unseen = ours.ours + zygote.ours, ours.missing or zygote.missing
    idle = Figure("kernel and zygote, idle", both, "KiB", 1, goal=IDLE, missing=unseen)
    return Part("memory", ABOUT, load, (ours, zygote, idle, replace(cell, goal=CELL), server, whole))


def _figure(name: str, pids: list[int], theirs: int) -> Figure:
    weights = [weight for pid in pids if (weight := processes.weight(pid))]
    if len(weights) < len(pids) or not weights:
        return Figure(name, 0.0, "KiB", 0, missing="it is closed to all but root")
    pss = statistics.median(weight.pss for weight in weights) / 1024
    alone = statistics.median(weight.uss for weight in weights) / 1024
    return against(name, pss, theirs / 1024, "KiB", PEER, len(weights), note=f"{alone:,.0f} KiB of it its own (USS)")
