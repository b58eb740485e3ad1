"""A run is a function of the guest, the program, its input and the recorded replies: cold and warm, cached and not."""

from __future__ import annotations

import os

import pytest

from tests.guest.conftest import Played, Stage, kit
from tests.guest.programs import program

# `AGENTOS_PROGRAMS=1000` for the long form.
COUNT = int(os.environ.get("AGENTOS_PROGRAMS", "25"))

pytestmark = pytest.mark.asyncio(loop_scope="session")


def told(played: Played) -> tuple[object, ...]:
    """All that a run says to the outside, with each request as it was sent."""
    assert played.ending.how == "returned", played.ending
    return played.requests, played.answer


@pytest.mark.timeout(60 + COUNT)
async def test_programs_make_the_same_calls_cold_and_warm_compiled_now_and_before(stage: Stage) -> None:
    sources = [program(seed) for seed in range(COUNT)]
    before = [(await stage.compiled(source))["code"] for source in sources]
    first = [told(await stage.run(code, source)) for code, source in zip(before, sources, strict=True)]
    for source, code, once in zip(sources, before, first, strict=True):
        assert (await stage.compiled(source))["code"] == code
        assert told(await stage.run(code, source)) == once, source


async def test_cells_that_waited_and_fresh_ones_are_the_same(stage: Stage) -> None:
    source = program(7)
    code = (await stage.compiled(source))["code"]
    runs = [told(await stage.run(code, source)) for _ in range(12)]
    assert all(run == runs[0] for run in runs)


async def test_a_comment_changes_nothing_that_a_program_does(stage: Stage) -> None:
    source = "x = {object() for _ in range(9)}\nopen('n', 'w').write(str([id(o) % 7 for o in x]))\n"
    first, again = await stage.play(source), await stage.play(source)
    assert first.requests == again.requests


async def test_the_seed_of_a_run_comes_with_its_replies(stage: Stage) -> None:
    source = "import random\nresult = [random.random(), random.getrandbits(64)]"
    first, other = await stage.play(source), await stage.play(source, kit(files={}))
    assert first.result == other.result
