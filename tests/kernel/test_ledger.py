"""What the kernel holds in memory stays small, however much there is in its journal; nothing is lost to the person."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from agentos.home.history import CallUnknown, Record, RunBegan, RunEnded, RunParked
from agentos.home.journal import Journal
from agentos.kernel import ledger as of_ledger
from agentos.kernel.cells.foreign import Flights
from agentos.kernel.ledger import RECENT, Ledger
from agentos.runs.run import Feed
from agentos.v1 import control_pb2 as pb
from tests.kernel.cases import WHO, at, grant, made, settled


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    opened = Journal.open(tmp_path / "db", bytes(32))
    yield opened
    await opened.close()


def began(run: str) -> RunBegan:
    return RunBegan(run, "prog", WHO.path, WHO.digest, "/home/me", "/home/me", (), '"a long input"', 1)


def ended(run: str) -> RunEnded:
    return RunEnded(run, pb.RUN_STATUS_DONE, '"result"', "printed", False, 0, 0, 2, 3, 4)


async def test_an_old_run_is_read_from_the_journal_with_all_it_said(journal: Journal) -> None:
    ledger = Ledger(journal)
    for number in range(1, RECENT + 10):
        ledger.record(began(f"r{number}"), ended(f"r{number}"))
    assert len(ledger.recent) == RECENT
    assert "r1" not in ledger.recent
    for run in ("r1", f"r{RECENT}"):
        past = ledger.past(run)
        assert past is not None
        assert past.end is not None
        assert (past.began.input, past.end.result, past.end.output) == ('"a long input"', '"result"', "printed")
    newest = ledger.recent[f"r{RECENT}"]
    assert newest.end is not None
    assert (newest.began.input, newest.end.output) == ("", "")
    assert ledger.past("r0") is None
    assert ledger.next_id("r") == f"r{RECENT + 10}"


async def test_what_only_a_run_could_use_is_not_looked_at_when_it_is_over(journal: Journal) -> None:
    ledger = Ledger(journal)
    lasting = grant("g0", "files.write", at("/home/me/**"))
    ledger.record(began("r1"), lasting)
    ledger.record(*[grant(f"g{n}", "files.read", at("/x"), pb.CHOICE_ONCE, uses=1) for n in range(1, 50)])
    ledger.record(made(1, "g0", amounts=(("bytes", 7),)), made(2, "g0", amounts=(("bytes", 7),)))
    assert ledger.table.held["g0"].spent == {("r1", "bytes"): 14}
    ledger.record(settled(1), ended("r1"), settled(2, released=True))
    assert ledger.table.held["g0"].spent == {}
    assert ledger.table.held["g0"].uses == 2, "nothing is given back after the end"
    assert not ledger.table.admitted
    assert len(ledger.table.held) == 50
    assert [held.grant.id for held in ledger.table.live(WHO, 0)] == ["g0"]
    assert Ledger(journal).table.held["g0"].spent == {}


async def test_a_record_bears_so_much_of_a_snapshot_and_no_more_however_much_waits(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_ledger, "KEEP_EVERY", 100)
    written, keep = [0], journal.keep

    def kept(name: str, state: bytes) -> None:
        written[0] += len(state)
        keep(name, state)

    monkeypatch.setattr(journal, "keep", kept)
    ledger = Ledger(journal)
    for number in range(5_000):
        ledger.record(began(f"r{number}"), RunParked(f"r{number}", 1 << 40))
    size, before = len(msgspec.msgpack.encode(ledger._all)), written[0]
    assert size > 100 * of_ledger.KEEP_BYTES, "else this tries nothing"
    for number in range(5_000, 7_000):
        ledger.record(began(f"r{number}"), ended(f"r{number}"))
    assert 0 < written[0] - before <= 4_000 * of_ledger.KEEP_BYTES + size


async def test_one_record_is_read_without_those_beside_it(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(journal)
    records: list[Record] = [began(f"r{number}") for number in range(1, 9)]
    seqs = [ledger.record(each) for each in records]
    assert [ledger.at(seq) for seq in seqs] == records, "while they are on their way to the disk"
    await ledger.durable(seqs[-1])
    ledger.record(began("r9"))
    read, rows = [0], journal._rows

    def counted(sql: str, values: tuple[int | str, ...]) -> object:
        found = rows(sql, values)
        read[0] += len(found)
        return found

    monkeypatch.setattr(journal, "_rows", counted)
    assert [ledger.at(seq) for seq in seqs] == records
    assert read[0] == len(seqs)
    assert ledger.at(seqs[-1] + 2) is None
    assert ledger.at(0) is None


async def test_what_is_unknown_of_a_run_is_so_until_it_is_settled_or_the_run_over(journal: Journal) -> None:
    ledger = Ledger(journal)
    ledger.record(began("r1"), began("r2"), CallUnknown("r1", 1, 0), CallUnknown("r1", 2, 0), CallUnknown("r2", 1, 0))
    ledger.record(settled(1))
    assert ledger.unknown == {"r1": {2}, "r2": {1}}
    ledger.record(ended("r2"))
    assert ledger.unknown == {"r1": {2}}
    assert Ledger(journal).unknown == {"r1": {2}}


async def test_text_that_waits_for_a_slow_follower_is_put_together(journal: Journal) -> None:
    feed = Feed(journal.durable)
    for number in range(10_000):
        feed.put(pb.RunResponse(output=pb.Output(stream=1 + number // 9_000, text="x")), 0)
    feed.put(pb.RunResponse(settled="p1"), 0)
    feed.put(pb.RunResponse(output=pb.Output(stream=2, text="y")), 0)
    feed.end()
    heard = []
    while event := await feed.next():
        heard.append((event.output.stream, len(event.output.text), event.settled))
    assert heard == [(1, 9_000, ""), (2, 1_000, ""), (0, 0, "p1"), (2, 1, "")]


async def test_what_is_told_of_a_run_is_on_disk_before(journal: Journal) -> None:
    ledger, feed = Ledger(journal), Feed(journal.durable)
    for number in (1, 2):
        feed.put(pb.RunResponse(output=pb.Output(stream=1, text="x")), ledger.record(settled(number)))
        await journal.durable(1)
    assert journal.statistics()["durable"] == 1
    assert await feed.next() == pb.RunResponse(output=pb.Output(stream=1, text="xx"))
    assert journal.statistics()["durable"] == 2


async def test_what_many_want_at_once_is_done_once() -> None:
    flights: Flights[int] = Flights()
    done: list[int] = []
    may_go = asyncio.Event()

    async def work() -> int:
        await may_go.wait()
        done.append(1)
        return 7

    waiting = [asyncio.create_task(flights.do("a", work)) for _ in range(200)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    may_go.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [7] * 199
    assert done == [1]


async def test_what_failed_is_tried_anew() -> None:
    flights: Flights[int] = Flights()

    async def fail() -> int:
        raise OSError("no")

    async def well() -> int:
        return 1

    with pytest.raises(OSError, match="no"):
        await flights.do("a", fail)
    assert await flights.do("a", well) == 1
