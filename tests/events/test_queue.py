"""The queue and who gets what, on a real journal and a clock of the test's own. What stands in for the kernel is told
which run to begin, and says when one ends."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentos.events import arming, dispatch, queue
from agentos.events.dispatch import Dispatch
from agentos.events.queue import FAILURES, Queue
from agentos.home.happenings import Armed, Delivered, Disarmed, Happened
from agentos.home.history import RunBegan, RunEnded
from agentos.home.journal import Journal
from agentos.home.records import Fault
from agentos.home.refusal import Refusal
from agentos.kernel.ledger import Ledger
from agentos.manifest.lines import Limits, Manifest
from agentos.manifest.trigger import Trigger
from agentos.runs import outcome
from agentos.v1 import control_pb2 as pb
from agentos.v1.events_pb2 import ArmRequest

START = 1_800_000_000_000
PATH = "/p/armed.py"


class World:
    """A ledger, a clock, and runs that begin when they are told to."""

    def __init__(self, folder: Path) -> None:
        self.now = START
        self.file, self.key = folder / "home.db", os.urandom(32)
        self.asking: set[str] = set()
        self.begun: list[tuple[str, str]] = []
        self.open()

    def open(self) -> None:
        """A kernel starts."""
        self.journal = Journal.open(self.file, self.key)
        self.ledger = Ledger(self.journal)
        self.dispatch = Dispatch(self.ledger, self, lambda: self.now)

    async def again(self) -> None:
        """It ends, and the next one goes on."""
        self.dispatch.close()
        await self.journal.close()
        self.open()
        self.dispatch.resume()

    @property
    def queue(self) -> Queue:
        return self.ledger.queue

    def deliver(self, began: RunBegan, *delivered: Delivered) -> None:
        self.ledger.record(began, *delivered)
        told = json.loads(began.input)
        self.begun.append((began.run, " ".join(each["id"] for each in told) if isinstance(told, list) else told["id"]))

    def waits(self, run_id: str) -> bool:
        return run_id in self.asking

    def under_way(self) -> int:
        return len(self.queue.runs) - len(self.asking)

    def arm(self, *rules: Trigger, path: str = PATH, digest: str = "d1") -> list[str]:
        manifest = Manifest("armed", (), Limits(), True, "armed.py", tuple(each.text for each in rules))
        request = ArmRequest(source=pb.Source(path=path), start_folder="/p", home_folder="/h")
        made = arming.armed(self.queue, manifest, request, digest, self.ledger.next_id, self.now)
        self.ledger.record(made)
        for each, _ in made.triggers:
            self.dispatch.next(each)
        return [each for each, _ in made.triggers]

    async def send(self, name: str = "a", data: str = "null", event: str = "") -> str:
        return (await self.dispatch.send(name, data, event))[0]

    def end(
        self, run: str = "", status: pb.RunStatus.ValueType = pb.RUN_STATUS_DONE, fault: Fault | None = None
    ) -> None:
        run = run or self.begun[-1][0]
        self.ledger.record(RunEnded(run, int(status), "", "", False, 0, 0, 0, 0, self.now * 1000, fault))
        self.dispatch.wake(PATH)

    def fail(self, run: str = "", fault: Fault | None = None) -> None:
        self.end(run, pb.RUN_STATUS_FAILED, fault)

    def pass_ms(self, ms: int) -> None:
        """Time goes by, and what is due comes."""
        self.now += ms
        self.dispatch.waking._look()

    @property
    def events(self) -> list[str]:
        return [event for _, event in self.begun]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    made.dispatch.close()
    await made.journal.close()


def on(name: str = "a", **more: object) -> Trigger:
    return msgspec.structs.replace(Trigger(f"event.{name}"), **more)


async def test_an_event_goes_to_each_trigger_that_names_it_once(world: World) -> None:
    world.arm(on("a"), on("b"))
    world.arm(on("a"), path="/p/other.py")
    event = await world.send("a")
    assert world.events == [event, event]
    assert await world.dispatch.send("c", "", "") == ("e2", False, 0)


async def test_the_same_id_is_taken_in_once_whatever_restarts(world: World) -> None:
    world.arm(on())
    await world.send(event="mine-1")
    await world.again()
    assert await world.dispatch.send("a", "", "mine-1") == ("mine-1", True, 0)
    assert world.events == ["mine-1"]


async def test_serial_is_one_at_a_time_in_order(world: World) -> None:
    world.arm(on())
    sent = [await world.send() for _ in range(3)]
    assert world.events == sent[:1]
    world.end()
    world.end()
    assert world.events == sent


async def test_parallel_is_as_many_as_it_says(world: World) -> None:
    world.arm(on(parallel=2))
    sent = [await world.send() for _ in range(4)]
    assert world.events == sent[:2]
    world.end(world.begun[0][0])
    assert world.events == sent[:3]


async def test_latest_lets_only_the_newest_wait(world: World) -> None:
    world.arm(on(latest=True))
    sent = [await world.send() for _ in range(4)]
    world.end()
    assert world.events == [sent[0], sent[3]]
    world.end()
    assert world.queue.waiting == 0


async def test_a_kernel_that_stops_begins_nothing_for_the_runs_that_it_ends(world: World) -> None:
    world.arm(on())
    sent = [await world.send() for _ in range(2)]
    world.dispatch.close()
    world.end()
    assert world.events == sent[:1]
    await world.again()
    assert world.events == sent


async def test_a_run_that_waits_for_the_person_lets_the_next_event_pass(world: World) -> None:
    world.arm(on())
    sent = [await world.send() for _ in range(2)]
    world.asking.add(world.begun[0][0])
    world.dispatch.wake(PATH)
    assert world.events == sent


async def test_a_filter_wants_just_this_value(world: World) -> None:
    world.arm(on(filters=(("kind", '"card"'), ("count", "1"))))
    for data in (
        '{"kind": "card", "count": true}',
        '{"kind": "card"}',
        '["card"]',
        "null",
        '{"kind": "CARD", "count": 1}',
    ):
        await world.send(data=data)
    assert world.events == []
    await world.send(data='{"kind": "card", "count": 1, "more": 2}')
    assert len(world.events) == 1


async def test_debounce_waits_for_quiet_and_delivers_the_last(world: World) -> None:
    world.arm(on(debounce_ms=500))
    last = ""
    for _ in range(3):
        last = await world.send()
        world.pass_ms(400)
    assert world.events == []
    world.pass_ms(100)
    assert world.events == [last]


# ---- what fails


async def test_a_batch_is_full_or_its_first_has_waited(world: World) -> None:
    world.arm(on(batch=3, batch_ms=10_000))
    sent = [await world.send() for _ in range(4)]
    assert world.events == [" ".join(sent[:3])]
    world.end()
    world.pass_ms(9_999)
    assert len(world.begun) == 1
    world.pass_ms(1)
    assert world.events[1:] == [sent[3]]
    world.end()
    assert (world.queue.waiting, world.queue.beside, world.queue.runs) == (0, {}, {})


async def test_a_batch_that_fails_is_tried_again_as_it_was_and_given_up_as_a_whole(world: World) -> None:
    world.arm(on(batch=2, batch_ms=0, retries=1))
    first = await world.send()
    sent = [await world.send() for _ in range(3)]
    world.end()
    assert world.events == [first, " ".join(sent[:2])]
    world.fail()
    await world.again()
    world.pass_ms(60_000)
    world.end(world.begun[-1][0])
    assert sorted(world.events[2:]) == sorted([sent[2], " ".join(sent[:2])])
    world.fail(world.begun[-1][0])
    assert {each.event for each in world.queue.dead.values()} == set(sent[:2])
    assert await world.dispatch.replay(sent[0]) == 1


async def test_a_batch_is_no_larger_than_a_run_can_be_given(world: World) -> None:
    world.arm(on(batch=10, batch_ms=60_000))
    large = json.dumps("x" * (dispatch.MAX_BATCH // 4))
    sent = [await world.send(data=large) for _ in range(4)]
    world.pass_ms(60_000)
    world.end()
    assert world.events == [" ".join(sent[:3]), sent[3]]


async def test_a_run_that_fails_is_tried_again_later_each_time_and_then_given_up(world: World) -> None:
    world.arm(on(retries=2))
    event = await world.send()
    for wait in (1_000, 4_000):
        world.fail()
        count = len(world.begun)
        world.pass_ms(wait - 1)
        assert len(world.begun) == count
        world.pass_ms(1)
        assert len(world.begun) == count + 1
    world.fail()
    assert world.events == [event] * 3
    assert [each.event for each in world.queue.dead.values()] == [event]
    assert world.queue.waiting == 0


async def test_what_was_given_up_is_delivered_again_when_the_person_says_so(world: World) -> None:
    world.arm(on(retries=0))
    event = await world.send()
    world.fail()
    await world.again()
    assert await world.dispatch.replay(event) == 1
    assert world.events == [event, event]
    world.end()
    assert not world.queue.dead
    with pytest.raises(Refusal, match="no such event was given up"):
        await world.dispatch.replay(event)


async def test_a_refusal_is_not_tried_again_and_what_the_person_cancelled_is_no_failure(world: World) -> None:
    world.arm(on(retries=5))
    await world.send()
    world.end(status=pb.RUN_STATUS_REFUSED)
    assert len(world.queue.dead) == 1
    await world.send()
    world.end(status=pb.RUN_STATUS_CANCELLED)
    assert len(world.queue.dead) == 1
    assert world.queue.programs[PATH].failures == 1


async def test_a_program_that_fails_five_times_in_a_row_is_paused_until_the_person_lets_it_go_on(world: World) -> None:
    world.arm(on(retries=0))
    for _ in range(FAILURES):
        await world.send()
        world.fail()
    assert "failed 5 times in a row" in world.queue.programs[PATH].paused
    event = await world.send()
    await world.again()
    assert event not in world.events
    await world.dispatch.switch("armed", on=True)
    assert world.events[-1] == event
    assert world.queue.programs[PATH].failures == 0


async def test_runs_that_fail_for_want_of_room_pause_nothing_and_are_tried_again(world: World) -> None:
    world.arm(on(retries=1))
    full, sent = outcome.STOPPED["journal"][1], []
    for _ in range(FAILURES):
        sent.append(await world.send())
        world.fail(fault=full)
        world.pass_ms(1_000)
        world.end()
    assert world.events == [event for event in sent for _ in range(2)]
    for _ in range(2 * FAILURES):
        await world.send()
        world.fail(fault=full)
    assert not world.queue.programs[PATH].paused
    assert world.queue.programs[PATH].failures == 0


async def test_a_run_that_ends_well_ends_the_row(world: World) -> None:
    world.arm(on(retries=0))
    for _ in range(FAILURES - 1):
        await world.send()
        world.fail()
    await world.send()
    world.end()
    await world.send()
    world.fail()
    assert not world.queue.programs[PATH].paused


# ---- timers


async def test_a_timer_comes_by_its_clock_and_one_that_is_late_waits_for_none(world: World) -> None:
    [trigger] = world.arm(Trigger("timer.every", every_ms=10_000))
    world.pass_ms(9_999)
    assert world.events == []
    world.pass_ms(1)
    assert world.events == [f"{trigger}@{START + 10_000}"]
    world.pass_ms(30_000)  # it is still at work: of the times that pass meanwhile, the newest waits
    assert world.queue.waiting == 1
    world.end()
    assert world.events[1:] == [f"{trigger}@{START + 40_000}"]


@pytest.mark.parametrize(("catch_up", "made_up"), [("last", [5]), ("all", [1, 2, 3, 4, 5]), ("none", [])])
async def test_after_downtime_what_was_missed_is_made_up_for_by_its_rule(
    world: World, catch_up: str, made_up: list[int]
) -> None:
    [trigger] = world.arm(Trigger("timer.every", every_ms=100_000, catch_up=catch_up, parallel=9))
    world.now += 580_000
    await world.again()
    assert world.events == [f"{trigger}@{START + each * 100_000}" for each in made_up]
    await world.again()
    assert len(world.events) == len(made_up)
    world.pass_ms(20_000)
    assert world.events[-1] == f"{trigger}@{START + 600_000}"


async def test_a_trigger_that_is_off_misses_nothing_that_it_wants_later(world: World) -> None:
    [trigger] = world.arm(Trigger("timer.every", every_ms=10_000))
    await world.dispatch.switch(trigger, on=False)
    world.pass_ms(60_000)
    assert world.events == []
    await world.dispatch.switch(trigger, on=True)
    assert world.events == []
    world.pass_ms(10_000)
    assert world.events == [f"{trigger}@{START + 70_000}"]


async def test_a_clock_that_jumps_back_and_forth_brings_no_time_twice(world: World) -> None:
    world.arm(Trigger("timer.every", every_ms=10_000, parallel=9))
    for jump in (10_000, -9_000, 9_000, -50_000, 60_000, 0):
        world.pass_ms(jump)
    assert len(set(world.events)) == len(world.events) == 2


HOUR = 3_600_000


@pytest.mark.parametrize("catch_up", ["last", "all", "none"])
async def test_a_clock_that_was_wrong_by_hours_or_years_silences_no_timer(world: World, catch_up: str) -> None:
    world.now += 1_000 * 24 * HOUR
    world.arm(Trigger("timer.every", every_ms=60_000, catch_up=catch_up, parallel=9))
    world.pass_ms(60_000)
    assert len(world.events) == 1
    world.now = START
    await world.again()
    for _ in range(3):
        world.pass_ms(60_000)
    assert len(world.events) == 4
    assert len(set(world.events)) == 4


async def test_after_a_clock_was_set_back_what_waits_since_before_waits_once(world: World) -> None:
    [trigger] = world.arm(Trigger("timer.every", every_ms=HOUR, catch_up="all"))
    for _ in range(7):
        world.pass_ms(HOUR)
    assert len(world.queue.owed[PATH]) == world.queue.waiting == 6
    world.now -= 5 * HOUR
    world.pass_ms(0)
    for _ in range(5):
        world.pass_ms(HOUR)
    assert len(world.queue.owed[PATH]) == world.queue.waiting == 6
    assert sum(entry.kind == "event" for entry in world.journal.entries()) == 7
    assert world.queue.triggers[trigger].last_ms <= world.now


@pytest.mark.parametrize("catch_up", ["last", "all", "none"])
async def test_a_clock_that_is_set_back_while_the_kernel_is_up_silences_no_timer(world: World, catch_up: str) -> None:
    world.arm(Trigger("timer.every", every_ms=HOUR, parallel=9, catch_up=catch_up))
    world.pass_ms(HOUR)
    assert len(world.events) == 1
    world.now -= 1000 * HOUR
    world.pass_ms(60_000)
    for _ in range(3):
        world.pass_ms(HOUR)
    assert len(world.events) == 4


async def test_a_laptop_that_slept_or_a_clock_that_was_put_forward_brings_the_last_time_once(world: World) -> None:
    world.arm(
        Trigger("timer.every", every_ms=60_000, parallel=9), Trigger("timer.cron", at="0 * * * *", tz="UTC", parallel=9)
    )
    world.pass_ms(7 * HOUR)
    assert len(world.events) == 2
    world.pass_ms(0)
    assert len(world.events) == 2


async def test_no_timer_of_ours_is_set_further_than_a_minute_ahead(world: World) -> None:
    world.arm(Trigger("timer.every", every_ms=24 * HOUR))
    timer = world.dispatch.waking._timer
    assert timer is not None
    assert 0 < timer.when() - asyncio.get_running_loop().time() <= 60


async def test_there_is_a_limit_to_what_is_armed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arming, "MAX_TRIGGERS", 3)
    world.arm(on("a"), on("b"), on("c"))
    with pytest.raises(Refusal, match="too many triggers"):
        world.arm(on("d"), path="/p/other.py")


# ---- arming anew


async def test_a_new_version_keeps_what_waits_for_a_trigger_that_both_have(world: World) -> None:
    [kept, gone] = world.arm(on("a"), on("b"))
    sent = [await world.send("a"), await world.send("a"), await world.send("b")]
    [again, new] = world.arm(on("a"), on("c"), digest="d2")
    assert again == kept
    assert new not in (kept, gone)
    world.end()
    world.end()
    assert world.events == sent[:2]
    assert world.queue.waiting == 0


async def test_what_is_disarmed_starts_no_more_and_leaves_nothing(world: World) -> None:
    world.arm(on(), Trigger("timer.every", every_ms=1_000))
    await world.send()
    await world.send()
    world.ledger.record(Disarmed(PATH, world.now))
    world.end()
    world.pass_ms(10_000)
    assert len(world.begun) == 1
    left = msgspec.structs.asdict(world.queue) | {"seen": {}}
    assert left == msgspec.structs.asdict(Queue())


async def test_what_would_never_start_it_is_not_armed(world: World) -> None:
    with pytest.raises(Refusal, match="names no event"):
        world.arm()
    with pytest.raises(Refusal, match="this time has passed"):
        world.arm(Trigger("timer.at", at="2026-01-01T00:00:00+00:00"))


# ---- limits


async def test_an_event_that_is_too_large_or_no_event_is_refused(world: World) -> None:
    world.arm(on())
    for name, data, event in (
        ("a", json.dumps("x" * (1 << 20)), ""), ("A", "", ""), ("a", "{", ""), ("a", "", "e7"), ("a", "", "t1@5"),
        ("a", "", "x" * 201), ("a", "", "two\nlines"), ("a", "[" * 100_000, ""),
    ):  # fmt: skip
        with pytest.raises(Refusal):
            await world.send(name, data, event)
    assert world.events == []


async def test_a_storm_ends_at_a_limit_that_is_said_and_loses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "MAX_WAITING", 5)
    world.arm(on())
    for _ in range(6):
        await world.send()
    with pytest.raises(Refusal, match="too many events wait already"):
        await world.send()
    for _ in range(6):
        world.end()
    assert len(world.events) == 6


async def test_of_all_programs_no_more_run_at_once_than_the_machine_bears(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "AT_ONCE", 3)
    for number in range(5):
        world.arm(on(), path=f"/p/{number}.py")
    await world.send()
    assert len(world.begun) == 3
    for at in range(5):
        world.end(world.begun[at][0])
    assert len(world.begun) == 5


async def test_one_program_gets_no_more_runs_at_once_than_that_either(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "AT_ONCE", 3)
    world.arm(on(parallel=9))
    for _ in range(5):
        await world.send()
    assert len(world.begun) == 3
    world.end(world.begun[0][0])
    assert len(world.begun) == 4


async def test_an_id_that_is_sent_again_when_nobody_remembers_it_waits_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "REMEMBERED", 2)
    world.arm(on("a"))
    for event in ("first", "mine", "one", "two", "mine"):
        await world.send("a", event=event)
    assert len(world.queue.owed[PATH]) == world.queue.waiting == 3
    for _ in range(4):
        world.end()
    assert world.events == ["first", "one", "two", "mine"]
    assert world.queue.waiting == 0


# ---- the fold

STEPS = st.lists(
    st.sampled_from(
        ["send a", "send b", "send a", "done", "fail", "refused", "tick", "arm", "restart", "disarm", "keep"]
    ),
    max_size=40,
)


@settings(deadline=None)  # it opens a journal with each restart
@given(STEPS)
async def test_whatever_happens_each_event_is_with_one_run_or_waits_or_was_given_up(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    world = World(tmp_path_factory.mktemp("fold"))
    world.arm(on("a"), on("b", retries=0))
    for step in steps:
        if step.startswith("send"):
            await world.send(step[5:])
        elif step in ("done", "fail", "refused") and world.queue.runs:
            status = {"done": pb.RUN_STATUS_DONE, "fail": pb.RUN_STATUS_FAILED, "refused": pb.RUN_STATUS_REFUSED}[step]
            world.end(next(iter(world.queue.runs)), status)
        elif step == "tick":
            world.pass_ms(5_000)
        elif step == "arm":
            world.arm(on("a"), on("b", retries=0), digest="d2")
            world.dispatch.wake(PATH)
        elif step == "disarm":
            world.ledger.record(Disarmed(PATH, world.now))
        elif step == "keep":
            world.ledger.keep()
        elif step == "restart":
            before = msgspec.msgpack.encode(world.queue, order="deterministic")
            world.dispatch.close()
            await world.journal.close()
            world.open()
            assert msgspec.msgpack.encode(world.queue, order="deterministic") == before
            world.dispatch.resume()
        _consistent(world)
    world.dispatch.close()
    await world.journal.close()


def _consistent(world: World) -> None:
    held = world.queue
    waits = [key for each in held.owed.values() for key in each]
    with_runs = [each.key for each in held.runs.values()]
    assert len(waits) == held.waiting
    everywhere = [*waits, *held.dead, *[each.key for each in held.runs.values() if each.path in held.programs]]
    assert len(set(everywhere)) == len(everywhere)
    assert sorted(held.runs) == sorted(run for each in held.running.values() for run in each)
    assert len(with_runs) <= 2  # the one of a version that was disarmed, and one of this
    paused = any(each.paused for each in held.programs.values())
    ready = [each for each in held.owed.get(PATH, {}).values() if each.after_ms <= world.now]
    assert not ready or held.runs or paused, "an event waits that nothing keeps from its run"


def test_what_is_over_takes_no_memory_however_much_it_was() -> None:
    def folded(count: int) -> int:
        held, rule = Queue(), on(retries=0)
        held.fold(Armed(PATH, "p", "d", "/", "/", "", (("t1", rule.text),), 1), 1)
        for number in range(count):
            held.fold(Happened(f"e{number}", "event.a", 1, "null", ("t1",)), number)
            held.fold(Delivered(f"r{number}", f"e{number}", "t1"), number)
            held.fold(RunEnded(f"r{number}", int(pb.RUN_STATUS_FAILED), "", "", False, 0, 0, 0, 0, 1), number)
        return len(msgspec.msgpack.encode(held))

    assert folded(60_000) < folded(30_000) * 1.1


async def test_after_a_start_many_timers_are_set_while_others_are_served(world: World) -> None:
    rules = [Trigger("timer.cron", at=f"{each} 7 * * *", tz="Europe/Paris") for each in range(60)]
    for number in range(5):
        world.arm(*rules, path=f"/p/{number}.py")
    late, other = world.arm(Trigger("timer.every", every_ms=60_000)), world.arm(on("a"), path="/p/other.py")
    world.now += 90_000
    await world.again()
    assert len(world.dispatch._set) == dispatch.SET_AT_ONCE
    event = await world.send("a")
    async with asyncio.timeout(10):
        while world.dispatch._unset:  # noqa: ASYNC110  a few milliseconds, told by nobody
            await asyncio.sleep(0)
    assert world.dispatch._set.keys() == world.queue.triggers.keys() - set(other)
    assert set(world.events) == {event, f"{late[0]}@{START + 60_000}"}, "and what was missed is made up for"


async def test_a_kernel_that_stops_sets_no_more_timers(world: World) -> None:
    world.arm(*[Trigger("timer.every", every_ms=60_000 + each) for each in range(dispatch.SET_AT_ONCE + 9)])
    await world.again()
    world.dispatch.close()
    await asyncio.sleep(2 * dispatch.SET_PAUSE_S)
    assert len(world.dispatch._set) == dispatch.SET_AT_ONCE


async def test_a_program_that_was_held_up_has_its_turn_before_one_that_had_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "AT_ONCE", 1)
    world.arm(on("a"))
    world.arm(on("b"), path="/p/other.py")
    first = await world.send("a")
    other, second = await world.send("b"), await world.send("a")
    assert world.events == [first]
    world.end()
    assert world.events == [first, other]
    world.end()
    assert world.events == [first, other, second]


async def test_what_an_event_said_is_wanted_while_it_waits_is_with_a_run_or_was_given_up(world: World) -> None:
    world.arm(on("a", retries=0))
    world.arm(on("a", batch=2, batch_ms=60_000), path="/p/other.py")
    event = await world.send("a")
    mine, other = ([each for each in world.queue.triggers if world.queue.triggers[each].path == path]
                   for path in (PATH, "/p/other.py"))  # fmt: skip
    assert world.queue.holds(event, mine), "it is with a run"
    assert world.queue.holds(event, other), "it waits"
    world.fail()
    assert world.queue.holds(event, mine), "it was given up"
    await world.send("a")
    world.end(next(iter(world.queue.beside)))
    assert not world.queue.holds(event, other)
    assert world.queue.holds(event, [*other, *mine])
    assert not world.queue.holds("e99", mine)
    assert not world.queue.holds(event, ["t99"])


async def test_a_timer_whose_run_was_forgotten_comes_no_second_time_when_all_is_folded_anew(world: World) -> None:
    [trigger] = world.arm(Trigger("timer.every", every_ms=10_000))
    world.pass_ms(10_000)
    world.end()
    world.ledger.forget(world.begun[-1][0])
    await world.again()
    assert world.events == [f"{trigger}@{START + 10_000}"]


async def test_the_id_of_an_event_that_was_forgotten_is_given_to_no_other(world: World) -> None:
    world.arm(on())
    first = await world.send()
    world.end()
    world.ledger.forget(world.begun[-1][0])
    await world.again()
    assert await world.send() != first


async def test_what_many_triggers_say_alike_is_one_text_in_memory(world: World) -> None:
    world.arm(*[Trigger("timer.cron", at=f"{each} 7 * * *", tz="Europe/Paris") for each in range(60)])
    packed = msgspec.msgpack.encode(world.queue)
    found = msgspec.msgpack.decode(packed, type=Queue)
    assert found == world.queue
    assert len({id(each.rule.tz) for each in found.triggers.values()}) == 1
    assert {id(each.path) for each in found.triggers.values()} == {id(found.programs[PATH].armed.path)}
    assert len(packed) < 130 * 60
