"""A guest that broke out of wasmtime: it has a process with one line to the kernel, and nothing that it can do with
either reaches beyond its own run."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agentos.kernel.cells import frames, spawner
from agentos.kernel.cells.images import Image
from agentos.kernel.cells.pool import Cell, CellLimits, Cells, Ending, Start
from tests.cells.conftest import Open, gone

LIMITS = CellLimits(memory_bytes=64 << 20, cpu_seconds=5)
BLANK = Start("", LIMITS)
Escape = Callable[[str], Awaitable[Cells]]


@pytest.fixture
def escape(open_cells: Open, monkeypatch: pytest.MonkeyPatch) -> Escape:
    """Cells that do this instead of running a guest."""

    def spawn(control: int, image: Image, name: str) -> subprocess.Popen[bytes]:
        words = map(str, (os.getpid(), control, image.descriptor, 0))
        return subprocess.Popen(
            [sys.executable, "-I", str(Path(__file__).with_name("escaped.py")), name, *words],
            env={}, cwd="/", pass_fds=(control, image.descriptor), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    async def cells_that(name: str) -> Cells:
        monkeypatch.setattr(spawner, "_spawn", lambda control, image: spawn(control, image, name))
        return await open_cells("echo")

    return cells_that


async def answer(request: str) -> str:
    return "{}"


async def attack(cells: Cells) -> Ending:
    return await asyncio.wait_for((await cells.take(BLANK)).run(answer), 20)


@pytest.mark.parametrize(
    "name",
    [
        "two results", "asks before it is answered", "oversize", "noise", "half a frame", "no header", "bad header",
        "not text", "trap of another kind",
    ],
)  # fmt: skip
async def test_malformed_frames_end_the_cell_and_only_the_cell(escape: Escape, name: str) -> None:
    cells = await escape(name)
    other = await cells.take(BLANK)
    assert (await attack(cells)).how == "broke"
    assert cells.live
    other.close()
    assert await gone(lambda: cells.busy == 0)


async def test_frames_for_a_run_that_is_over_are_heard_by_nobody(escape: Escape) -> None:
    cells = await escape("after its end")
    heard: list[str] = []

    async def hear(request: str) -> str:
        heard.append(request)
        return "{}"

    cell, other = await cells.take(BLANK), await cells.take(BLANK)
    ending = await asyncio.wait_for(cell.run(hear), 20)
    # Whether a second frame came with the end or after it: it is no part of this run, nor of the next.
    assert ending.how in ("returned", "broke")
    assert os.WIFSIGNALED(await asyncio.wait_for(cell.ended, 5))
    assert (await asyncio.wait_for(other.run(hear), 20)).how in ("returned", "broke")
    assert await gone(lambda: cells.busy == 0)
    assert heard == []


@pytest.mark.parametrize("name", ["out of turn", "hang up"])
async def test_what_it_does_when_it_is_not_its_turn_keeps_the_kernel_from_nothing(escape: Escape, name: str) -> None:
    cells = await escape(name)
    used: list[float] = []

    async def takes_a_while(request: str) -> str:
        before = time.process_time()
        await asyncio.sleep(1)
        used.append(time.process_time() - before)
        return "{}"

    ending = await asyncio.wait_for((await cells.take(BLANK)).run(takes_a_while), 20)
    assert ending.how == "broke"
    assert len(used) == 1
    assert used[0] < 0.05, "who has nothing to do but to wait looked at it again and again"
    assert await gone(lambda: cells.busy == 0)


def over() -> tuple[Cell, socket.socket]:
    """A cell, and the end of its line that is the process's."""
    ours, theirs = socket.socketpair()
    for each in (ours, theirs):
        each.setblocking(False)
    return Cell(ours), theirs


async def test_a_cell_that_is_closed_is_waited_for_by_nobody_and_leaves_nothing_open() -> None:
    cell, theirs = over()
    waiting = asyncio.ensure_future(cell.warm())
    await asyncio.sleep(0)
    cell.close()
    with pytest.raises(EOFError):
        await asyncio.wait_for(waiting, 5)
    with pytest.raises(EOFError):
        await cell.warm()
    assert theirs.recv(1) == b""
    theirs.close()
    cell, theirs = over()  # with the numbers of the one before
    theirs.send(frames.pack(b"W", b""))
    await asyncio.wait_for(cell.warm(), 5)
    cell.close()
    theirs.close()


async def test_silence_ends_with_the_cpu_limit_or_a_kill(escape: Escape) -> None:
    cells = await escape("silence")
    cell = await cells.take(BLANK)
    running = asyncio.ensure_future(cell.run(answer))
    asyncio.get_running_loop().call_later(0.05, cell.kill)
    assert (await asyncio.wait_for(running, 5)).how == "killed"


async def test_an_escaped_cell_holds_its_line_the_read_only_image_and_null(escape: Escape) -> None:
    ending = await attack(await escape("descriptors"))
    assert sorted(set(ending.reply.split(","))) == ["image", "line", "null"]
    assert ending.reply.count("line") == 1


async def test_an_escaped_cell_cannot_change_the_image_that_others_run(escape: Escape) -> None:
    assert (await attack(await escape("write image"))).reply == "closed or read-only"


async def test_an_escaped_cell_does_not_reach_the_zygote(escape: Escape) -> None:
    cells = await escape("tell zygote")
    assert (await attack(cells)).reply == "said"
    assert (await attack(cells)).reply == "said"


@pytest.mark.parametrize("name", ["socket", "exec", "kill"])
async def test_what_no_honest_cell_does_kills_it(escape: Escape, name: str) -> None:
    cells = await escape(name)
    cell = await cells.take(BLANK)
    assert (await cell.run(answer)).how == "broke"
    assert os.WTERMSIG(await asyncio.wait_for(cell.ended, 5)) == 31


async def test_what_a_cell_says_it_reached_is_cut_to_plain_letters(escape: Escape) -> None:
    ending = await attack(await escape("forged trap"))
    assert ending.how == "trapped"
    assert ending.reached == "wasi:script"


@pytest.mark.parametrize("name", ["began in the future", "began before it was asked"])
async def test_a_cell_cannot_begin_outside_of_its_run(escape: Escape, name: str) -> None:
    cells = await escape(name)
    cell = await cells.take(BLANK)
    before_us = time.time_ns() // 1000
    ending = await cell.run(answer)
    assert before_us - 1000 <= ending.began_us <= time.time_ns() // 1000 + 1000
