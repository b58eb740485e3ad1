"""Many runs at once and many in a row: none fails, none gets another's answer, and nothing is left behind.

The short form of `python -m bench many`: what is counted is the same, what is timed there is not looked at here.
"""

from __future__ import annotations

import pytest

from bench import calls, many
from bench.person import Up, person

pytestmark = pytest.mark.slow


async def test_sixty_runs_at_once_all_get_their_own_answer_and_leave_nothing_behind(up: Up) -> None:
    async with person(up) as who:
        await many.prepare(who)
        await many.at_once(who, 60, 1)  # streams, threads and allocators that the first crowd makes are kept
        crowd = await many.at_once(who, 60, 1)
    assert crowd.failures == []
    assert len(crowd.runs) == 60
    assert crowd.left == {}


async def test_a_hundred_and_fifty_runs_in_a_row_leave_nothing_behind(up: Up) -> None:
    async with person(up) as who:
        await many.prepare(who)
        line = await many.in_a_row(who, 150)
    assert line.failures == []
    assert len(line.runs) == 150
    assert line.left == {}


async def test_each_call_of_an_echo_is_timed_by_its_arrival(up: Up) -> None:
    async with person(up) as who:
        await calls.prepare(who, 64)
        await calls.prepare(who, 64)  # two parts of the bench do
        each = await calls.each_us(who, 30, 64)
    assert len(each) == 30
    assert min(each) > 0
