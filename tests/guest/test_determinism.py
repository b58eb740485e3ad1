"""A run is a function of the guest, the program, its input and the recorded replies: cold and warm, cached and not."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agentos.guests.python.build import build
from agentos.kernel.cells.images import Image, Images
from agentos.kernel.cells.pool import CellLimits, Cells
from tests.compiled import guest_image
from tests.guest.conftest import LIMITS, Played, Stage
from tests.guest.programs import program

# `AGENTOS_PROGRAMS=1000` for the long form.
COUNT = int(os.environ.get("AGENTOS_PROGRAMS", "25"))
A_ZYGOTE = 10

pytestmark = pytest.mark.asyncio(loop_scope="session")


def told(played: Played) -> tuple[object, ...]:
    """All that a run says to the outside, with each request as it was sent."""
    assert played.ending.how == "returned", played.ending
    return played.requests, played.answer


@asynccontextmanager
async def cold(image: Image) -> AsyncIterator[Stage]:
    """A zygote that has just begun, and none of its cells made ahead."""
    cells = await Cells.start(Image(image.digest, os.dup(image.descriptor), own=True), ready=0)
    yield Stage(cells)
    await cells.close()


@pytest.mark.timeout(120 + 2 * COUNT)
async def test_programs_make_the_same_calls_cold_and_warm_cached_and_not(stage: Stage, tmp_path: Path) -> None:
    sources = [program(seed) for seed in range(COUNT)]
    stored = [(await stage.compiled(source))["code"] for source in sources]
    from_cache = await guest_image()
    compiled_now = await Images(tmp_path, bytes(32)).open(build().read_bytes(), own=True)
    for start in range(0, COUNT, A_ZYGOTE):
        async with cold(from_cache) as cached, cold(compiled_now) as fresh:
            for source, code in list(zip(sources, stored, strict=True))[start : start + A_ZYGOTE]:
                once = told(await stage.run(code, source))
                assert told(await stage.play(source)) == once, source
                assert told(await cached.run(code, source)) == once, source
                assert (await fresh.compiled(source))["code"] == code
                assert told(await fresh.run(code, source)) == once, source
    os.close(from_cache.descriptor)
    os.close(compiled_now.descriptor)


async def test_cells_that_waited_and_fresh_ones_are_the_same(stage: Stage) -> None:
    source = program(7)
    code = (await stage.compiled(source))["code"]
    runs = [told(await stage.run(code, source)) for _ in range(12)]
    assert all(run == runs[0] for run in runs)


async def test_memory_ends_at_the_same_byte(stage: Stage) -> None:
    limits = CellLimits(memory_bytes=96 << 20, cpu_seconds=LIMITS.cpu_seconds)
    source = (
        "held = []\ntry:\n    while True: held.append(bytearray(100_000))\n"
        "except MemoryError:\n    result = len(held)\n    held.clear()"
    )
    ends = {(await stage.play(source, limits=limits)).result for _ in range(5)}
    assert len(ends) == 1
    assert 100 < ends.pop() < 1000


async def test_the_stack_ends_at_the_same_call(stage: Stage) -> None:
    source = (
        "import json\nlow, high = 0, 1 << 18\nwhile high - low > 1:\n    deep = (low + high) // 2\n"
        "    try: json.loads('[' * deep + ']' * deep); low = deep\n    except RecursionError: high = deep\nresult = low"
    )
    async with cold(image := await guest_image()) as fresh:
        ends = {(await each.play(source)).result for each in (stage, fresh, stage, fresh)}
    os.close(image.descriptor)
    assert len(ends) == 1
    assert ends.pop() > 1000


async def test_the_programs_show_what_differs(stage: Stage) -> None:
    """One object more before a program begins, and what nearly each of them says is something else."""
    sources = [program(seed) for seed in range(20)]
    alike = 0
    for source in sources:
        once, after = await stage.play(source), await stage.play(f"more = [object(), set(), lambda: 0]\n{source}")
        alike += once.requests == after.requests and once.result == after.result
    assert alike < len(sources) / 2


async def test_addresses_are_the_same_each_time(stage: Stage) -> None:
    source = "x = {object() for _ in range(9)}\nopen('n', 'w').write(str(x))\nresult = list(map(id, x))"
    runs = [told(await stage.play(source)) for _ in range(3)]
    assert runs[0] == runs[1] == runs[2]
