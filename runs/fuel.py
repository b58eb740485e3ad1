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
from collections.abc import Callable, Iterator, Mapping
from itertools import chain

from agentos.home.history import RunBegan
from agentos.kernel.cells.pool import Cell
from agentos.kernel.grants import root
from agentos.kernel.ledger import Past, parent
from agentos.manifest.lines import Limits
from agentos.runs.run import Run

LOOK_EVERY_S = 0.5


class Fuel:
    def __init__(self, active: Mapping[str, Run], open_: Mapping[str, int], past: Callable[[str], Past | None]) -> None:
        self._active, self._open, self._past = active, open_, past
        # By run, what its cells that ended have used, in seconds. Of a child that is over it is its parent's.
        self._spent: defaultdict[str, float] = defaultdict(float)
        # Of runs that started others, in seconds; also of those that wait away from here meanwhile.
        self._limits: dict[str, float] = {}
        self._looks = False

    def burns(self, run: Run, cell: Cell) -> None:
        """A run is played in this cell, from now on until that ends."""
        self._hold_above(run.began)
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

    def _hold_above(self, began: RunBegan) -> None:
        """Hold all above a run to their limits: what each child may use at most is on record as it begins."""
        above = parent(began.run)
        if began.within and above not in self._limits:
            self._limits[above] = Limits(*began.within).cpu_ms / 1000
            if known := self._active.get(above) or self._past(above):
                self._hold_above(known.began)

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
        for name, limit in self._limits.items():
            if used[name] > limit:
                for run in [each for each in self._active.values() if name in _lineage(each.id)]:
                    run.stop("tree")
        self._looks = False
        if burning:
            self._look_later()

    def _tidy(self, trees: set[str]) -> None:
        """Forget trees that rest; what was a child's that is over, its parent bears."""
        self._limits = {name: limit for name, limit in self._limits.items() if root(name) in trees}
        for name in list(self._spent):
            if root(name) not in trees:
                del self._spent[name]
            elif name not in self._open and parent(name):
                self._spent[parent(name)] += self._spent.pop(name)


def _lineage(run: str) -> Iterator[str]:
    """A run and all above it."""
    while run:
        yield run
        run = parent(run)
