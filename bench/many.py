"""many: two hundred runs at once, and five thousand in a row. Nothing may fail, nothing may be left behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench import figures
from bench.figures import Figure, Goal, Part, by_rounds, percentile
from bench.peers.python import Python
from bench.person import Person, Ran
from bench.processes import Standing, left_behind, standing
from bench.start import ended_ms, first_line_ms

PROGRAMS = Path(__file__).parent / "programs"
ONE, LINE = PROGRAMS / "one.py", PROGRAMS / "line.py"
ABOUT = "runs of a small program that reads a 1 kB file; where it is said, of one line that calls nothing"
PORTIONS = 5
COUNTED = "descriptors of kernel and zygote, processes, files in the run folder"
NOTHING = Goal(0, of_ratio=False)
RATE = Goal(150, of_ratio=False, at_least=True)
GROWING = {"the kernel's own memory": "kernel_uss", "the zygote's own": "zygote_uss", "the journal": "journal_bytes"}
Between = Callable[[], None]


def _nothing() -> None:
    """No peer takes a turn."""


@dataclass
class Many:
    """What so many runs did: how long each took, what failed, and what there was before and after."""

    program: Path
    # At still moments: before all of it, and after each portion.
    standings: list[Standing]
    runs: list[Ran] = field(default_factory=list)
    # Of each portion: all of it in ms, its count.
    portions: list[tuple[float, int]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def keep(self, number: int, ran: Ran) -> None:
        """The number of a run that calls is in its result, so an answer that went to the wrong run is a failure."""
        if ran.done and ran.result == ([number, 1024] if self.program == ONE else 1):
            self.runs.append(ran)
        else:
            self.failures.append(ran.why if not ran.done else f"run {number} heard {ran.run.result}")

    @property
    def left(self) -> dict[str, int]:
        return left_behind(self.standings[0], self.standings[-1])


async def prepare(person: Person) -> None:
    """Compile and grant the program, and run it until the server is up and allocators have settled."""
    folder = person.folder / "calls"
    folder.mkdir(exist_ok=True)
    (folder / "kept.txt").write_text("x" * 1024)
    for _ in range(20):
        await person.run(ONE, 0, grant=True)


async def at_once(person: Person, count: int, times: int, between: Between = _nothing) -> Many:
    """So many runs at the same time, so many times; `between` them comes the peer's turn."""
    await person.still()
    many = Many(ONE, [standing(person.up)])
    for _ in range(times):
        await person.still()
        began = time.perf_counter_ns()
        for number, ran in enumerate(await asyncio.gather(*(person.run(ONE, each) for each in range(count)))):
            many.keep(number, ran)
        many.portions.append(((time.perf_counter_ns() - began) / 1e6, count))
        await person.still()
        many.standings.append(standing(person.up))
        between()
    return many


async def in_a_row(
    person: Person, count: int, portions: int = 1, between: Between = _nothing, program: Path = ONE
) -> Many:
    """So many runs one after the other; `between` portions comes the peer's turn."""
    await person.still()
    many = Many(program, [standing(person.up)])
    for portion in range(portions):
        began = time.perf_counter_ns()
        for number in range(portion, count, portions):
            many.keep(number, await person.run(program, number))
        many.portions.append(((time.perf_counter_ns() - began) / 1e6, len(range(portion, count, portions))))
        await person.still()
        many.standings.append(standing(person.up))
        between()
    return many


async def measure(person: Person, python: Python, quick: bool, row: int = 0) -> Part:
    load = figures.load()
    await prepare(person)
    once, times = (60, 3) if quick else (200, 7)
    row = row or (300 if quick else 5000)
    singles: list[float] = []
    pythons: list[float] = []
    # In a row first: a crowd leaves the kernel with room to grow in, and its growth would not show.
    line = await in_a_row(
        person, row, PORTIONS, lambda: singles.append(percentile([python.once_ms() for _ in range(40)], 50))
    )
    await person.run(LINE, grant=True)
    bare = await in_a_row(person, row // 5, PORTIONS, program=LINE)
    # What the first crowd leaves warm (allocators, streams, threads) is not a leak; what a later one adds is.
    await at_once(person, once, 2)
    crowd = await at_once(person, once, times, lambda: pythons.append(python.at_once_ms(once)))
    told = (*_crowd(crowd, once, pythons), *_line(line, row, singles), *_bare(bare, row // 5))
    return Part("many", ABOUT, load, told)


def _crowd(crowd: Many, once: int, pythons: list[float]) -> list[Figure]:
    name = f"{once} at once"
    walls = [wall for wall, _ in crowd.portions]
    return [
        by_rounds(f"{name}, until all have ended", walls, pythons, "ms", f"{once} python3 -c 1 at once"),
        Figure(f"{name}: runs per second", _rate(crowd), "/s", len(walls), goal=RATE),
        *_spread(crowd, name),
        *_outcome(crowd, name),
    ]


def _line(line: Many, row: int, singles: list[float]) -> list[Figure]:
    name = f"{row} in a row"
    each = [wall / count for wall, count in line.portions]
    return [
        by_rounds(f"{name}: each", each, singles, "ms", "python3 -c 1", "asked → answer heard, next one asked"),
        Figure(f"{name}: runs per second", _rate(line), "/s", row, goal=RATE),
        *_spread(line, name),
        *_outcome(line, name),
        *_growth(line),
    ]


def _bare(bare: Many, row: int) -> list[Figure]:
    name = f"{row} of one line in a row"
    return [
        Figure(f"{name}: runs per second", _rate(bare), "/s", row, goal=RATE),
        *_spread(bare, name),
        *_outcome(bare, name),
    ]


def _rate(many: Many) -> float:
    return figures.percentile([count / wall * 1e3 for wall, count in many.portions], 50)


def _spread(many: Many, name: str) -> list[Figure]:
    spans = (("first line", first_line_ms), ("ended", ended_ms)) if many.runs else ()
    found = []
    for what, of in spans:
        times = [of(ran) for ran in many.runs]
        for percent in (50, 99):
            value = percentile(times, percent)
            found.append(Figure(f"{name}: accepted → {what}, p{percent}", value, "ms", len(times)))
    return found


def _outcome(many: Many, name: str) -> list[Figure]:
    tried = len(many.runs) + len(many.failures)
    what = ", ".join(f"{count} {of.replace('_', ' ')}" for of, count in many.left.items())
    seen = many.standings[-1].kernel_descriptors is not None
    counted = COUNTED if seen else "processes and files; descriptors are not readable here: needs root"
    return [
        Figure(f"{name}: failed", len(many.failures), "", tried, goal=NOTHING, note="; ".join(many.failures[:3])),
        Figure(f"{name}: left behind", sum(many.left.values()), "", tried, goal=NOTHING, note=what or counted),
    ]


def _growth(line: Many) -> list[Figure]:
    """Growth from the first portion's end to the last one's: what the first runs warm up is not counted."""
    first, last = line.standings[1], line.standings[-1]
    runs = sum(count for _, count in line.portions[1:])
    found = []
    for name, of in GROWING.items():
        then, now = getattr(first, of), getattr(last, of)
        if then is None or now is None:
            found.append(Figure(f"growth per 1,000 runs: {name}", 0.0, "KiB", 0, note="not readable here: needs root"))
        else:
            grown = (now - then) / 1024 / runs * 1000
            note = "until its memory of recent runs is full, it grows" if of == "kernel_uss" and runs < 2000 else ""
            found.append(Figure(f"growth per 1,000 runs: {name}", grown, "KiB", runs, note=note))
    return found
