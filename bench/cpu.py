"""cpu: how fast a program computes in a cell, against CPython itself and against other sandboxes.

Each work is run N times over and 2N times over in one sandbox; the difference is N, free of what is done once. What is
counted is processor time, by the scheduler, so that who else wants a core matters little. Our cell stops for a line of
input before, between and after, and is read then.
"""

from __future__ import annotations

import platform
import statistics
import sys
from itertools import pairwise
from pathlib import Path

from bench import figures, processes
from bench.figures import Figure, Part
from bench.peers.others import COMPUTING, NATIVE, Missing, Others, others
from bench.person import Person

WORK = Path(__file__).parent / "programs" / "work"
# So often that the native one has about a twentieth of a second to do.
TIMES = {
    "arithmetic": 30, "csv_rows": 40, "hashing": 60, "json_texts": 60, "objects": 150, "patterns": 60, "sorting": 50,
    "texts": 60,
}  # fmt: skip
ABOUT = "the same work, N times over and 2N times over: the difference, in processor time of all that takes part inside"
MARKED = b"""

stop, work = input, main


def main(input):
    stop()
    work(input)
    stop()
    work(2 * input)
    stop()
"""
MEAN = "geometric mean of the ratios"


async def measure(person: Person, quick: bool) -> Part:
    load = figures.load()
    found: dict[str, list[Figure]] = {name: [] for name in COMPUTING}
    with others(COMPUTING) as peers:
        for work, times in TIMES.items():
            for figure in await _work(person, peers, WORK / f"{work}.py", times // 2 if quick else times, quick):
                found[figure.peer].append(figure)
    return Part("cpu", ABOUT, load, tuple(figure for each in found.values() for figure in (*each, *_mean(each))))


async def _work(person: Person, peers: Others, program: Path, times: int, quick: bool) -> list[Figure]:
    source, missing = _text(program), dict(peers.missing)
    rounds = 2 if quick else 5
    ours: list[float] = []
    theirs: dict[str, list[float]] = {name: [] for name in peers.up}
    await _grew_ms(person, program, 1)
    for _ in range(rounds):
        for name, peer in peers.up.items():
            try:
                if name not in missing:
                    theirs[name].append(peer.grow_ms(source, times))
            except Missing as why:
                missing[name] = str(why)
        ours.append(await _grew_ms(person, program, times))
    return [_figure(program.stem, ours, theirs.get(name, []), name, missing.get(name, "")) for name in COMPUTING]


def _figure(work: str, ours: list[float], theirs: list[float], name: str, missing: str) -> Figure:
    """The ratio is that of the medians: a difference of two runs may come out near nothing, or below it."""
    mine = statistics.median(ours)
    other = 0.0 if missing else statistics.median(theirs)
    if not missing and min(mine, other) <= 0:
        missing = "the machine was too busy to tell 2N from N"
    if missing:
        return Figure(work, mine, "ms", len(ours), name, missing=missing)
    return figures.against(work, mine, other, "ms", name, len(ours))


def _text(program: Path) -> str:
    return program.read_text(encoding="utf-8")


async def _grew_ms(person: Person, program: Path, times: int) -> float:
    """How much more processor time its cell takes for twice as many as for so many."""
    await person.still()
    marks: list[dict[int, float]] = []

    def mark() -> None:
        """All cells are read: only one has something to do."""
        marks.append({pid: processes.spent_us(pid) for pid in processes.cells(person.up.pid)})

    ran = await person.run(program, times, grant=True, after=MARKED, asked=mark)
    if not ran.done or len(marks) != 3:
        sys.exit(f"{program.stem} failed: {ran.why}")
    once, twice = (
        sum(later[pid] - earlier[pid] for pid in later.keys() & earlier.keys()) for earlier, later in pairwise(marks)
    )
    return (twice - once) / 1e3


def _mean(measured: list[Figure]) -> list[Figure]:
    """Over what both could do. The value beside it is the sum of the works, in ms."""
    both = [figure for figure in measured if figure.ratio]
    if not both:
        return []
    ours, theirs = sum(figure.ours for figure in both), sum(figure.theirs for figure in both)
    ratio = statistics.geometric_mean(figure.ratio or 1.0 for figure in both)
    native = f" ({platform.python_version()})" if both[0].peer == NATIVE else ""
    note = f"of {len(both)} works against {both[0].peer}{native}; the times are their sums"
    return [Figure(f"all, {MEAN}", ours, "ms", len(both), both[0].peer, theirs, ratio, note=note)]
