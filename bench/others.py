"""others: other ways to keep a program apart, doing the same as ours, or the reason why they do not."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from bench import calls, figures, processes
from bench.figures import Figure, Part, percentile
from bench.peers.others import CALLED, SANDBOXES, WEIGHED, Missing, Other, Others, others
from bench.person import Person

PROGRAMS = Path(__file__).parent / "programs"
LINE, LEDGER = PROGRAMS / "line.py", PROGRAMS / "ledger.py"
WHAT = {LINE: "one line", LEDGER: "120 lines"}
SIZE = 1024
TURN_S = 1.0
FIRST = "ours when it begins, by the kernel's record; theirs when a word from it has been heard outside"
ABOUT = "ours from asking to the answer heard, through the kernel; theirs as they time it, nothing asked or recorded"
HELD = "ours: a ready cell; theirs: all its processes with one sandbox in them"
ABOUT_CALLS = f"{SIZE} bytes there and back; ours as in `call`, decided on and recorded; theirs a function of the host"
Turn = Callable[[int], Awaitable[list[float]]]


async def measure(person: Person, quick: bool) -> Part:
    load = figures.load()
    rounds, most = (2, 5) if quick else (7, 40)
    with others() as found:
        figures_found = [
            *await _runs(person, found, LINE, rounds, most),
            *await _runs(person, found, LEDGER, rounds, most),
            *await _first(person, found, rounds, most),
            *await _calls(person, found, rounds, 5 * most),
            *_memory(person, found),
        ]
    return Part("others", ABOUT, load, tuple(figures_found))


class Rounds:
    """Both sides of each round, by peer, or why there are none."""

    def __init__(self, found: Others) -> None:
        self.ours: dict[str, list[list[float]]] = {name: [] for name in found.up}
        self.theirs: dict[str, list[list[float]]] = {name: [] for name in found.up}
        self.missing = dict(found.missing)

    async def take(self, found: Others, rounds: int, mine: Turn, theirs: Callable[[Other], list[float]]) -> None:
        for _ in range(rounds):
            for name, other in found.up.items():
                if name in self.missing:
                    continue
                try:
                    heard = theirs(other)
                except Missing as why:
                    self.missing[name] = str(why)
                    continue
                self.theirs[name].append(heard)
                self.ours[name].append(await mine(len(heard)))

    def figure(self, what: str, name: str, unit: str, of: Callable[[list[float]], float], note: str = "") -> Figure:
        ours, theirs = list(map(of, self.ours.get(name, []))), list(map(of, self.theirs.get(name, [])))
        everything = [of(each) for rounds in self.ours.values() for each in rounds]
        if name in self.missing or not theirs:
            mine = statistics.median(everything) if everything else 0.0
            return Figure(what, mine, unit, len(everything), name, note=note, missing=self.missing[name])
        return figures.by_rounds(what, ours, theirs, unit, name, note)


def _many(one: Callable[[], float], most: int) -> list[float]:
    """Up to so many, within about a second: some of them take milliseconds, some seconds."""
    until, found = time.monotonic() + TURN_S, [one()]
    while len(found) < most and time.monotonic() < until:
        found.append(one())
    return found


async def _runs(person: Person, found: Others, program: Path, rounds: int, most: int) -> list[Figure]:
    source, what = _text(program), WHAT[program]
    for grant in (True, False):
        await _run_ms(person, program, grant)

    async def mine(count: int) -> list[float]:
        await person.still()
        return [await _run_ms(person, program) for _ in range(max(count, 5))]

    def theirs(other: Other) -> list[float]:
        return _many(lambda: other.run_ms(source), most)

    heard = Rounds(found)
    _once(heard, found, lambda other: other.run_ms(source))
    await heard.take(found, rounds, mine, theirs)
    made = []
    for name in SANDBOXES:
        made.append(heard.figure(f"{what}, one after the other: each", name, "ms", lambda each: percentile(each, 50)))
        made.append(heard.figure(f"{what}: runs per second", name, "/s", lambda each: 1e3 / statistics.mean(each)))
    return made


async def _first(person: Person, found: Others, rounds: int, most: int) -> list[Figure]:
    """Until the one line has begun: ours by the kernel's record, theirs when whoever asked has heard of it."""
    source = _text(LINE)

    async def mine(count: int) -> list[float]:
        await person.still()
        return [await _first_ms(person, LINE) for _ in range(max(count, 5))]

    heard = Rounds(found)
    await heard.take(found, rounds, mine, lambda other: _many(lambda: other.first_ms(source), most))
    what = f"{WHAT[LINE]}: asked → first line"
    return [heard.figure(what, name, "ms", lambda each: percentile(each, 50), FIRST) for name in SANDBOXES]


async def _first_ms(person: Person, program: Path) -> float:
    ran = await person.run(program)
    if not ran.done:
        sys.exit(f"a run failed: {ran.why}")
    return (ran.run.timings_us.first_line - ran.asked_us) / 1e3


def _text(program: Path) -> str:
    return program.read_text(encoding="utf-8")


async def _run_ms(person: Person, program: Path, grant: bool = False) -> float:
    ran = await person.run(program, grant=grant)
    if not ran.done:
        sys.exit(f"a run failed: {ran.why}")
    return (ran.heard_us - ran.asked_us) / 1e3


def _once(heard: Rounds, found: Others, what: Callable[[Other], object]) -> None:
    """What the first one warms up is not measured, on either side."""
    for name, other in found.up.items():
        try:
            what(other)
        except Missing as why:
            heard.missing[name] = str(why)


async def _calls(person: Person, found: Others, rounds: int, count: int) -> list[Figure]:
    await calls.prepare(person, SIZE)
    heard = Rounds(found)
    _once(heard, found, lambda other: other.calls_us(50, "x" * SIZE))

    async def mine(count: int) -> list[float]:
        return await calls.each_us(person, count, SIZE)

    await heard.take(found, rounds, mine, lambda other: other.calls_us(count, "x" * SIZE))
    return [
        heard.figure(f"a call, p{percent}", name, "µs", partial(_at, percent), ABOUT_CALLS)
        for name in CALLED
        for percent in (50, 99)
    ]


def _at(percent: float, values: list[float]) -> float:
    return percentile(values, percent)


def _memory(person: Person, found: Others) -> list[Figure]:
    cells = [weight.pss for pid in processes.cells(person.up.pid) if (weight := processes.weight(pid))]
    ours = statistics.median(cells) / 1024 if cells else 0.0
    made = []
    for name in WEIGHED:
        what, missing, theirs = "memory of one", found.missing.get(name, ""), 0.0
        try:
            theirs = found.up[name].weigh() / 1024 if not missing else 0.0
        except Missing as why:
            missing = str(why)
        if not cells:
            missing = "ours is closed to all but root"
        ratio = ours / theirs if theirs and not missing else None
        made.append(Figure(what, ours, "KiB", len(cells), name, theirs, ratio, note=HELD, missing=missing))
    return made
