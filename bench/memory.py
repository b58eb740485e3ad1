"""memory: what each process weighs while nothing runs, against an idle python3."""

from __future__ import annotations

import statistics

from bench import figures, many, processes
from bench.figures import Figure, Part, against
from bench.peers.python import Python
from bench.person import Person

ABOUT = "pages that are shared count in proportion (PSS); nothing under way, the pool full"
PEER = "idle python3"


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
    found.append(against(f"all, with {up.ready} ready cells", everything, theirs.pss / 1024, "KiB", PEER, 1))
    return Part("memory", ABOUT, load, tuple(found))


def _figure(name: str, pids: list[int], theirs: int) -> Figure:
    weights = [weight for pid in pids if (weight := processes.weight(pid))]
    if len(weights) < len(pids) or not weights:
        return Figure(name, 0.0, "KiB", 0, note="not readable here: it is closed to all but root")
    pss = statistics.median(weight.pss for weight in weights) / 1024
    alone = statistics.median(weight.uss for weight in weights) / 1024
    return against(name, pss, theirs / 1024, "KiB", PEER, len(weights), note=f"{alone:,.0f} KiB of it its own (USS)")
