"""What became of an unknown call is said just as its run leaves memory to wait for that: it goes on, now and later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentos.home.history import CallAgain, CallUnknown, Pinned, RunBegan, RunParked
from agentos.home.journal import Journal
from agentos.kernel import own
from agentos.kernel.ledger import Ledger
from agentos.kernel.own import Powers
from agentos.runs.run import Run
from agentos.runs.runs import Runs
from agentos.v1 import control_pb2 as pb
from tests.kernel.cases import WHO, made, manifest


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    journal = Journal.open(tmp_path / "db", bytes(32))
    yield Ledger(journal)
    await journal.close()


def began() -> RunBegan:
    return RunBegan("r1", "prog", WHO.path, WHO.digest, "/home/me", "/home/me", (), "", 1)


async def test_a_run_is_woken_before_it_can_be_recorded_as_away(ledger: Ledger) -> None:
    runs = Runs(None, ledger, None, None, None, None, Powers())  # type: ignore[arg-type]  # nothing is played
    run = runs.active["r1"] = Run(began(), pb.RunRequest(), manifest(), WHO, ledger.durable)
    ledger.record(began(), made(1, "g1", "r1"), CallUnknown("r1", 1, 1))
    settling = asyncio.create_task(runs.settle(pb.SettleCallRequest(run="r1", seq=1)))
    await asyncio.sleep(0)
    assert not ledger.unknown["r1"]
    assert run.woken.is_set()
    await settling


async def test_a_run_is_not_away_for_what_was_settled_already(ledger: Ledger) -> None:
    """So it was recorded once, where the person was quick; a kernel that died then never brought the run back."""
    ledger.record(began(), made(1, "g1", "r1"), CallUnknown("r1", 1, 1))
    ledger.record(RunParked("r1", own.FAR_MS))
    assert ledger.open["r1"] == own.FAR_MS
    ledger.record(CallAgain("r1", 1))
    ledger.record(RunParked("r1", own.FAR_MS))
    assert ledger.open["r1"] == 0


async def test_a_run_that_is_played_again_is_not_away_whatever_was_recorded_before(ledger: Ledger) -> None:
    ledger.record(began(), RunParked("r1", own.FAR_MS - 1))
    assert ledger.open["r1"] == own.FAR_MS - 1
    ledger.record(Pinned("r1", "c", "k"))
    assert ledger.open["r1"] == 0  # a kernel that starts now brings it back
