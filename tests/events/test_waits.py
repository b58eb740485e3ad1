"""What a wait does at the moments that no program can bring about: on a real journal, with a run that is not played."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentos.events.hearing import MOST_BYTES, MOST_NAMES
from agentos.home.happenings import Happened, Listens
from agentos.home.history import RunBegan, RunParked
from agentos.home.journal import Journal
from agentos.home.records import CallSettled, Fault
from agentos.kernel import own
from agentos.kernel.actor import Actor
from agentos.kernel.call import Call, Failed
from agentos.kernel.ledger import Ledger
from agentos.kernel.own import Parted
from agentos.manifest.lines import Limits, Manifest
from agentos.runs.run import Run
from agentos.runs.waits import Waits
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2, own_pb2
from tests.kernel.cases import WHO

NOW = 1_800_000_000_000


class World:
    """A ledger, a run of its own under way, and who is woken."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal.open(folder / "home.db", os.urandom(32))
        self.ledger = Ledger(self.journal)
        self.woken: list[str] = []
        self.waits = Waits(self.ledger, self.woken.append, lambda: NOW)
        began = RunBegan("r1", "prog", WHO.path, WHO.digest, "/", "/", (), "", NOW * 1000)
        self.ledger.record(began)
        self.run = Run(
            began, pb.RunRequest(), Manifest("prog", (), Limits(), True, "prog.py"), WHO, self.ledger.durable
        )
        self.actor = Actor(WHO, self.run.manifest, "/", "/", *[None] * 6)  # type: ignore[arg-type]  # it makes no others

    def happens(self, event: str, data: object = None, name: str = "event.paid") -> int:
        return self.ledger.record(Happened(event, name, NOW, json.dumps(data), ()))

    async def wait(self, seq: int = 1, where: str = "", timeout_ms: int = 60_000) -> own_pb2.EventWaitForResponse:
        request = own_pb2.EventWaitForRequest(name="paid", where=where, timeout_ms=timeout_ms)
        call = Call("r1", seq, None, request, (), (), "")  # type: ignore[arg-type]  # its rule was looked at before
        return await self.waits.wait_for(self.run, self.actor, call, request, NOW)

    def parked(self) -> None:
        """What `Play` records when nobody follows it."""
        assert self.run.waits
        self.ledger.record(RunParked("r1", NOW + 60_000, self.run.waits.name, self.run.waits.fields))


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(own, "A_MOMENT_MS", 1)
    made = World(tmp_path)
    yield made
    await made.journal.close()


async def test_a_call_that_took_an_event_and_was_cut_off_answers_the_same(world: World) -> None:
    with pytest.raises(Parted):
        await world.wait()
    world.happens("e1", 1)
    world.happens("e2", 2)
    assert (await world.wait()).id == "e1"
    assert (await world.wait()).id == "e1"  # its answer is not on record: it is played again
    assert (await world.wait(2)).id == "e2"
    hearing = world.ledger.queue.hearing
    assert not hearing.came("r1", "event.paid")
    world.ledger.record(CallSettled("r1", 1, 1, "{}"))
    assert (hearing.taken("r1", 1), hearing.taken("r1", 2) > 0) == (0, True)  # no more is kept of what is answered


async def test_what_comes_while_a_run_is_on_its_way_out_of_memory_wakes_it(world: World) -> None:
    with pytest.raises(Parted):
        await world.wait()
    assert not world.waits.came(world.run)
    world.happens("e1")
    assert world.waits.came(world.run)
    assert not world.woken  # it is not parked: whoever parks it looks


async def test_what_comes_for_a_run_that_is_parked_wakes_it_if_it_fits(world: World) -> None:
    with pytest.raises(Parted):
        await world.wait(where='{"order": 7}')
    world.parked()
    world.happens("e1", {"order": 8})
    world.happens("e2", [7])
    assert not world.woken
    assert world.ledger.open["r1"] > 0
    world.happens("e3", {"order": 7, "total": 1})
    assert world.woken == ["r1"]
    assert world.ledger.open["r1"] == 0  # the next kernel, too, brings it back at once
    assert (await world.wait(where='{"order": 7}')).id == "e3"
    world.happens("e4", {"order": 7})
    assert world.woken == ["r1"]


async def test_what_comes_while_it_looks_is_seen(world: World) -> None:
    """Others have their turn between two events that it reads, and one of them may send what fits."""
    with pytest.raises(Parted):
        await world.wait()
    for number in range(3):
        world.happens(f"e{number}", {"order": number})
    waiting = asyncio.create_task(world.wait(where='{"order": 7}'))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    world.happens("e7", {"order": 7})
    assert (await waiting).id == "e7"


async def test_two_waits_side_by_side_never_take_the_same(world: World) -> None:
    with pytest.raises(Parted):
        await world.wait()
    for number in range(4):
        world.happens(f"e{number}", {"order": 1})
    answers = await asyncio.gather(*(world.wait(seq, '{"order": 1}') for seq in range(1, 5)))
    assert sorted(each.id for each in answers) == ["e0", "e1", "e2", "e3"]
    assert len(list(world.journal.entries(run="r1", kinds=("event.heard",)))) == 4


async def test_another_event_that_a_run_hears_does_not_wake_it(world: World) -> None:
    world.ledger.record(Listens("r1", ("event.shipped",)))
    with pytest.raises(Parted):
        await world.wait()
    world.parked()
    world.happens("e1", name="event.shipped")
    assert not world.woken
    assert world.ledger.open["r1"] > 0
    world.happens("e2")
    assert world.woken == ["r1"]


async def test_what_comes_has_a_limit_of_bytes_and_the_oldest_go(world: World) -> None:
    world.ledger.record(Listens("r1", ("event.paid",)))
    for number in range(7):
        world.happens(f"e{number}", "x" * (MOST_BYTES // 4 - 2))  # with its quotes a quarter
    assert [each.event for each in world.ledger.queue.hearing.came("r1", "event.paid")] == ["e3", "e4", "e5", "e6"]


async def test_an_event_that_was_erased_before_its_answer_was_on_record_is_said_to_be_gone(world: World) -> None:
    world.ledger.record(Listens("r1", ("event.paid",)))
    world.happens("e1", 1)
    assert (await world.wait()).id == "e1"
    await world.journal.durable(world.ledger.forget_events("e1"))
    with pytest.raises(Failed) as gone:
        await world.wait()
    assert (gone.value.fault.code, gone.value.fault.detail) == (error_pb2.CODE_NOT_FOUND, "erased")


async def test_the_fields_of_a_wait_are_counted_in_bytes(world: World) -> None:
    with pytest.raises(Failed) as told:
        await world.wait(where=json.dumps({"a": "é" * 2500}, ensure_ascii=False))
    reason = "what an event must have is an object of at most 16 fields and 4096 bytes"
    hint = 'event.wait_for("report.ready", where={"id": 7}, timeout=60)'
    assert told.value.fault == Fault(error_pb2.CODE_INVALID, reason, hint)


async def test_a_run_hears_so_many_names_and_is_told_how_to_do_with_fewer(world: World) -> None:
    world.ledger.record(Listens("r1", tuple(f"event.{number}" for number in range(MOST_NAMES))))
    with pytest.raises(Failed) as told:
        await world.wait()
    reason = f"a run waits for at most {MOST_NAMES} names of events"
    assert told.value.fault == Fault(error_pb2.CODE_LIMIT, reason, "tell them apart by a field: where={…}", "names")
