"""By which code and word a person learns that a program cannot be compiled, or is none."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentos.home.records import Fault
from agentos.home.refusal import Refusal
from agentos.kernel import programs
from agentos.kernel.cells.images import Images
from agentos.kernel.cells.pool import CellLimits
from agentos.kernel.programs import MAX_COMPONENT, MAX_SCRIPT, Loader, check_bytes
from agentos.kernel.serve import Kernel
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2
from tests.cells.conftest import gone
from tests.kernel.inside import kernel_in

INVALID, LIMIT, UNAVAILABLE = error_pb2.CODE_INVALID, error_pb2.CODE_LIMIT, error_pb2.CODE_UNAVAILABLE
LONG = ("x = (" + "(1)," * 200_000 + ")").encode()


@pytest.fixture
async def kernel(tmp_path: Path) -> AsyncIterator[Kernel]:
    async with kernel_in(tmp_path) as made:
        await made.loader.open()
        yield made


async def compiled(loader: Loader, content: bytes) -> Fault | None:
    asked = pb.RunRequest(source=pb.Source(path="/program.py", content=content))
    try:
        async with loader.load(asked, CellLimits(256 << 20, 5)):
            return None
    except Refusal as refusal:
        return refusal.fault


@pytest.mark.parametrize(
    ("content", "limits"),
    [(LONG, CellLimits(512 << 20, 1)), (b"#" * 900_000, CellLimits(8 << 20, 5))],
    ids=["too long", "too much memory"],
)  # fmt: skip
async def test_what_takes_too_much_to_compile_is_a_limit(
    kernel: Kernel, content: bytes, limits: CellLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "COMPILE", limits)
    fault = await compiled(kernel.loader, content)
    assert fault
    assert (fault.code, fault.detail) == (LIMIT, "")


async def test_what_is_no_python_is_invalid_and_says_where(kernel: Kernel) -> None:
    where = "SyntaxError: invalid syntax (program.py, line 2)"
    assert await compiled(kernel.loader, b"x = 1\ndef f(:") == Fault(INVALID, where, "correct the program")


async def test_a_guest_that_is_none_says_nothing_of_the_program(kernel: Kernel, tmp_path: Path) -> None:
    guest = tmp_path / "guest.wasm"
    guest.write_bytes(b"no component")
    fault = await compiled(Loader(Images(tmp_path, bytes(32)), kernel.ledger.journal, guest, 1), b"x = 1")
    assert fault
    assert (fault.code, fault.hint) == (UNAVAILABLE, "agentos doctor")


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
async def test_a_cell_that_is_lost_while_it_compiles_says_nothing_of_the_program(
    kernel: Kernel, by: signal.Signals
) -> None:
    cells = await kernel.loader.open()
    assert await gone(lambda: cells.ready == 1, 20)
    held = set(cells._live)
    compiling = asyncio.ensure_future(compiled(kernel.loader, LONG))
    assert await gone(lambda: cells.ready == 0)
    for pid in held:
        os.kill(pid, by)
    fault = await compiling
    assert fault
    assert (fault.code, fault.hint) == (UNAVAILABLE, "run it again")


@pytest.mark.parametrize(
    ("name", "content", "detail"),
    [
        ("a.wasm", b"x = 1", ""), ("a.py", b"#" * (MAX_SCRIPT + 1), "too_large"),
        ("a.wasm", b"\0asm" + bytes(MAX_COMPONENT), "too_large"),
    ],
    ids=["not what its name says", "a large script", "a large component"],
)  # fmt: skip
def test_bytes_that_are_no_program_are_refused_by_their_code(name: str, content: bytes, detail: str) -> None:
    with pytest.raises(Refusal) as told:
        check_bytes(pb.Source(path=name, content=content))
    assert (told.value.fault.code, told.value.fault.detail) == (INVALID, detail)
