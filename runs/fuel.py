"""Fuel: the processor time that a run and all below it use together; no more than the limit of that run.

The system holds each cell to a limit of its own (RLIMIT_CPU, fixed as it begins), so a tree of a hundred runs could
use a hundred times as much. Handing the limit out beforehand would leave children without any that others do not need.
So it is looked at what the cells of a tree have used, twice a second: that is exact to half a second of each core.

What is counted is one stretch of work: it begins anew when no run of the tree is in a cell, as a run's own limit does
when it comes back after a wait; and for a run that continues as new, with all that is over of what it started.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import chain

from agentos.kernel.cells.pool import Cell
from agentos.kernel.grants import root
from agentos.kernel.ledger import parent
from agentos.manifest.lines import Limits
from agentos.runs.run import Run

LOOK_EVERY_S = 0.5


class Fuel:
    def __init__(self, active: Mapping[str, Run]) -> None:
        self._active = active
        # By run, what its cells that ended have used, in seconds. Of a child that is over it is its parent's.
        self._spent: defaultdict[str, float] = defaultdict(float)
        self._parents: set[str] = set()
        self._looks = False

    def burns(self, run: Run, cell: Cell) -> None:
        """A run is played in this cell, from now on until that ends."""
        generation = run.continued

        def ended(_: object) -> None:
            if run.continued is generation:
                self._spent[run.id] += cell.cpu_s

        cell.ended.add_done_callback(ended)
        if not self._looks:
            self._look_later()

    def renew(self, run: Run) -> None:
        """A run continues as new."""
        self._spent.pop(run.id, None)

    def _look_later(self) -> None:
        self._looks = True
        asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        burning = {name: run.cell.cpu_s for name, run in self._active.items() if run.cell and not run.cell.ended.done()}
        self._tidy({root(name) for name in burning})
        used: defaultdict[str, float] = defaultdict(float)
        for name, seconds in chain(burning.items(), self._spent.items()):
            for above in _lineage(name):
                used[above] += seconds
        limits: dict[str, float] = {}
        for name, seconds in chain.from_iterable(map(_limits, self._active.values())):
            limits[name] = min(seconds, limits.get(name, seconds))
        for name in self._parents:
            if used[name] > limits.get(name, used[name]):
                for run in [each for each in self._active.values() if name in _lineage(each.id)]:
                    run.stop("tree")
        self._looks = False
        if burning:
            self._look_later()

    def _tidy(self, trees: set[str]) -> None:
        """Forget trees that rest; what was a child's that is over, its parent bears."""
        self._parents |= {parent(name) for name in (*self._active, *self._spent)} - {""}
        self._parents = {name for name in self._parents if root(name) in trees}
        for name in list(self._spent):
            if root(name) not in trees:
                del self._spent[name]
            elif name not in self._active and parent(name):
                self._spent[parent(name)] += self._spent.pop(name)


def _lineage(run: str) -> Iterator[str]:
    """A run and all above it."""
    while run:
        yield run
        run = parent(run)


def _limits(run: Run) -> Iterator[tuple[str, float]]:
    """What is known by a run of the limits of it and its parent, in seconds."""
    yield run.id, run.manifest.limits.cpu_ms / 1000
    if run.began.within:
        yield parent(run.id), Limits(*run.began.within).cpu_ms / 1000
