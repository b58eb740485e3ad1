"""By which code and word a person learns that a run could not be played."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentos.home import writer
from agentos.home.history import Pinned, ProgramSeen, RunBegan, RunEnded
from agentos.kernel.serve import Kernel
from agentos.manifest.reading import program_digest
from agentos.runs import play
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2
from tests.cells.components import component
from tests.cells.conftest import gone
from tests.kernel.inside import end, kernel_in, ran

INVALID, UNAVAILABLE = error_pb2.CODE_INVALID, error_pb2.CODE_UNAVAILABLE
FAILED, REFUSED = pb.RUN_STATUS_FAILED, pb.RUN_STATUS_REFUSED
ASKS = b'# /// script\n# [tool.agentos.grants]\n# "files.read" = { path = ["/a"] }\n# ///\n'
Found = tuple[int, int, str]


@pytest.fixture
async def kernel(tmp_path: Path) -> AsyncIterator[Kernel]:
    async with kernel_in(tmp_path) as made:
        yield made


def request(content: bytes, name: str = "program.py") -> pb.RunRequest:
    return pb.RunRequest(source=pb.Source(path=f"/{name}", content=content), start_folder="/", home_folder="/")


def label(ended: RunEnded) -> Found:
    """Its status, and the label of why."""
    return (ended.status, ended.fault.code, ended.fault.detail) if ended.fault else (ended.status, 0, "")


async def how(kernel: Kernel, asked: pb.RunRequest) -> Found:
    return label(await ran(kernel, asked))


async def test_what_nobody_allows_is_refused_and_what_is_no_program_failed(kernel: Kernel) -> None:
    run = kernel.runs.accept(request(ASKS)).id
    assert await gone(lambda: bool(kernel.desk.open))
    kernel.desk.void_all(run)
    assert label(await end(kernel, run)) == (REFUSED, error_pb2.CODE_DENIED, "")
    assert await how(kernel, request(b"def f(:")) == (FAILED, INVALID, "")
    assert await how(kernel, request(b"\0asm", "program.wasm")) == (FAILED, INVALID, "")


async def test_a_run_that_finds_the_disk_full_says_so_once_there_is_room(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = kernel.runs.roster.ends
    with monkeypatch.context() as full:

        async def room(run: str) -> None:
            full.undo()
            await ends(run)

        run = kernel.runs.accept(request(b"result = 1")).id
        full.setattr(kernel.runs.roster, "ends", room)
        full.setattr(writer, "MAX_QUEUED", 0)
        assert label(await end(kernel, run)) == (FAILED, UNAVAILABLE, "disk_full")


@pytest.mark.parametrize("guest", [component("trap"), None], ids=["has no cells", "is not there"])
async def test_without_its_guest_a_kernel_is_unavailable(
    kernel: Kernel, tmp_path: Path, guest: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(play, "MOST_LOST", 0)
    place = tmp_path / "guest.wasm"
    if guest is not None:
        place.write_bytes(guest)
    monkeypatch.setattr(kernel.loader, "_guest", place)
    asyncio.get_running_loop().set_exception_handler(lambda loop, fault: None)  # one that is not there is our fault
    assert await how(kernel, request(b"result = 1")) == (FAILED, UNAVAILABLE, "")


async def test_a_run_that_began_in_another_guest_is_unavailable_and_pinned(kernel: Kernel) -> None:
    content = b"result = 1"
    digest = program_digest(content, b"")
    began = RunBegan("r1", "program", "/program.py", digest, "/", "/", (), "", 1)
    kernel.ledger.record(
        ProgramSeen(digest, "/program.py", "program", content, b""), began, Pinned("r1", "0" * 64, "0" * 64)
    )
    kernel.runs.resume()
    assert await gone(lambda: "r1" in kernel.runs.active)
    assert label(await end(kernel, "r1")) == (FAILED, UNAVAILABLE, "pinned")
