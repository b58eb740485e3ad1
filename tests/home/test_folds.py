"""A start from what was folded before: as sure as one from the first record, and as quick however long the history."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from agentos.home.commits import EVERY
from agentos.home.journal import Journal, JournalBroken
from tests.home.test_heads import rechain
from tests.home.witnessed import FOLD, Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def checked(journal: Journal) -> None:
    async with asyncio.timeout(10):
        while journal.statistics()["to_recheck"]:  # noqa: ASYNC110 (a thread of its own, that tells nobody when all is well)
            await asyncio.sleep(0.005)


async def broken(journal: Journal) -> JournalBroken:
    told: asyncio.Future[JournalBroken] = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()
    journal.watch(lambda why: loop.call_soon_threadsafe(told.set_result, why))
    try:
        journal.check()
    except JournalBroken as already:
        return already
    return await asyncio.wait_for(told, 10)


async def test_a_start_goes_on_from_what_was_folded(place: Place) -> None:
    await place.write(500, fold=True)
    await place.write(20)
    journal = place.open()
    fold = journal.folds[FOLD]
    assert (fold.point[0], fold.state) == (500, b"the sum of 500")
    assert [each.seq for each in journal.entries(after=500)] == list(range(501, 521))
    assert len(list(journal.entries())) == 520
    await checked(journal)
    await journal.close()


async def test_the_newest_fold_takes_the_place_of_the_one_before(place: Place) -> None:
    await place.write(10, fold=True)
    await place.write(10, fold=True)
    assert place.rows("SELECT name, seq FROM fold") == [(FOLD, 20)]


async def test_a_fold_is_of_the_records_before_it_though_others_came_meanwhile(place: Place) -> None:
    journal = place.open()
    journal.append(("call", "r1", b"1"))
    journal.keep(FOLD, b"one")
    journal.append(("call", "r1", b"2"))
    await journal.close()
    journal = place.open()
    assert journal.folds[FOLD].point[0] == 1
    assert [each.body for each in journal.entries(after=1)] == [b"2"]
    await journal.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE fold SET state = x'00'",
        "UPDATE fold SET seq = seq - 1",
        "UPDATE fold SET hash = zeroblob(32)",
        "UPDATE fold SET signature = zeroblob(64)",
        "UPDATE fold SET signature = x''",
        "UPDATE fold SET seq = 15, hash = (SELECT hash FROM journal WHERE seq = 15)",
        "DELETE FROM journal WHERE seq = 20",
    ],
)
async def test_a_fold_that_was_changed_is_refused(place: Place, change: str) -> None:
    await place.write(20, fold=True)
    await place.write(5)
    place.meddle(change)
    with pytest.raises(JournalBroken) as told:
        place.open()
    assert told.value.code in ("snapshot", "checkpoint")


async def test_a_fold_of_one_name_is_none_of_another(place: Place) -> None:
    journal = place.open()
    journal.append(("call", "", b"x"))
    journal.keep("other", b"state")
    await journal.close()
    place.meddle("UPDATE fold SET name = ?", FOLD)
    with pytest.raises(JournalBroken) as told:
        place.open()
    assert told.value.code == "snapshot"


async def test_an_old_fold_put_back_changes_nothing_since_what_came_after_is_read(place: Place) -> None:
    await place.write(20, fold=True)
    old = place.rows("SELECT name, seq, hash, state, signature FROM fold")[0]
    await place.write(20, fold=True, kind="revoked")
    place.meddle("INSERT OR REPLACE INTO fold (name, seq, hash, state, signature) VALUES (?, ?, ?, ?, ?)", *old)
    journal = place.open()
    assert journal.folds[FOLD].point[0] == 20
    assert {each.kind for each in journal.entries(after=20)} == {"revoked"}
    await journal.close()


async def test_a_record_after_the_fold_is_checked_before_anybody_reads_it(place: Place) -> None:
    await place.write(20, fold=True)
    await place.write(5)
    place.meddle("UPDATE journal SET body = x'00' WHERE seq = 22")
    with pytest.raises(JournalBroken, match="record 22 "):
        place.open()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE journal SET body = x'00' WHERE seq = 7", "record 7 "),
        ("UPDATE journal SET kind = 'grant' WHERE seq = 7", "record 7 "),
        ("DELETE FROM journal WHERE seq = 7", "record 7 "),
        ("DELETE FROM journal WHERE seq < 19", "record 1 "),
        (
            "INSERT INTO journal SELECT 0, at_ms, kind, run, salt, body, commitment, hash FROM journal LIMIT 1",
            "record 1",
        ),
        ("UPDATE checkpoint SET seq = 3 WHERE seq = (SELECT min(seq) FROM checkpoint)", "checkpoint at record 3"),
    ],
)
async def test_a_fault_before_the_fold_stops_the_journal_soon_and_at_the_next_start_at_once(
    place: Place, change: str, reason: str
) -> None:
    await place.write(EVERY + 10)
    await place.write(EVERY + 10)
    await place.write(20, fold=True)
    place.meddle(change)
    journal = place.open()
    why = await broken(journal)
    assert reason in why.reason
    with pytest.raises(JournalBroken):
        journal.append(("call", "", b"no more"))
    await journal.close()
    with pytest.raises(JournalBroken) as told:
        place.open()
    assert told.value.reason == why.reason
    assert "agentos audit" in told.value.hint


async def test_a_history_before_the_fold_that_was_rechained_is_noticed(place: Place) -> None:
    """All fits again, up to the record before the one that was signed."""
    await place.write(20, fold=True)
    await place.write(5)
    signed = place.rows("SELECT hash, seq FROM journal WHERE seq >= 20")
    rechain(place, 7)
    for each in signed:
        place.meddle("UPDATE journal SET hash = ? WHERE seq = ?", *each)
    journal = place.open()
    assert "record 20 " in (await broken(journal)).reason
    await journal.close()


async def test_an_index_that_hides_a_record_is_noticed(place: Place) -> None:
    await place.write(200, fold=True)
    page = place.rows("SELECT rootpage FROM sqlite_schema WHERE name = 'journal_run'")[0][0]
    old = place.path.read_bytes()
    await place.write(100, fold=True)
    new = bytearray(place.path.read_bytes())
    at = (int(str(page)) - 1) * 4096
    new[at : at + 4096] = old[at : at + 4096]
    place.path.write_bytes(bytes(new))
    journal = place.open()
    assert "index" in (await broken(journal)).reason
    await journal.close()


async def test_the_check_of_the_history_leaves_nobody_waiting(place: Place) -> None:
    await place.write(3000, fold=True)
    journal = place.open()
    assert any(thread.name == "recheck" for thread in threading.enumerate())
    await journal.close()  # in the midst of it
    assert not any(thread.name == "recheck" for thread in threading.enumerate())
