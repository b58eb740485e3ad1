"""The arithmetic of the bench, and that its page tells what was missed."""

from __future__ import annotations

from bench.figures import Figure, Goal, Part, against, by_rounds, percentile
from bench.page import page
from bench.processes import Standing, left_behind


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([5.0], 99) == 5.0
    assert percentile([float(n) for n in range(1, 101)], 50) == 50.0
    assert percentile([float(n) for n in range(1, 101)], 99) == 99.0


def test_a_round_that_somebody_disturbed_does_not_move_the_ratio() -> None:
    figure = by_rounds("call", [2.0, 2.0, 20.0], [1.0, 1.0, 10.0], "µs", "echo")
    assert figure.ratio == 2.0
    assert figure.met is None


def test_a_goal_is_on_the_ratio_or_on_the_figure_itself() -> None:
    assert against("start", 1.0, 10.0, "ms", "python3 -c 1", 9, goal=0.15).met
    assert not against("start", 2.0, 10.0, "ms", "python3 -c 1", 9, goal=0.15).met
    assert Figure("failed", 0, "", 9, goal=Goal(0, of_ratio=False)).met
    assert not Figure("failed", 1, "", 9, goal=Goal(0, of_ratio=False)).met


def test_the_page_names_each_goal_that_was_missed() -> None:
    missed = against("accepted → first line", 2.0, 10.0, "ms", "python3 -c 1", 9, goal=0.15)
    text = page([Part("start", "a run", 0.5, (missed,))], {"processor": "some"}, quick=False)
    assert "Missed" in text
    assert "accepted → first line**: 0.2 ×, 2.00 ms against 10.0 ms" in text
    assert "All 1 goals were met" not in text


def test_what_is_left_behind_is_told_and_what_may_grow_or_was_not_seen_is_not() -> None:
    before = Standing(11, 40, None, 3, 1000, 1000, 1000)
    after = Standing(12, 42, 9, 3, 9000, 9000, 9000)
    assert left_behind(before, after) == {"processes": 1, "kernel_descriptors": 2}
    assert left_behind(after, before) == {}


def test_a_goal_may_be_a_least_and_what_was_not_measured_meets_none() -> None:
    rate = Goal(150, of_ratio=False, at_least=True)
    assert Figure("runs", 151, "/s", 9, goal=rate).met
    assert not Figure("runs", 149, "/s", 9, goal=rate).met
    unseen = Figure("cell", 0, "KiB", 0, goal=Goal(5, of_ratio=False), missing="it is closed")
    assert unseen.met is False
    text = page([Part("memory", "a weight", 0.5, (unseen,))], {"processor": "some"}, quick=False)
    assert "**memory, cell**: not measured; the goal is ≤ 5 KiB. not measured: it is closed" in text
