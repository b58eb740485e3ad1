"""A run whose beginning the journal refuses never was: its cell goes, and its program can run when there is room."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentos.home import writer
from agentos.home.journal import JournalFull
from agentos.kernel.serve import Kernel
from agentos.v1 import control_pb2 as pb
from tests.cells.conftest import gone
from tests.kernel.inside import kernel_in, ran


@pytest.fixture
async def kernel(tmp_path: Path) -> AsyncIterator[Kernel]:
    """A kernel in this process, with cells of its own and nobody who talks to it."""
    async with kernel_in(tmp_path) as made:
        await made.loader.open()
        yield made


async def test_a_run_whose_first_record_is_refused_is_let_go_of_with_its_cell_and_its_program_runs_afterwards(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = pb.Source(path=str(tmp_path / "program.py"), content=b"result = 1")
    request = pb.RunRequest(source=source, start_folder=str(tmp_path), home_folder=str(tmp_path))
    assert (await ran(kernel, request)).status == pb.RUN_STATUS_DONE
    cells = kernel.loader.python
    assert cells is not None
    assert await gone(lambda: cells.ready == 1 and cells.busy == 0)
    before = kernel.ledger.journal.head
    with monkeypatch.context() as full:
        full.setattr(writer, "MAX_QUEUED", 0)
        with pytest.raises(JournalFull):
            kernel.runs.accept(request)
    assert not kernel.runs.active
    assert kernel.ledger.journal.head == before
    assert await gone(lambda: cells.ready == 1 and cells.busy == 0), "the cell that had begun to load it is gone"
    assert (await ran(kernel, request)).status == pb.RUN_STATUS_DONE
