"""A page that takes too long ends, typed and in time, and as few others with it as can be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from agentos.kernel.cells.servers import CallFailed
from agentos.v1 import capability_pb2, error_pb2, pages_pb2
from tests.servers.world import World, world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def slow() -> AsyncIterator[World]:
    async with world(Path(__file__).parent / "slow") as made:
        yield made


async def all_of(*titles: Coroutine[None, None, str]) -> list[str]:
    return list(await asyncio.gather(*titles))


async def title(slow: World, html: str, run: str = "") -> str:
    """The title of a page that some run reads; for one that fails, the code and the detail of its error."""
    rule = slow.catalog.actions["pages.extract"]
    request = pages_pb2.PagesExtractRequest(html=html.encode()).SerializeToString()
    try:
        raw = await slow.servers.call("pages", rule.method, request, made_by(run))
    except CallFailed as failed:
        return f"{error_pb2.Code.Name(failed.error.code).removeprefix('CODE_').lower()} {failed.error.detail}"
    return pages_pb2.PagesExtractResponse.FromString(raw).title


def made_by(run: str) -> capability_pb2.CallContext:
    return capability_pb2.CallContext(run=run, deadline_unix_ms=int((time.time() + 20) * 1000))


def pid(slow: World) -> int:
    return slow.servers.states()["pages"].pid


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(2000):
        if holds():
            return
        await asyncio.sleep(0.005)
    pytest.fail("it did not come to hold within 10 s")


def processor(process: int) -> float:
    """Seconds of processor that a process has used."""
    used = psutil.Process(process).cpu_times()
    return float(used.user + used.system)


async def test_what_runs_on_in_python_is_ended_alone(slow: World) -> None:
    assert await title(slow, "an owl") == "an owl"
    before = pid(slow)
    ended = await all_of(title(slow, "python", "r1"), title(slow, "an owl", "r2"), title(slow, "python", "r1"))
    assert ended == ["limit too_large", "an owl", "limit too_large"]
    assert pid(slow) == before


@pytest.mark.parametrize("page", ["stubborn", "c"])
async def test_what_cannot_be_ended_alone_is_told_apart_from_those_that_waited(slow: World, page: str) -> None:
    await title(slow, "an owl")
    reader = pid(slow)
    spent = processor(reader)
    first = asyncio.create_task(title(slow, page, "r1"))
    await until(lambda: processor(reader) > spent + 0.1)  # it is at it
    others = await all_of(title(slow, "an owl", "r2"), title(slow, "a jay", "r3"))
    assert await first == "limit too_large"
    assert others == ["unavailable interrupted", "unavailable interrupted"]
    await until(lambda: not psutil.pid_exists(reader))
    assert await title(slow, "an owl") == "an owl"


async def test_what_lets_nobody_run_is_ended_by_the_system(slow: World) -> None:
    assert await title(slow, "c_alone") == "unavailable interrupted"
    assert await title(slow, "an owl") == "an owl"


async def test_what_takes_all_memory_ends_within_its_own(slow: World) -> None:
    reader = pid(slow)
    assert await title(slow, "memory") == "limit too_large"
    # Where the time ran out before the memory, the reader may still be about to leave: whoever asks then, asks again.
    if (after := await title(slow, "an owl")) == "unavailable interrupted":
        await until(lambda: not psutil.pid_exists(reader))
        after = await title(slow, "an owl")
    assert after == "an owl"


@pytest.mark.parametrize(
    ("page", "said"),
    [("refused_to_the_turn", "limit too_large"), ("refused_to_who_waits", "refused_to_who_waits")],
)
async def test_a_reader_that_was_refused_memory_itself_leaves(slow: World, page: str, said: str) -> None:
    await title(slow, "an owl")
    reader = pid(slow)
    assert await title(slow, page) == said
    await until(lambda: not psutil.pid_exists(reader))
    assert await title(slow, "an owl") == "an owl"


async def test_runs_take_turns(slow: World) -> None:
    done: list[str] = []

    async def note(page: str, run: str) -> None:
        done.append(run if await title(slow, page, run) else "")

    await asyncio.gather(*(note("python", "greedy") for _ in range(4)), note("an owl", "modest"))
    assert done.index("modest") <= 2


async def test_of_one_run_only_so_many_wait(slow: World) -> None:
    ended = await all_of(*(title(slow, "an owl" if number else "python", "r1") for number in range(80)))
    assert set(ended) == {"limit too_large", "an owl", "unavailable busy"}
    # At most: those that came first may be done before the last has come.
    assert 0 < ended.count("unavailable busy") <= 80 - 64


async def test_the_time_of_a_page_is_its_own_and_not_its_servers(slow: World) -> None:
    before = pid(slow)
    for _ in range(6):
        assert await title(slow, "python") == "limit too_large"
    assert pid(slow) == before


async def test_the_memory_of_a_server_is_what_its_form_says(slow: World) -> None:
    await title(slow, "an owl")
    assert f"Max data size             {512 << 20}            {512 << 20}" in await asyncio.to_thread(
        limits_of, pid(slow)
    )


def limits_of(process: int) -> str:
    return Path(f"/proc/{process}/limits").read_text()
