"""Grants, journal and events against a plain model of them, with a clock of the test's own and a power that fails.

The core is the real one: a ledger on the encrypted database, decide and admit, the dispatch of events. Around it a
machine of hypothesis mints, calls, revokes, sends, ends, lets time pass, and cuts the power. The model (`plain.py`) is
told what the ledger records, and raises where a record may not be. After a cut, what is there is a beginning of what
was recorded, with all that was acknowledged; the model begins anew with that, and both must agree again.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Coroutine
from functools import cache
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agentos.events import arming
from agentos.events.dispatch import Dispatch
from agentos.home import history
from agentos.home.happenings import Delivered, Heard, Listens
from agentos.home.heads import Witness
from agentos.home.history import Record, RunBegan, RunEnded, RunParked
from agentos.home.journal import Journal
from agentos.home.places import File
from agentos.home.records import Grant, Revoked
from agentos.kernel import standing
from agentos.kernel.admit import Authorized, admit, settle
from agentos.kernel.call import Call
from agentos.kernel.decide import Ask, Case, Deny
from agentos.kernel.grants import Standing
from agentos.kernel.ledger import FOLD, Ledger
from agentos.manifest.lines import Limits, Manifest
from agentos.manifest.trigger import Trigger
from agentos.v1 import control_pb2 as pb
from agentos.v1.events_pb2 import ArmRequest
from bench import powercut
from bench.disk import MEMORY, VFS, Disk, Head
from tests.authority.letters import shipped
from tests.kernel.cases import call, grant
from tests.model.plain import DEAD, DONE, LET_GO, WAITING, Plain

START_MS = 1_800_000_000_000
PATHS = ("/p/one.py", "/p/two.py")
CHOICES = (pb.CHOICE_VERSION, pb.CHOICE_UNTIL, pb.CHOICE_RUN, pb.CHOICE_ONCE)
ENDS = (pb.RUN_STATUS_DONE, pb.RUN_STATUS_DONE, pb.RUN_STATUS_FAILED, pb.RUN_STATUS_REFUSED, pb.RUN_STATUS_CANCELLED)
FOREVER_MS, LASTS_MS = 40_000_000, 5_000
# How what a child was given may come to an end above it.
WAYS = ("revoked", "late", "used up", "spent", "over")
# `make fuzz` has a profile of its own.
LONG = settings().max_examples > 1000
which = st.integers(0, 1000)  # one of as many as there are


shipped_once = cache(shipped)


@cache
def writes(amount: int) -> Call:
    """A call that writes so many bytes."""
    return call(shipped_once(), "files.write", path="notes/a", text="x" * amount)


def said(verdict: Authorized | Ask | Deny) -> str:
    match verdict:
        case Authorized():
            return "may"
        case Ask():
            return "ask"
        case Deny():
            return "quota" if verdict.fault.detail == "quota" else "no"


class Told(Ledger):
    """The ledger, and all that was recorded in it: (number of the last record, unit)."""

    units: list[tuple[int, tuple[Record, ...]]]
    model: Plain

    def record(self, *made: Record) -> int:
        seq = super().record(*made)
        self.units.append((seq, made))
        for each in made:
            self.model.tell(each)
        return seq


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.made = tempfile.TemporaryDirectory(dir=MEMORY)
        self.folder = powercut.born(Path(self.made.name) / "0")
        self.now, self.sure, self.lives, self.calls = START_MS, 0, 0, 0
        self.units: list[tuple[int, tuple[Record, ...]]] = []
        self.model = Plain()
        # What was promised to who sent it: (event, trigger).
        self.promised: set[tuple[str, str]] = set()
        self.start()

    # ---- the kernel around it

    def start(self) -> None:
        self.disk = Disk(random.Random(0), lambda: (self.sure, {}))  # noqa: S311
        self.disk.adopt(self.folder)
        witness = Witness(powercut.SIGNER, Head(self.disk))
        self.journal = Journal.open(self.folder / "j", powercut.KEY, witness, (FOLD,), VFS)
        self.ledger = Told(self.journal)
        self.ledger.units, self.ledger.model = self.units, self.model
        self.dispatch = Dispatch(self.ledger, self, lambda: self.now)

    async def stop(self) -> None:
        self.dispatch.close()
        await self.journal.close()

    def deliver(self, began: RunBegan, *delivered: Delivered) -> None:
        self.ledger.record(began, *delivered)

    def waits(self, run_id: str) -> bool:
        return False

    def under_way(self) -> int:
        return len(self.ledger.queue.runs)

    def run(self, step: Coroutine[object, object, None]) -> None:
        self.loop.run_until_complete(step)

    async def durable(self) -> None:
        seq = self.journal.head[0]
        await self.ledger.durable(seq)
        self.sure = seq

    def open_runs(self) -> list[str]:
        return [run for run in self.model.runs if run not in self.model.over]

    # ---- what happens

    @initialize()
    def two_programs_are_armed(self) -> None:
        async def step() -> None:
            rules = Trigger("event.a", parallel=2, retries=1), Trigger("event.a", retries=0)
            for path, one in zip(PATHS, rules, strict=True):
                manifest = Manifest(path, (), Limits(), True, path, (one.text,))
                request = ArmRequest(source=pb.Source(path=path), start_folder="/p", home_folder="/h")
                armed = arming.armed(self.ledger.queue, manifest, request, "d1", self.ledger.next_id, self.now)
                self.ledger.record(armed)
                self.model.retries[armed.triggers[0][0]] = one.retries
            await self.durable()

        self.run(step())

    @rule(path=st.sampled_from(PATHS), digest=st.sampled_from(["d1", "d1", "d2"]))
    def a_run_begins(self, path: str, digest: str) -> None:
        self.begun(self.ledger.next_id("r"), path, digest)

    @rule(
        path=st.sampled_from(PATHS), choice=st.sampled_from(CHOICES), uses=st.integers(0, 3),
        most=st.sampled_from([0, 3, 6]), amount=st.integers(1, 3), run=which,
    )  # fmt: skip
    def the_person_allows(self, path: str, choice: int, uses: int, most: int, amount: int, run: int) -> None:
        runs = self.open_runs() or ["r0"]
        self.allowed(path, choice, runs[run % len(runs)], uses=uses, most=most, amount=amount)

    def allowed(
        self, path: str, choice: int, run: str, uses: int = 0, most: int = 0, amount: int = 1, parent: str = ""
    ) -> Grant:
        bounds = (("path", ("/home/me/**",)), *((("bytes", (str(most),)),) if most else ()))
        more: dict[str, object] = {"until_ms": self.now + LASTS_MS} if choice == pb.CHOICE_UNTIL else {}
        more |= {"call": writes(amount).digest} if choice == pb.CHOICE_ONCE else {}
        made = grant(
            self.ledger.next_id("g"), "files.write", bounds, choice, path=path, digest="d1", uses=uses, run=run,
            parent=parent, minted_ms=self.now, **more,
        )  # fmt: skip
        self.ledger.record(made)
        return made

    @rule(run=which, path=st.sampled_from(PATHS), of=which, most=st.sampled_from([0, 3]))
    def a_run_starts_a_child(self, run: int, path: str, of: int, most: int) -> None:
        """With a part of what it may itself, now."""
        if runs := self.open_runs():
            name = runs[run % len(runs)]
            usable = [each for each in self.model.grants if self.model.lives(each, name, self.now)]
            given = [each for each in usable if self.model.grants[each].terms.choice != pb.CHOICE_ONCE]
            self.started(name, path, given[of % len(given)] if given else "", most)

    def started(self, run: str, path: str, given: str, most: int = 0) -> str:
        self.calls += 1
        child, above = f"{run}.{self.calls}", self.model.runs[run]
        self.begun(child, path, above=(above.path, *above.above))
        if given:
            self.allowed(path, pb.CHOICE_RUN, child, most=most, parent=given)
        return child

    def begun(self, run: str, path: str, digest: str = "d1", above: tuple[str, ...] = ()) -> str:
        self.ledger.record(RunBegan(run, path, path, digest, "/p", "/h", (), "", self.now * 1000, above=above))
        return run

    @rule(run=which, amount=st.integers(1, 3), wait=st.booleans())
    def a_run_calls(self, run: int, amount: int, wait: bool) -> None:
        if runs := self.open_runs():
            self.called(runs[run % len(runs)], amount)
            if wait:
                self.run(self.durable())

    def called(self, run: str, amount: int = 1) -> str:
        """What was said to it, which is what the model expects."""
        began = self.model.runs[run]
        self.calls += 1
        made = msgspec.structs.replace(writes(amount), run=run, seq=self.calls)
        who = Standing(run, began.program, began.path, began.digest, above=began.above)
        held, free = self.ledger.table.live(who, self.now), Manifest("", (), Limits(), False, "")
        expected = self.model.verdict(run, made.digest, amount, self.now)
        found = admit(Case(made, who, free, held, (), shipped_once(), ()), self.ledger, self.now)
        assert said(found) == expected
        return expected

    # ---- aimed at the moments when a grant ends, which chance seldom meets

    @rule(path=st.sampled_from(PATHS), ms=st.sampled_from([-1, 0, 1]))
    def a_run_calls_about_when_its_time_is_up(self, path: str, ms: int) -> None:
        run = self.begun(self.ledger.next_id("r"), path)
        self.allowed(path, pb.CHOICE_UNTIL, run)
        self.run(self._passed(LASTS_MS + ms))
        self.called(run)

    @rule(path=st.sampled_from(PATHS), uses=st.integers(0, 2))
    def a_call_ends_when_its_run_is_over(self, path: str, uses: int) -> None:
        """As one that never happened; nothing is given back for that any more."""
        run = self.begun(self.ledger.next_id("r"), path)
        self.allowed(path, pb.CHOICE_VERSION, run, uses=uses)
        assert self.called(run) == "may"
        made = self.model.open_calls()[-1]
        self.run(self._ended(run, pb.RUN_STATUS_CANCELLED))
        settle(msgspec.structs.replace(writes(1), run=run, seq=made.seq), 1, "null", None, True, self.ledger)

    @rule(path=st.sampled_from(PATHS), depth=st.integers(1, 2), most=st.sampled_from([0, 2]), end=st.sampled_from(WAYS))
    def a_child_calls_when_what_it_hangs_on_has_ended(self, path: str, depth: int, most: int, end: str) -> None:
        """Just before, it could."""
        choice = {"late": pb.CHOICE_UNTIL, "over": pb.CHOICE_RUN}.get(end, pb.CHOICE_VERSION)
        run = self.begun(self.ledger.next_id("r"), path)
        first = self.allowed(path, choice, run, uses=2 if end == "used up" else 0, most=most)
        child, given = run, first.id
        for _ in range(depth):
            child = self.started(child, PATHS[0], given)
            given = list(self.model.grants)[-1]
        assert self.called(child) == "may"
        match end:
            case "revoked":
                self.ledger.record(Revoked((first.id,)))
            case "late":
                self.run(self._passed(LASTS_MS))
            case "used up" | "spent":
                assert self.called(run) == "may"
            case "over":
                self.run(self._ended(run, pb.RUN_STATUS_CANCELLED))
        assert self.called(child) == ("no" if end != "spent" else "quota" if most else "may")

    @rule(number=which, released=st.booleans())
    def a_call_ends(self, number: int, released: bool) -> None:
        if open_calls := self.model.open_calls():
            one = open_calls[number % len(open_calls)]
            made = msgspec.structs.replace(writes(1), run=one.run, seq=one.seq)
            settle(made, 1, "null", None, released, self.ledger)

    @rule(number=which, whole=st.booleans())
    def the_person_revokes(self, number: int, whole: bool) -> None:
        """All that hangs on it is taken, whether it is named or not."""
        if held := list(self.model.grants):
            name = held[number % len(held)]
            self.ledger.record(Revoked(standing.subtree(self.ledger.table, name) if whole else (name,)))

    @rule(run=which, status=st.sampled_from(ENDS))
    def a_run_ends(self, run: int, status: int) -> None:
        """And before it all that it started."""
        if runs := self.open_runs():
            name = runs[run % len(runs)]
            for child in [each for each in reversed(runs) if each.startswith(f"{name}.")]:
                self.run(self._ended(child, pb.RUN_STATUS_CANCELLED))
            self.run(self._ended(name, status))

    async def _ended(self, run: str, status: int) -> None:
        self.ledger.record(RunEnded(run, status, "", "", False, 0, 0, 0, 0, self.now * 1000))
        self.dispatch.wake(self.model.runs[run].path)

    @rule(name=st.integers(1, 12))
    def an_event_is_sent(self, name: int) -> None:
        """Some of them twice: what was taken in once is not taken in again."""

        async def step() -> None:
            event, to = f"mine-{name}", set(self.ledger.queue.wants("event.a", "null"))
            _, there, count = await self.dispatch.send("a", "null", event)
            assert there or not any(key[0] == event for key in self.promised)
            assert count == (0 if there else len(to))
            self.promised |= {(event, trigger) for trigger in to} if not there else set()
            self.sure = max(self.sure, *(at for at, unit in self.units if getattr(unit[0], "run", "") == event))

        self.run(step())

    @rule(run=which)
    def a_run_listens(self, run: int) -> None:
        if runs := self.open_runs():
            self.ledger.record(Listens(runs[run % len(runs)], ("event.a",)))

    @rule(run=which)
    def a_run_leaves_memory_until_an_event_comes(self, run: int) -> None:
        if listening := list(self.model.came):
            name = listening[run % len(listening)]
            self.ledger.record(RunParked(name, self.now + FOREVER_MS, "event.a"))
            assert self.ledger.open[name] > self.now

    @rule(run=which)
    def a_run_takes_the_oldest_event_that_came_for_it(self, run: int) -> None:
        if some := [name for name, events in self.model.came.items() if events]:
            name = some[run % len(some)]
            first = self.ledger.queue.hearing.came(name, "event.a")[0]
            assert first.event == self.model.came[name][0]
            assert getattr(self.ledger.at(first.seq), "run", "") == first.event
            self.ledger.record(Heard(name, first.event, 1, first.seq))

    @rule(number=which)
    def what_was_given_up_is_wanted_again(self, number: int) -> None:
        if dead := [key[0] for key, how in self.model.owed.items() if how == DEAD]:
            self.run(_void(self.dispatch.replay(dead[number % len(dead)])))

    @rule(path=st.sampled_from(PATHS))
    def the_person_lets_a_program_go_on(self, path: str) -> None:
        self.run(self.dispatch.switch(path, True))

    @rule(ms=st.sampled_from([1, 900, 4_000, 60_000]))
    def time_passes(self, ms: int) -> None:
        self.run(self._passed(ms))

    async def _passed(self, ms: int) -> None:
        self.now += ms
        for name in PATHS:
            self.dispatch.wake(name)

    @rule()
    def somebody_waits_for_the_disk(self) -> None:
        self.run(self.durable())

    @rule()
    def a_snapshot_is_kept(self) -> None:
        self.ledger.keep()

    # ---- ends, and what must be then

    @rule()
    def the_kernel_is_started_again(self) -> None:
        async def step() -> None:
            await self.stop()
            self.sure = self.journal.head[0]
            cut = self.disk.cut()
            self._next(cut.survivor, random.Random(1))  # noqa: S311
            await self._goes_on()

        self.run(step())

    @rule(seed=st.integers(0, 1 << 32))
    def the_power_goes(self, seed: int) -> None:
        async def step() -> None:
            cut = self.disk.cut()
            await self.stop()
            self._next(cut.survivor, random.Random(seed))  # noqa: S311
            await self._goes_on()

        self.run(step())

    def _next(self, survivor: object, chance: random.Random) -> None:
        self.lives += 1
        self.folder = Path(self.made.name) / str(self.lives)
        self.folder.mkdir()
        survivor(self.folder, chance)  # type: ignore[operator]

    async def _goes_on(self) -> None:
        """What is there is a beginning of what was recorded, and no less than was acknowledged."""
        whole = Journal.open(self.folder / "j", powercut.KEY, Witness(powercut.SIGNER, File(self.folder / "head")))
        newest = whole.head[0]
        assert newest >= self.sure, "acknowledged, and lost"
        del self.units[sum(at <= newest for at, _ in self.units) :]
        assert [history.decode(each.body) for each in whole.entries()] == [
            one for _, unit in self.units for one in unit
        ]
        folded = Ledger(whole)._all  # folded from the first record on
        await whole.close()
        self.model.__init__(self.model.retries)  # type: ignore[misc]
        for _, unit in self.units:
            for each in unit:
                self.model.tell(each)
        self.start()
        assert self.ledger._all == folded  # from the snapshot on
        self.sure = newest
        self.dispatch.resume()

    @invariant()
    def both_agree(self) -> None:
        table, queue = self.ledger.table, self.ledger.queue
        assert {name: held.uses for name, held in table.held.items()} == {
            name: self.model.uses(name) for name in self.model.held()
        }
        assert set(self.ledger.open) == set(self.open_runs())
        waiting = {(one.event, one.trigger) for each in queue.owed.values() for one in each.values()}
        assert waiting == self._standing(WAITING)
        assert {(one.event, one.trigger) for one in queue.dead.values()} == self._standing(DEAD)
        assert {(one.event, one.trigger): run for run, one in queue.runs.items()} == {
            key: how for key, how in self.model.owed.items() if how not in (WAITING, DEAD, DONE, LET_GO)
        }
        assert self.promised <= set(self.model.owed), "a promised event is not there"
        hearing = queue.hearing
        assert {run: [each.event for each in one.came] for run, one in hearing.runs.items()} == self.model.came
        assert {run: self.ledger.open[run] == 0 for run in self.model.away} == self.model.away

    def _standing(self, as_what: str) -> set[tuple[str, str]]:
        return {key for key, how in self.model.owed.items() if how == as_what}

    def teardown(self) -> None:
        """Everything comes to its end: what was promised was done, given up, or let go by the person."""

        async def step() -> None:
            for _ in range(100):
                for path in PATHS:
                    await self.dispatch.switch(path, True)
                for run in self.open_runs():
                    await self._ended(run, pb.RUN_STATUS_DONE)
                await self._passed(FOREVER_MS)
                if not self.open_runs() and not self._standing(WAITING):
                    break
            assert all(self.model.owed[key] in (DONE, DEAD, LET_GO) for key in self.promised), "stuck"

        try:
            if self.units:
                self.run(step())
        finally:
            self.run(self.stop())
            self.loop.close()
            self.made.cleanup()


async def _void(step: Coroutine[object, object, object]) -> None:
    await step


Machine.TestCase.settings = settings(
    max_examples=2_000 if LONG else 20,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestTheCoreAgreesWithAPlainModelOfIt = Machine.TestCase
