"""Cells through the real path: a zygote, forked cells, a hand-written component."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time

import psutil
import pytest

from agentos.kernel.cells import held
from agentos.kernel.cells.images import Images
from agentos.kernel.cells.pool import CellLimits, Cells, Ending, NoCells, Start
from tests.cells.components import GROWING_TABLE, SPIN_AT_START, component, many
from tests.cells.conftest import Open, gone, told

LIMITS = CellLimits(memory_bytes=64 << 20, cpu_seconds=5)
BLANK = Start("", LIMITS)
SHORT = CellLimits(memory_bytes=256 << 20, cpu_seconds=1)


async def answer(request: str) -> str:
    return json.dumps({"asked": request})


async def run(cells: Cells, request: str = "hello", limits: CellLimits = LIMITS) -> Ending:
    return await told(await cells.take(Start("", limits)), request).run(answer)


async def test_a_cell_asks_the_kernel_and_returns_what_it_was_told(open_cells: Open) -> None:
    before_us = time.time_ns() // 1000
    ending = await run(await open_cells("echo"))
    assert ending.how == "returned"
    assert json.loads(ending.reply) == {"asked": "hello"}
    assert before_us <= ending.began_us <= time.time_ns() // 1000


@pytest.mark.skipif(sys.platform != "linux", reason="of other systems nothing is asked")
async def test_a_cell_gives_way_to_all_others_until_its_program_calls(open_cells: Open) -> None:
    cells = await open_cells("echo")
    cell = told(await cells.take(BLANK), "hello")
    zygote = psutil.Process(cells._zygote._process.pid) if cells._zygote else psutil.Process()
    policies: list[list[int]] = []

    async def asked(request: str) -> str:
        policies.append(sorted(os.sched_getscheduler(each.pid) for each in zygote.children()))
        return await answer(request)

    assert (await cell.run(asked)).how == "returned"
    assert os.SCHED_OTHER in policies[0]
    assert os.sched_getscheduler(zygote.pid) == os.SCHED_BATCH
    await asyncio.wait_for(cell.ended, 5)
    assert await gone(lambda: cells.ready == 1)
    assert [os.sched_getscheduler(each.pid) for each in zygote.children()] == [os.SCHED_BATCH]


async def test_a_cell_that_is_killed_says_so_and_may_be_killed_again(open_cells: Open) -> None:
    cells = await open_cells("spin")
    cell = await cells.take(BLANK)
    running = asyncio.ensure_future(cell.run(answer))
    await asyncio.sleep(0)
    cell.kill()
    assert (await running).how == "killed"
    cell.kill()
    assert await gone(lambda: cells.busy == 0)


async def test_a_cell_killed_before_its_run_returns_killed(open_cells: Open) -> None:
    cell = await (await open_cells("echo")).take(BLANK)
    cell.kill()
    assert (await cell.run(answer)).how == "killed"


async def test_killing_a_cell_ends_the_call_it_waits_for(open_cells: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "LAST_CALL_S", 0.05)
    cell = await (await open_cells("echo")).take(BLANK)
    asked, cancelled = asyncio.Event(), asyncio.Event()

    async def wait_for_ever(request: str) -> str:
        asked.set()
        try:
            never: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            return await never
        except asyncio.CancelledError:
            cancelled.set()
            raise

    running = asyncio.ensure_future(told(cell, "x").run(wait_for_ever))
    await asked.wait()
    cell.kill()
    assert (await asyncio.wait_for(running, 5)).how == "killed"
    assert cancelled.is_set()


@pytest.mark.parametrize("body", ["spin", "fill"])
async def test_an_endless_loop_ends_within_twice_its_cpu_limit(open_cells: Open, body: str) -> None:
    cells = await open_cells(body)
    assert (await run(cells, "", SHORT)).how == "cpu"
    assert await gone(lambda: cells.cpu_s > 0)
    assert cells.cpu_s <= 2 * SHORT.cpu_seconds


async def test_a_start_function_that_never_ends_counts_against_the_run(open_cells: Open) -> None:
    cells = await open_cells("echo", SPIN_AT_START)
    began = time.monotonic()
    assert (await run(cells, "", SHORT)).how == "cpu"
    assert time.monotonic() - began < 10


async def test_memory_grows_to_its_limit_and_the_guest_is_told(open_cells: Open) -> None:
    ending = await run(await open_cells("grow"), "", CellLimits(memory_bytes=32 << 20, cpu_seconds=5))
    assert (ending.how, ending.reply) == ("returned", "full")


LARGE = "(memory 1600) (func $touch (memory.fill (i32.const 0) (i32.const 1) (i32.const 104857600))) (start $touch)"


@pytest.mark.parametrize(
    ("text", "body", "how"),
    [
        pytest.param(GROWING_TABLE, "table", "returned", id="a table"),
        pytest.param(many(200, "(func)"), "echo", "trapped", id="two hundred instances"),
        pytest.param(many(9, "(memory 1)"), "echo", "trapped", id="nine memories"),
        pytest.param(many(1, "(table 2000000 funcref)"), "echo", "trapped", id="a table from the start"),
        pytest.param(many(1, LARGE), "echo", "returned", id="a memory that is large alone"),
        pytest.param(many(7, LARGE), "echo", "trapped", id="memories that are large together"),
    ],
)
async def test_what_a_guest_is_made_of_has_limits(images: Images, text: str, body: str, how: str) -> None:
    """Each has a limit of its own, and all together one of the process: seven memories of 100 MiB are too much."""
    cells = await Cells.start(await images.open(component(body, text=text), own=False), ready=1)
    roomy = CellLimits(memory_bytes=128 << 20, cpu_seconds=5)
    ending = await asyncio.wait_for(run(cells, "", roomy), 20)
    await cells.close()
    assert ending.how == how
    assert body == "echo" or ending.reply == "full"


@pytest.mark.parametrize(("body", "reached"), [("trap", ""), ("dive", "stack")])
async def test_a_trap_is_an_ending_like_any_other(open_cells: Open, body: str, reached: str) -> None:
    ending = await run(await open_cells(body))
    assert (ending.how, ending.reply, ending.reached) == ("trapped", "", reached)


async def test_a_request_larger_than_a_frame_is_an_error_of_the_guest(open_cells: Open) -> None:
    async def never(request: str) -> str:
        raise AssertionError("it came through")

    ending = await (await (await open_cells("flood")).take(BLANK)).run(never)
    assert ending.how == "returned"
    assert json.loads(ending.reply)["error"]["code"] == "limit"


async def test_a_reply_larger_than_a_frame_becomes_an_error(open_cells: Open) -> None:
    async def huge(request: str) -> str:
        return "a" * ((8 << 20) + 1)

    ending = await told(await (await open_cells("echo")).take(BLANK), "x").run(huge)
    assert json.loads(ending.reply)["error"]["detail"] == "too_large"


async def test_an_error_of_the_kernel_comes_to_the_kernel_and_ends_the_cell(open_cells: Open) -> None:
    async def fail(request: str) -> str:
        raise LookupError

    cells = await open_cells("echo")
    with pytest.raises(LookupError):
        await told(await cells.take(BLANK), "x").run(fail)
    assert await gone(lambda: cells.busy == 0)


async def test_two_hundred_takers_are_served_by_a_pool_of_eight(open_cells: Open) -> None:
    cells = await open_cells("echo", ready=8)
    endings = await asyncio.gather(*(run(cells, str(number)) for number in range(200)))
    assert [json.loads(ending.reply)["asked"] for ending in endings] == [str(number) for number in range(200)]
    assert await gone(lambda: cells.busy == 0 and cells.ready == 8)


async def test_no_more_cells_live_than_are_allowed(open_cells: Open) -> None:
    cells = await open_cells("echo", ready=2, most=3)
    most = 0

    async def counted(number: int) -> Ending:
        nonlocal most
        cell = await cells.take(BLANK)
        most = max(most, cells.live)
        return await told(cell, str(number)).run(answer)

    endings = await asyncio.gather(*(counted(number) for number in range(20)))
    assert {ending.how for ending in endings} == {"returned"}
    assert most <= 3


async def test_takers_are_served_in_the_order_they_came(open_cells: Open) -> None:
    cells = await open_cells("echo", ready=0, most=1)
    served: list[int] = []

    async def taken(number: int) -> None:
        cell = await cells.take(BLANK)
        served.append(number)
        await cell.run(answer)

    await asyncio.gather(*(taken(number) for number in range(5)))
    assert served == [0, 1, 2, 3, 4]


async def test_a_taker_that_gives_up_costs_nobody_a_cell(open_cells: Open) -> None:
    cells = await open_cells("echo", ready=0, most=1)
    impatient = asyncio.ensure_future(cells.take(BLANK))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await run(cells)).how == "returned"


async def test_an_idle_cell_that_dies_is_replaced(open_cells: Open) -> None:
    cells = await open_cells("echo", ready=1)
    assert await gone(lambda: cells.ready == 1)
    (pid,) = cells._live
    os.kill(pid, signal.SIGKILL)
    assert await gone(lambda: cells.ready == 1 and pid not in cells._live)
    assert (await run(cells)).how == "returned"


async def test_a_killed_zygote_takes_its_cells_along_and_is_replaced(open_cells: Open) -> None:
    cells = await open_cells("spin", ready=1)
    spinning = asyncio.ensure_future(run(cells, "", CellLimits(64 << 20, 60)))
    assert await gone(lambda: cells.busy == 1 and cells.ready == 1)
    pids = list(cells._live)
    assert cells._zygote
    cells._zygote._process.kill()
    assert (await asyncio.wait_for(spinning, 5)).how == "lost"
    assert await gone(lambda: not any(psutil.pid_exists(pid) for pid in pids))
    assert await gone(lambda: cells.ready == 1)
    (await asyncio.wait_for(cells.take(BLANK), 10)).close()


async def test_taking_from_closed_cells_is_refused(open_cells: Open) -> None:
    cells = await open_cells("echo")
    await cells.close()
    with pytest.raises(NoCells):
        await cells.take(BLANK)


async def test_those_who_wait_are_told_when_the_cells_close(open_cells: Open) -> None:
    cells = await open_cells("echo", ready=0)
    waiting = asyncio.ensure_future(cells.take(BLANK))
    await asyncio.sleep(0)
    await cells.close()
    with pytest.raises(NoCells):
        await waiting


async def test_a_guest_of_ours_that_traps_when_it_is_first_entered_has_no_cells(images: Images) -> None:
    image = await images.open(component("trap"), own=True)
    with pytest.raises(NoCells):
        await asyncio.wait_for(Cells.start(image, ready=1), 20)
