"""When runs come back, by a clock of the test's own: what is far away is in nobody's heap until its hour."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from agentos.events import waking
from agentos.events.waking import AHEAD_MS, EARLY_MS, LOOK_EVERY_S, Alarms
from agentos.kernel.own import A_MOMENT_MS

START = 1_800_000_000_000
HOUR_MS = 3_600_000


class World:
    """A clock that is moved, timers that ring when it has come so far, and runs that are away."""

    def __init__(self) -> None:
        self.now = START
        self.open: dict[str, int] = {}
        self.woken: list[tuple[str, int]] = []
        self.timers: list[tuple[int, Callable[[], None], list[bool]]] = []
        self.alarms = Alarms(lambda: self.now, lambda run: self.woken.append((run, self.now - START)), self.open)

    def park(self, run: str, in_ms: int) -> None:
        self.open[run] = self.now + in_ms
        self.alarms.at(self.open[run], run)

    def set(self, within_s: float, ring: Callable[[], None]) -> Timer:
        assert within_s <= LOOK_EVERY_S
        timer = Timer()
        self.timers.append((self.now + round(within_s * 1000), ring, timer.cancelled))
        return timer

    def pass_(self, ms: int) -> None:
        """Time passes, and each timer rings at its time."""
        end = self.now + ms
        while due := [each for each in self.timers if each[0] <= end and not each[2]]:
            first = min(due, key=lambda each: each[0])
            self.timers.remove(first)
            self.now = max(self.now, first[0])
            first[1]()
        self.timers = [each for each in self.timers if not each[2]]
        self.now = end

    @property
    def set_now(self) -> int:
        """How many times are in the heap."""
        return len(self.alarms._waking._due)


class Timer:
    def __init__(self) -> None:
        self.cancelled: list[bool] = []

    def cancel(self) -> None:
        self.cancelled.append(True)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()

    class Loop:
        call_later = staticmethod(made.set)

    monkeypatch.setattr(
        waking, "asyncio", type("here", (), {"get_running_loop": Loop, "TimerHandle": asyncio.TimerHandle})
    )
    return made


def test_each_comes_back_in_time_to_go_on_then_however_far_away(world: World) -> None:
    for hours in (0, 1, 3, 30, 24 * 366):
        world.park(f"r{hours}", hours * HOUR_MS + 500)
    for _ in range(24 * 366 + 1):
        world.pass_(HOUR_MS)
    assert world.woken == [(f"r{hours}", hours * HOUR_MS + 500 - EARLY_MS) for hours in (0, 1, 3, 30, 24 * 366)]


def test_what_is_left_of_a_wait_then_is_no_reason_to_leave_again() -> None:
    assert 0 < EARLY_MS < A_MOMENT_MS


def test_one_whose_time_is_nearer_than_that_comes_back_at_once(world: World) -> None:
    world.park("r1", EARLY_MS - 1)
    world.pass_(0)
    assert world.woken == [("r1", 0)]


def test_who_waits_for_days_and_goes_on_at_once_leaves_nothing_behind(world: World) -> None:
    for number in range(1_000):
        world.park("r1", 24 * HOUR_MS)
        world.park(f"r{number}.1", 1 << 60)
        del world.open[f"r{number}.1"]
    assert world.set_now == 1
    world.pass_(5 * HOUR_MS)
    assert world.set_now <= 2
    world.pass_(20 * HOUR_MS)
    assert [run for run, _ in world.woken] == ["r1"]


def test_what_waited_when_the_kernel_started_comes_back_too(world: World) -> None:
    world.open |= {"past": START - 1, "soon": START + 1_000, "later": START + AHEAD_MS + 1_000}
    world.alarms.look_ahead()
    world.pass_(3 * HOUR_MS)
    assert world.woken == [
        ("soon", 1_000 - EARLY_MS),
        ("later", AHEAD_MS + 1_000 - EARLY_MS),
    ]  # what is past, its kernel brings at once


def test_a_clock_that_is_put_forward_wakes_within_a_minute_and_one_put_back_none_twice(world: World) -> None:
    world.park("r1", 5 * HOUR_MS)
    world.pass_(1_000)
    world.now += 6 * HOUR_MS
    world.pass_(60_000)
    assert [run for run, _ in world.woken] == ["r1"]
    world.now -= 12 * HOUR_MS
    world.park("r2", HOUR_MS)
    world.park("r3", 20 * HOUR_MS)
    world.pass_(40 * HOUR_MS)
    assert [run for run, _ in world.woken] == ["r1", "r2", "r3"]


def test_one_that_is_set_for_the_same_time_by_each_event_is_there_once(world: World) -> None:
    for _ in range(1_000):
        world.park("r1", HOUR_MS // 2)
    assert world.set_now <= 2  # and the look at the next hour
    world.pass_(HOUR_MS // 2)
    assert [run for run, _ in world.woken] == ["r1"]
    world.park("r1", 0)
    world.pass_(1)
    assert [run for run, _ in world.woken] == ["r1", "r1"]
