"""What the part `durable` times is what it says: events that are on disk, and runs that each of them begins."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from bench import calls
from bench.durable import EFFECTS, HEARD, KINDS, Theirs
from bench.peers.commit import commits
from bench.peers.steps import NAME
from bench.person import Up, person
from bench.sending import sender
from bench.table import shown


@pytest.mark.slow
async def test_each_event_of_a_stream_is_taken_in_and_begins_one_run(up: Up) -> None:
    async with person(up) as who, sender(who, HEARD) as sending:
        await calls.prepare(who, 64)
        await sending.arm()
        assert await sending.first_line_ms() > 0
        await sending.stream(2, 8)
        await sending.over()
        await sending.disarm()
        assert (await who.ended("last")).calls == 1


@pytest.mark.slow
async def test_what_is_sent_to_a_program_that_is_off_waits(up: Up) -> None:
    async with person(up) as who, sender(who, HEARD) as sending:
        await calls.prepare(who, 64)
        await sending.arm(on=False)
        await sending.one_by_one(3)
        await sending.stream(1, 4)
        assert (await sending.disarm()).dropped == 7


@pytest.mark.slow
async def test_each_kind_of_effect_is_made_as_often_as_is_asked(up: Up) -> None:
    async with person(up) as who:
        await calls.prepare(who, 64)
        (who.folder / "calls").mkdir()
        for kind in KINDS:
            ran = await who.run(EFFECTS, {"what": kind, "count": 3}, grant=True)
            assert ran.done, ran.why
            assert [call.action for call in await who.calls(ran.run.id)] == [kind] * 3


async def test_a_bare_commit_takes_some_time() -> None:
    async with commits() as bare:
        assert await bare.each_us(3) > 0


def test_a_peer_that_is_not_here_is_a_row_that_says_why() -> None:
    with ExitStack() as stack:
        theirs = Theirs(stack)
        theirs.why = "it is not here"
        figure = theirs.beside("a step", [1.0, 2.0, 3.0], [], "ms")
    assert shown(figure)[2] == f"not measured ({NAME})"
    assert figure.missing == "it is not here"
