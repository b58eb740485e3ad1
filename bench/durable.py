"""durable: what it costs that nothing is lost: events on disk, what they start, effects that are on record first."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench import calls, figures
from bench.figures import Figure, Goal, Part, by_rounds, percentile
from bench.peers.commit import Commits, commits
from bench.peers.others import Missing
from bench.peers.steps import NAME, Steps, steps
from bench.person import Person, kernel, person
from bench.sending import Sender, sender

PROGRAMS = Path(__file__).parent / "programs"
EFFECTS, HEARD = PROGRAMS / "effects.py", PROGRAMS / "heard.py"
# With the bytes of the two records that it leaves: the call, and its answer.
KINDS = {"echo.note": (300, 1100), "files.append": (450, 200), "files.write": (450, 200)}
ASKERS, TOGETHER, QUEUED = 16, 32, 100
LOOSE = "bench.peers.loose"
BESIDE = "the same, waiting for no disk, and one commit of as much"
ABOUT = "everything is answered when it is on disk; DBOS as it comes, a function in a process that stays"
ACCEPTED = Goal(2_000, of_ratio=False, at_least=True)
SOON, EFFECT = Goal(25, of_ratio=False), Goal(1.3)
WAIT = "200 characters each, to a program that is armed and off: they wait, and no run takes its time from this"
ONE = "one commit a call, before the effect: it bears the answer of the call before, too"
PACED = "made as often as ours are: with as much time between two as the call takes that waits for no disk"
STEP = "ours: out of a cell, through a capability in a process of its own"


async def measure(who: Person, quick: bool) -> Part:
    load = figures.load()
    await calls.prepare(who, 1024)
    with ExitStack() as stack:
        theirs = Theirs(stack)
        async with sender(who, HEARD) as sending, commits() as bare:
            found = [
                *await _accepted(sending, theirs, 2 if quick else 5),
                *await _first_line(sending, theirs, 30 if quick else 300),
                *await _effects(who, bare, 3 if quick else 9, 100 if quick else 200),
                *await _steps(who, sending, theirs, 2 if quick else 5),
            ]
    return Part("durable", ABOUT, load, tuple(found))


class Theirs:
    """DBOS, as long as it answers; then why not."""

    def __init__(self, stack: ExitStack) -> None:
        self.why = ""
        self._up: Steps | None = None
        self.ask(lambda _: [], lambda: stack.enter_context(steps()))

    def ask(self, what: Callable[[Steps], list[float]], begin: Callable[[], Steps] | None = None) -> list[float]:
        """What it measured; nothing where it is not here."""
        try:
            self._up = begin() if begin else self._up
            return what(self._up) if self._up else []
        except Missing as why:
            self._up, self.why = None, str(why)
            return []

    def beside(self, name: str, ours: list[float], theirs: list[float], unit: str, note: str = "") -> Figure:
        if len(theirs) < len(ours):
            return Figure(name, statistics.median(ours), unit, len(ours), NAME, note=note, missing=self.why)
        return by_rounds(name, ours, theirs, unit, NAME, note)


# ---- events


async def _accepted(sending: Sender, theirs: Theirs, rounds: int) -> list[Figure]:
    """How many events a second are taken in, by who sends them how."""
    # (How many ask, how many events each sends, how.)
    ways: dict[str, tuple[int, int, Callable[[], Awaitable[None]]]] = {
        "one asker, one by one": (1, 200, lambda: sending.one_by_one(200)),
        f"{ASKERS} askers, each one by one": (ASKERS, 40, lambda: sending.one_by_one(40)),
        f"{ASKERS} askers, each a stream of single events": (ASKERS, 80, lambda: sending.stream(80, 1)),
        f"{ASKERS} askers, each a stream, {TOGETHER} in a message": (
            ASKERS, 6 * TOGETHER, lambda: sending.stream(6, TOGETHER)
        ),
        f"one asker, a stream, {TOGETHER} in a message": (1, 60 * TOGETHER, lambda: sending.stream(60, TOGETHER)),
    }  # fmt: skip
    ours: dict[str, list[float]] = {way: [] for way in ways}
    put: list[float] = []
    for number in range(rounds + 1):
        await sending.arm(on=False)
        for way, (askers, count, send) in ways.items():
            began = time.perf_counter()
            await asyncio.gather(*(send() for _ in range(askers)))
            ours[way].append(askers * count / (time.perf_counter() - began))
        await sending.disarm()
        put += theirs.ask(lambda up: [QUEUED / up.queued_ms(QUEUED)[0] * 1e3])
        if not number:  # the first of each warms up
            put.clear()
            ours = {way: [] for way in ways}
    made = [theirs.beside("events accepted: one asker, one by one", ours.pop("one asker, one by one"), put, "/s", WAIT)]
    for way, rates in ours.items():
        goal = ACCEPTED if "message" in way or "single" in way else None
        made.append(Figure(f"events accepted: {way}", statistics.median(rates), "/s", len(rates), goal=goal, note=WAIT))
    return made


async def _first_line(sending: Sender, theirs: Theirs, count: int) -> list[Figure]:
    """From sending an event to the first line of the program that it starts, while nothing else is done."""
    await sending.arm()
    for _ in range(5):
        await sending.first_line_ms()
    ours = [await sending.first_line_ms() for _ in range(count)]
    await sending.disarm()
    heard = theirs.ask(lambda up: up.heard_ms(5))
    name, note = (
        "event → first line, idle",
        "ours: asked by the sender's clock; theirs: put into its queue, which it polls",
    )
    median = figures.against(
        f"{name}, p50", percentile(ours, 50), percentile(heard, 50) if heard else 0.0, "ms", NAME, count, note=note
    )
    return [
        median if heard else replace(median, missing=theirs.why),
        Figure(f"{name}, p99", percentile(ours, 99), "ms", count, goal=SOON),
    ]


# ---- effects


async def _effects(who: Person, bare: Commits, rounds: int, count: int) -> list[Figure]:
    """Effects that wait for the disk, against a kernel that does not, and one commit of a bare journal."""
    ours: dict[str, list[float]] = {kind: [] for kind in KINDS}
    theirs: dict[str, list[float]] = {kind: [] for kind in KINDS}
    commit: list[float] = []
    with kernel(2, LOOSE) as up:
        async with person(up) as loose:
            for each in (who, loose):
                await each.add("echo", calls.CAPABILITY)
                (each.folder / "calls").mkdir(exist_ok=True)
                for kind in KINDS:
                    await _each_us(each, kind, 10)
            for _ in range(rounds):
                for kind, sizes in KINDS.items():
                    ours[kind].append(await _each_us(who, kind, count))
                    without = await _each_us(loose, kind, count)
                    commit.append(await bare.each_us(count, *sizes, every_us=without))
                    theirs[kind].append(without + commit[-1])
    single = Figure("one commit of a bare journal", statistics.median(commit), "µs", len(commit), note=PACED)
    return [
        *(
            replace(by_rounds(f"{kind}, 1 kB", ours[kind], theirs[kind], "µs", BESIDE, ONE), goal=EFFECT)
            for kind in KINDS
        ),
        single,
    ]


async def _each_us(who: Person, kind: str, count: int) -> float:
    """The mean of so many calls in one run, from its first line to its end."""
    await who.still()
    ran = await who.run(EFFECTS, {"what": kind, "count": count}, grant=True)
    if not ran.done or ran.result != count:
        sys.exit(f"{kind} failed: {ran.why}")
    return (ran.run.timings_us.ended - ran.run.timings_us.first_line) / count


# ---- steps and workflows


async def _steps(who: Person, sending: Sender, theirs: Theirs, rounds: int) -> list[Figure]:
    """A durable step, a workflow of one, and a hundred of those that wait in a queue."""
    step: tuple[list[float], list[float]] = [], []
    flow: tuple[list[float], list[float]] = [], []
    queue: tuple[list[float], list[float]] = [], []
    await sending.arm()
    for _ in range(rounds):
        step[0].append(await _each_us(who, "echo.note", 100) / 1e3)
        step[1].extend(theirs.ask(lambda up: [up.step_ms(100)]))
        flow[0].append(statistics.median([await _flow_ms(who) for _ in range(10)]))
        flow[1].extend(theirs.ask(lambda up: [statistics.median(up.workflows_ms(10))]))
        queue[0].append(await _queued_ms(who, sending))
        queue[1].extend(theirs.ask(lambda up: [up.queued_ms(QUEUED)[1]]))
    await sending.disarm()
    return [
        theirs.beside("a durable step of a run", *step, "ms", STEP),
        theirs.beside("a run with one durable step, one after the other", *flow, "ms", STEP),
        theirs.beside(f"{QUEUED} of them from the queue, until all are done", *queue, "ms", STEP),
    ]


async def _flow_ms(who: Person) -> float:
    ran = await who.run(EFFECTS, {"what": "echo.note", "count": 1})
    if not ran.done:
        sys.exit(f"a run failed: {ran.why}")
    return (ran.heard_us - ran.asked_us) / 1e3


async def _queued_ms(who: Person, sending: Sender) -> float:
    await who.still()
    began = time.perf_counter_ns()
    await sending.stream(1, QUEUED)
    await sending.over()
    return (time.perf_counter_ns() - began) / 1e6
