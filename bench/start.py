"""start: from the kernel's `accepted` to a program's first line, against `python3 -c 1` and against the bare bones."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from bench import figures
from bench.figures import Figure, Part, against, percentile
from bench.peers.bare import Took, bare
from bench.peers.python import Python
from bench.person import Person, Ran

PROGRAM = Path(__file__).parent / "programs" / "ledger.py"
OTHERS = 6
"""Programs that run in turn: so many that no cell holds the one whose turn it is."""
GOAL = 0.12
BARE = 2.0
ABOUT = "a 120-line program that ran before, walls on, records on, a cell ready; from the kernel's clock"


async def measure(person: Person, python: Python, quick: bool) -> Part:
    count = 60 if quick else 500
    load = figures.load()
    for grant in (True, False, False):  # compiled, granted, and once for the way
        _done(await person.run(PROGRAM, grant=grant))
    others = await _others(person)
    ours, theirs, bones, fresh = [], [], [], []
    with bare(person.up.home, PROGRAM) as prototype:
        for number in range(count):
            await person.still()
            ours.append(_done(await person.run(PROGRAM)))
            await person.still()
            theirs.append(python.once_ms())
            await person.still()
            bones.append(prototype.once())
            await person.still()
            fresh.append(_done(await person.run(others[number % OTHERS])))
    return Part("start", ABOUT, load, (*_figures(ours, theirs), *_beside(ours, bones), _in_turn(fresh, theirs)))


async def _others(person: Person) -> list[Path]:
    """The same program under other names, each granted and run once."""
    folder = Path(person.up.home).parent / "others"
    folder.mkdir()
    others = [folder / f"ledger_{number}.py" for number in range(OTHERS)]
    for other in others:
        other.write_bytes(PROGRAM.read_bytes())
        _done(await person.run(other, grant=True))
    return others


def _in_turn(fresh: list[Ran], theirs: list[float]) -> Figure:
    mine = percentile(list(map(first_line_ms, fresh)), 50)
    name = f"accepted → first line, {OTHERS} programs in turn, so that no cell holds it yet, p50"
    return against(name, mine, percentile(theirs, 50), "ms", "python3 -c 1", len(fresh))


def _done(ran: Ran) -> Ran:
    if not ran.done:
        sys.exit(f"a run failed: {ran.why}")
    return ran


def first_line_ms(ran: Ran) -> float:
    return (ran.run.timings_us.first_line - ran.run.timings_us.queued) / 1e3


def ended_ms(ran: Ran) -> float:
    return (ran.run.timings_us.ended - ran.run.timings_us.queued) / 1e3


def _beside(ours: list[Ran], bones: list[Took]) -> list[Figure]:
    """Against the prototype: a zygote with the image mapped, a fork for each run, and nothing else."""
    spans: list[tuple[str, list[float], list[float], float | None]] = [
        ("accepted → first line", list(map(first_line_ms, ours)), [took.first_line for took in bones], BARE),
        ("accepted → ended", list(map(ended_ms, ours)), [took.ended for took in bones], None),
    ]
    return [
        against(
            f"{name}, beside the bare bones, p50", percentile(mine, 50), percentile(others, 50), "ms",
            "the bare prototype", len(mine), goal,
        )
        for name, mine, others, goal in spans
    ]  # fmt: skip


def _figures(ours: list[Ran], theirs: list[float]) -> list[Figure]:
    spans: list[tuple[str, Callable[[Ran], float], float | None]] = [
        ("accepted → first line", first_line_ms, GOAL),
        ("of it, accepted → cell", lambda ran: (ran.run.timings_us.cell - ran.run.timings_us.queued) / 1e3, None),
        ("of it, cell → first line", lambda ran: (ran.run.timings_us.first_line - ran.run.timings_us.cell) / 1e3, None),
        ("accepted → ended", ended_ms, None),
        ("asked → first line, by the asker", lambda ran: (ran.run.timings_us.first_line - ran.asked_us) / 1e3, None),
        ("asked → answer heard, by the asker", lambda ran: (ran.heard_us - ran.asked_us) / 1e3, None),
    ]
    return [
        against(
            f"{name}, p{percent}", percentile([of(ran) for ran in ours], percent), percentile(theirs, percent), "ms",
            "python3 -c 1", len(ours), goal if percent == 50 else None,
        )
        for name, of, goal in spans
        for percent in ((50, 99) if goal or "asker" in name else (50,))
    ]  # fmt: skip
