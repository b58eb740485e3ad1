"""What comes next is found without looking through what waits, and is what looking through it would find."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import islice
from types import FrameType
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos.events.queue import Queue, later_ms, ready
from agentos.events.upcoming import Owed
from agentos.home.happenings import Armed, Delivered, Happened, Replayed
from agentos.home.history import RunEnded
from agentos.manifest.trigger import Trigger
from agentos.v1 import control_pb2 as pb

PATH = "/p/armed.py"
DONE, FAILED, REFUSED = int(pb.RUN_STATUS_DONE), int(pb.RUN_STATUS_FAILED), int(pb.RUN_STATUS_REFUSED)
PLAIN, BATCH = Trigger("event.plain"), Trigger("event.batch", batch=3, batch_ms=4_000)
QUIET, TIMER = Trigger("event.quiet", debounce_ms=2_000), Trigger("timer.every", every_ms=1_000)
EACH = (PLAIN, BATCH, QUIET, TIMER)
# The same program with other rules, and one of which only the newest counts.
OTHERS = (
    (PLAIN, msgspec.structs.replace(BATCH, batch=2), msgspec.structs.replace(QUIET, debounce_ms=0), TIMER),
    tuple(msgspec.structs.replace(each, latest=True, batch=0, batch_ms=0) for each in EACH),
)


class Story:
    """A queue, a clock, and records one after the other."""

    def __init__(self, *rules: Trigger) -> None:
        self.queue, self.now, self.seq = Queue(), 1_000_000, 0
        self.arm(*rules)

    def fold(self, record: object) -> None:
        self.seq += 1
        self.queue.fold(record, self.seq)

    def arm(self, *rules: Trigger) -> None:
        named = tuple((f"t{number}", rule.text) for number, rule in enumerate(rules))
        self.fold(Armed(PATH, "p", "d", "/", "/", "", named, self.now))

    def happens(self, trigger: str) -> None:
        timer = self.queue.triggers[trigger].rule.is_timer
        self.fold(Happened(f"x{self.seq}", "event.a", self.now, "null", (trigger,), self.now if timer else 0))

    def begin(self, of: list[Owed]) -> str:
        run = f"r{self.seq}"
        for each in of:
            self.fold(Delivered(run, each.event, each.trigger))
        return run

    def end(self, run: str, status: int) -> None:
        self.fold(RunEnded(run, status, "", "", False, 0, 0, 0, 0, self.now * 1000))
        self.queue.programs[PATH].paused = ""

    @property
    def waiting(self) -> list[Owed]:
        return list(self.queue.owed.get(PATH, {}).values())


# ---- what looking through it finds


def looked_through(story: Story) -> list[Owed]:
    first = first_of(story)
    most = story.queue.triggers[first.trigger].rule.batch if first else 0
    if first is None or not most:
        return [first] if first else []
    return list(islice((each for each in story.waiting if together(first, each)), most))


def first_of(story: Story) -> Owed | None:
    batches: dict[str, list[Owed]] = {}
    for each in story.waiting:
        if each.after_ms <= story.now:
            return each
        most = story.queue.triggers[each.trigger].rule.batch
        if most and not each.tries:
            batch = batches.setdefault(each.trigger, [])
            batch.append(each)
            if len(batch) >= most:
                return batch[0]
    return None


def together(one: Owed, other: Owed) -> bool:
    return (one.trigger, one.tries, one.run if one.tries else "") == (
        other.trigger, other.tries, other.run if other.tries else ""
    )  # fmt: skip


def stays(story: Story, trigger: str) -> list[str]:
    """What waits on when an event comes for this trigger."""
    rule = story.queue.triggers[trigger].rule
    one = rule.debounce_ms or rule.is_timer
    gone = [
        each.key for each in story.waiting
        if (one or rule.latest) and not each.tries and (rule.latest or each.trigger == trigger)
    ]  # fmt: skip
    return [each.key for each in story.waiting if each.key not in gone]


STEPS = st.lists(
    st.one_of(
        st.sampled_from(["t0", "t1", "t1", "t2", "t3", "begin", "begin one", "arm", "reread", "replay"]),
        st.sampled_from([DONE, FAILED, FAILED, REFUSED]),
        st.sampled_from([-3_000, 500, 1_000, 2_000, 4_000, 60_000]).map(float),
    ),
    max_size=60,
)


@given(STEPS, st.sampled_from([EACH, *OTHERS]), st.sampled_from(OTHERS))
def test_what_comes_next_is_what_looking_through_it_finds(
    steps: list[str | int | float], rules: tuple[Trigger, ...], others: tuple[Trigger, ...]
) -> None:
    story, runs = Story(*rules), list[str]()
    for step in steps:
        if isinstance(step, float):
            story.now += int(step)
        elif isinstance(step, int):
            for run in runs[:1]:
                story.end(run, step)
            del runs[:1]
        elif step.startswith("t"):
            stay = stays(story, step)
            story.happens(step)
            assert [each.key for each in story.waiting][:-1] == stay
        else:
            runs += goes_on(story, step, others)
        assert ready(story.queue, PATH, 0, story.now) == looked_through(story)
        if not looked_through(story):
            assert later_ms(story.queue, PATH) == min((each.after_ms for each in story.waiting), default=0)


def goes_on(story: Story, step: str, others: tuple[Trigger, ...]) -> list[str]:
    """The runs that begin with this step."""
    if step == "arm":
        story.arm(*others)
    elif step == "reread":
        story.queue = msgspec.msgpack.decode(msgspec.msgpack.encode(story.queue), type=Queue)
    elif step == "replay":
        for each in list(story.queue.dead.values())[:1]:
            story.fold(Replayed(each.event, each.trigger, story.now))
    elif found := ready(story.queue, PATH, 0, story.now):
        # What one run can be given may be less than a batch.
        return [story.begin(found[:1] if step == "begin one" else found)]
    return []


# ---- what it takes


def lines_run(of: Callable[[], object]) -> int:
    """How many lines of Python it takes, however fast the machine is."""
    count = 0

    def line(frame: FrameType, event: str, given: Any) -> Any:
        nonlocal count
        count += event == "line"
        return line

    before = sys.gettrace()
    sys.settrace(line)
    try:
        of()
    finally:
        sys.settrace(before)
    return count


def in_a_storm(waiting: int) -> Story:
    """One program for which so many wait that failed, or came of a trigger without a rule."""
    story = Story(PLAIN, BATCH, QUIET, TIMER)
    for number in range(waiting):
        story.happens("t0")
        if number % 2:
            story.end(story.begin(ready(story.queue, PATH, 0, story.now)), FAILED)
    story.happens("t1")
    ready(story.queue, PATH, 0, story.now)
    return story


@pytest.mark.parametrize("trigger", ["t0", "t1", "t2", "t3"])
def test_an_event_takes_no_longer_where_many_wait(trigger: str) -> None:
    def one(story: Story) -> Callable[[], object]:
        def comes() -> None:
            story.happens(trigger)
            ready(story.queue, PATH, 0, story.now)
            later_ms(story.queue, PATH)

        return comes

    few, many = lines_run(one(in_a_storm(20))), lines_run(one(in_a_storm(2_000)))
    assert many < few + 50


def test_what_a_storm_left_behind_is_not_kept() -> None:
    story = Story(PLAIN, msgspec.structs.replace(QUIET, debounce_ms=3_600_000))
    story.happens("t0")
    for _ in range(5_000):
        story.happens("t1")
    upcoming = story.queue.upcoming(PATH)
    assert upcoming is not None
    assert len(story.waiting) == 2
    assert upcoming.entries < 100
