"""A program that ran is expected to run again: a ready cell holds it, for that program alone, and executes nothing."""

from __future__ import annotations

import json
import select
from pathlib import Path

import pytest

from agentos.home.journal import Journal
from agentos.kernel.cells import guest
from agentos.kernel.cells.images import Images
from agentos.kernel.cells.pool import CellLimits, Cells, Start
from agentos.kernel.programs import Code, Loader
from agentos.v1 import control_pb2 as pb
from tests.cells.conftest import KEY, Open, gone, told
from tests.compiled import guest_image

LIMITS = CellLimits(memory_bytes=64 << 20, cpu_seconds=5)
ONE, OTHER = Start("one", LIMITS), Start("other", LIMITS)


async def answer(request: str) -> str:
    return json.dumps({"asked": request})


def held(cells: Cells) -> list[Start]:
    return [cell.start for cell in cells._ready if cell.start]


async def expecting(open_cells: Open, ready: int = 2) -> Cells:
    """Cells that wait, half of them with the first program."""
    cells = await open_cells("echo", ready=ready)
    cells.expect(ONE)
    assert await gone(lambda: cells.ready == ready)
    return cells


async def test_half_of_the_ready_cells_hold_the_program_that_is_expected(open_cells: Open) -> None:
    cells = await expecting(open_cells, ready=4)
    assert held(cells) == [ONE, ONE]
    assert await gone(lambda: cells.ready == 4)


async def test_its_next_run_gets_the_cell_that_holds_it(open_cells: Open) -> None:
    cells = await expecting(open_cells)
    waiting = next(cell for cell in cells._ready if cell.start)
    assert await cells.take(ONE) is waiting
    ending = await told(waiting, "!").run(answer)
    assert json.loads(ending.reply) == {"asked": "one!"}


async def test_a_run_that_gave_its_cell_back_and_took_another_ran_once(open_cells: Open) -> None:
    """Its program is to be reviewed first: no cell waits for a person."""
    cells = await expecting(open_cells)
    cells.expect(OTHER)
    told(await cells.take(OTHER), "!").close()
    assert await gone(lambda: OTHER not in cells._ran)
    cells.expect(OTHER)
    assert (await told(await cells.take(OTHER), "!").run(answer)).how == "returned"
    assert await gone(lambda: cells.busy == 0)
    assert list(cells._ran) == [ONE, OTHER]


@pytest.mark.parametrize(
    "wanted",
    [OTHER, Start("one", CellLimits(memory_bytes=128 << 20, cpu_seconds=5))],
    ids=["another program", "the same with other limits"],
)
async def test_no_other_program_gets_it(open_cells: Open, wanted: Start) -> None:
    cells = await expecting(open_cells)
    waiting = next(cell for cell in cells._ready if cell.start)
    for _ in range(3):
        cell = await cells.take(wanted)
        assert cell is not waiting
        assert cell.start == wanted
        assert (await cell.run(answer)).how == "returned"
    assert held(cells)[:1] == [ONE]


async def test_what_runs_more_often_takes_its_cell(open_cells: Open) -> None:
    cells = await expecting(open_cells)
    for times in (1, 2):
        assert held(cells) == [ONE], times
        cells.expect(OTHER)
        assert (await (await cells.take(OTHER)).run(answer)).how == "returned"
        assert await gone(lambda: cells.ready == 2)
    assert await gone(lambda: held(cells) == [OTHER])


async def test_cells_are_shared_out_by_how_often_programs_ran(open_cells: Open) -> None:
    cells = await open_cells("echo", ready=8)
    for start in (ONE, ONE, ONE, OTHER):
        cells.expect(start)
    assert await gone(lambda: cells.ready == 8)
    assert sorted(start.request for start in held(cells)) == ["one", "one", "one", "other"]


async def test_where_one_cell_waits_it_waits_for_any_program(open_cells: Open) -> None:
    assert held(await expecting(open_cells, ready=1)) == []


async def test_a_program_that_is_held_executes_nothing_until_its_run_and_is_told_what_is_for_that_run() -> None:
    cells = await Cells.start(await guest_image(), ready=2)
    source = "import sys\nfrom agentos.sdk import clock\nclock.now()\nresult = sys.argv[1]\n"
    compiled = await (await cells.take(Start(guest.to_compile(source, "says.py"), LIMITS))).run(answer)
    start = Start(guest.to_load(guest.letters(json.loads(compiled.reply)["code"]), source.encode()), LIMITS)
    made: list[str] = []

    async def clocked(request: str) -> str:
        made.append(request)
        return json.dumps({"results": [{"value": {"unix_ms": "0", "monotonic_ms": "0", "zone": "UTC"}}]})

    cells.expect(start)
    (await cells.take(OTHER)).close()  # the cell that comes for it holds what is expected
    assert await gone(lambda: held(cells) == [start])
    for word in ("first", "second"):
        cell = await cells.take(start)
        told(cell, guest.to_tell({"arguments": [word], "input": ""}))
        assert not select.select([cell._line], [], [], 0.1)[0], "it said something before it was told to begin"
        ending = await cell.run(clocked)
        assert json.loads(ending.reply)["result"] == word
        assert ending.began_us
        assert await gone(lambda: held(cells) == [start])
    assert len(made) == 2
    await cells.close()


async def test_a_run_counts_once_whether_a_cell_was_at_hand_for_it_or_not(
    open_cells: Open, images: Images, tmp_path: Path
) -> None:
    journal = Journal.open(tmp_path / "db", KEY)
    loader = Loader(images, journal, tmp_path / "guest", 0)
    request = pb.RunRequest(source=pb.Source(path="/p/one.py", content=b"result = 1"))
    loader.python = cells = await open_cells("echo", ready=1)
    loader._codes.put(loader._key(request.source), Code(cells, ONE.request, "d"))
    assert await gone(lambda: cells.ready == 1)
    found = loader.ahead(request, LIMITS)
    assert found is not None
    assert list(cells._ran) == [ONE]
    assert loader.ahead(request, LIMITS) is None, "its place is not filled yet"
    async with loader.load(request, LIMITS) as loaded:
        assert list(cells._ran) == [ONE, ONE]
        assert loaded.start == found[0].start
    found[1].close()
    await journal.close()
