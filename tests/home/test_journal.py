"""The journal's promises: one order, one chain, whole units, and nothing in the clear."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentos.home import chain, schema
from agentos.home import writer as of_writer
from agentos.home.commits import CACHE_ROWS
from agentos.home.journal import PAGE_ROWS, Journal, JournalBroken, JournalFull
from agentos.home.writer import MAX_QUEUED, MAX_RECORD

KEY = b"k" * 32
MARKER = b"the-plain-marker"


async def written(path: Path, count: int = 20, size: int = 40) -> Journal:
    journal = Journal.open(path, KEY)
    for number in range(count):
        journal.append(("call", f"r{number % 3}", b"%d " % number + MARKER * (size // len(MARKER))))
    await journal.durable(count)
    return journal


async def test_what_is_durable_is_there_after_reopening_in_its_order(tmp_path: Path) -> None:
    journal = await written(tmp_path / "j")
    head = journal.head
    await journal.close()
    again = Journal.open(tmp_path / "j", KEY)
    assert again.head == head
    assert [entry.seq for entry in again.entries()] == list(range(1, 21))
    assert [entry.body.split()[0] for entry in again.entries(run="r1")] == [b"%d" % n for n in range(1, 20, 3)]
    await again.close()


async def test_readers_see_what_is_appended_before_it_is_durable(tmp_path: Path) -> None:
    journal = await written(tmp_path / "j", 5)
    journal.append(("grant", "r9", b"new"), ("call", "r9", b"newer"))
    assert [entry.body for entry in journal.entries(after=5)] == [b"new", b"newer"]
    assert [entry.body for entry in journal.entries(run="r9", kinds=("grant",))] == [b"new"]
    await journal.close()


async def test_a_reader_is_not_disturbed_by_what_is_appended_meanwhile(tmp_path: Path) -> None:
    journal = await written(tmp_path / "j", 600)
    reading = journal.entries()
    first = next(reading).seq
    await journal.durable(journal.append(("call", "r1", b"later")))
    assert [first, *(entry.seq for entry in reading)] == list(range(1, 601))
    await journal.close()


async def test_a_record_reaches_the_disk_soon_though_nobody_waits(tmp_path: Path) -> None:
    journal = await written(tmp_path / "j", 1)
    seq = journal.append(("call", "", b"alone"))
    async with asyncio.timeout(5):
        while journal.statistics()["durable"] < seq:  # noqa: ASYNC110 (the point is that nobody waits for it)
            await asyncio.sleep(0.01)
    await journal.close()


async def test_what_is_to_be_on_disk_soon_is_there_though_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_writer, "LINGER_S", 600)
    journal = await written(tmp_path / "j", 1)
    for number in range(2, 4):
        journal.soon()
        seq = journal.append(("call", "", b"alone"))
        async with asyncio.timeout(5):
            while journal.statistics()["durable"] < seq:  # noqa: ASYNC110 (the point is that nobody waits for it)
                await asyncio.sleep(0.01)
        assert journal.statistics()["batches"] == number
    await journal.close()


async def test_many_who_wait_share_a_commit(tmp_path: Path) -> None:
    journal = await written(tmp_path / "j", 1)

    async def one(number: int) -> None:
        await journal.durable(journal.append(("call", "", b"%d" % number)))

    await asyncio.gather(*(one(number) for number in range(500)))
    found = journal.statistics()
    assert found["durable"] == found["records"] == 501
    assert found["batches"] < 50
    await journal.close()


async def test_a_waiter_that_is_cancelled_harms_nobody(tmp_path: Path) -> None:
    journal = await written(tmp_path / "j", 1)
    waits = [asyncio.ensure_future(journal.durable(journal.append(("call", "", b"x")))) for _ in range(10)]
    await asyncio.sleep(0)
    waits[3].cancel()
    done = await asyncio.gather(*waits, return_exceptions=True)
    assert [type(each) for each in done].count(asyncio.CancelledError) <= 1
    assert journal.statistics()["durable"] == 11
    await journal.close()


async def test_units_from_many_threads_stay_whole(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "j", KEY)

    def append(name: str) -> None:
        for number in range(100):
            journal.append(*(("call", name, b"%d %d" % (number, part)) for part in range(3)))

    threads = [threading.Thread(target=append, args=(f"r{each}",)) for each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    await journal.close()
    journal = Journal.open(tmp_path / "j", KEY)
    found = list(journal.entries())
    units = [found[at : at + 3] for at in range(0, len(found), 3)]
    assert len(units) == 400
    assert all(len({(entry.run, entry.body.split()[0]) for entry in unit}) == 1 for unit in units)
    await journal.close()


SWAP = "UPDATE journal SET seq = -seq WHERE seq IN (7, 8); UPDATE journal SET seq = 15 + seq WHERE seq < 0"


def meddle(sql: str) -> Callable[[Path], None]:
    def done(path: Path) -> None:
        db = chain.connect(path, KEY)
        db.execute(sql)
        db.close()

    return done


@pytest.mark.parametrize(
    ("change", "first_bad"),
    [
        ("UPDATE journal SET body = x'00' WHERE seq = 7", 7),
        ("UPDATE journal SET salt = zeroblob(16) WHERE seq = 7", 7),
        ("UPDATE journal SET salt = NULL, body = NULL, commitment = zeroblob(32) WHERE seq = 7", 7),
        ("UPDATE journal SET kind = 'grant' WHERE seq = 7", 7),
        ("UPDATE journal SET run = 'r77' WHERE seq = 7", 7),
        ("UPDATE journal SET at_ms = at_ms + 1 WHERE seq = 7", 7),
        ("UPDATE journal SET at_ms = -1 WHERE seq = 7", 7),
        ("UPDATE journal SET hash = zeroblob(32) WHERE seq = 20", 20),
        ("DELETE FROM journal WHERE seq = 7", 7),
        ("DELETE FROM journal WHERE seq = 1", 1),
        (SWAP, 7),
        (
            "INSERT INTO journal SELECT 21, at_ms, kind, run, salt, body, commitment, hash FROM journal WHERE seq = 20",
            21,
        ),
        ("INSERT INTO journal SELECT 0, at_ms, kind, run, salt, body, commitment, hash FROM journal WHERE seq = 20", 1),
    ],
)
async def test_the_first_record_that_does_not_follow_is_named(tmp_path: Path, change: str, first_bad: int) -> None:
    await (await written(tmp_path / "j")).close()
    meddle(change)(tmp_path / "j")
    with pytest.raises(JournalBroken, match=f"record {first_bad} ") as told:
        Journal.open(tmp_path / "j", KEY)
    assert told.value.hint


async def test_an_old_page_put_back_is_noticed(tmp_path: Path) -> None:
    """The cipher takes it: it is our own page. The chain, and the comparison with the index, do not."""
    path = tmp_path / "j"
    await (await written(path, 300, 400)).close()
    old = path.read_bytes()
    journal = Journal.open(path, KEY)
    for number in range(300):
        journal.append(("revoked", f"r{number % 3}", b"%d " % number + MARKER * 20))
    await journal.close()
    new = path.read_bytes()
    pages = [at for at in range(0, len(old), 4096) if old[at : at + 4096] != new[at : at + 4096]]
    assert len(pages) > 3
    for at in pages:
        path.write_bytes(new[:at] + old[at : at + 4096] + new[at + 4096 :])
        with pytest.raises(JournalBroken):
            Journal.open(path, KEY)


async def test_one_flipped_bit_anywhere_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "j"
    await (await written(path, 200, 100)).close()
    good = path.read_bytes()
    for at in range(16, len(good), 997):
        bad = bytearray(good)
        bad[at] ^= 4
        path.write_bytes(bad)
        with pytest.raises(JournalBroken):
            Journal.open(path, KEY)


async def test_a_page_altered_under_a_running_kernel_stops_it(tmp_path: Path) -> None:
    path = tmp_path / "j"
    await (await written(path, 2000, 400)).close()
    journal = Journal.open(path, KEY)
    damaged = bytearray(path.read_bytes())
    for at in range(8192, len(damaged), 512):
        damaged[at] ^= 1
    path.write_bytes(damaged)
    journal._reading.release_memory()
    with pytest.raises(JournalBroken):
        list(journal.entries())
    with pytest.raises(JournalBroken):
        journal.append(("call", "", b"no more"))
    await journal.close()


async def test_another_key_opens_nothing(tmp_path: Path) -> None:
    await (await written(tmp_path / "j")).close()
    before = (tmp_path / "j").read_bytes()
    with pytest.raises(JournalBroken, match="key"):
        Journal.open(tmp_path / "j", b"w" * 32)
    assert (tmp_path / "j").read_bytes() == before


async def test_a_plain_database_is_not_taken_for_a_journal(tmp_path: Path) -> None:
    with_plain = apsw.Connection(str(tmp_path / "j"))
    with_plain.execute(schema.SCHEMA)
    with_plain.close()
    with pytest.raises(JournalBroken):
        Journal.open(tmp_path / "j", KEY)


async def test_a_newer_journal_is_left_alone(tmp_path: Path) -> None:
    await (await written(tmp_path / "j")).close()
    meddle(f"PRAGMA user_version = {schema.VERSION + 1}")(tmp_path / "j")
    with pytest.raises(JournalBroken, match="newer") as told:
        Journal.open(tmp_path / "j", KEY)
    assert told.value.code == "newer"


def held_open(path: Path) -> list[str]:
    links = [os.readlink(each) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return [each for each in links if each.startswith(str(path))]


@pytest.mark.parametrize(
    ("key", "change"),
    [
        (b"w" * 32, "SELECT 1"),
        (KEY, "PRAGMA user_version = 1000"),
        (KEY, "UPDATE journal SET body = x'78' WHERE seq = 3"),
    ],
)
async def test_what_could_not_be_opened_leaves_no_file_open(tmp_path: Path, key: bytes, change: str) -> None:
    await (await written(tmp_path / "j")).close()
    meddle(change)(tmp_path / "j")
    with pytest.raises(JournalBroken) as told:  # and is held on to, with all that its frames hold
        Journal.open(tmp_path / "j", key)
    assert told.value.reason
    assert held_open(tmp_path) == []


@pytest.mark.parametrize("count", [0, 1, PAGE_ROWS - 1, PAGE_ROWS, PAGE_ROWS + 1])
async def test_each_page_is_read_once_and_none_beyond_the_last(
    tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = await written(tmp_path / "j", count)
    asked, rows = list[str](), journal._rows

    def counted(sql: str, values: tuple[int | str, ...]) -> object:
        asked.append(sql)
        return rows(sql, values)

    monkeypatch.setattr(journal, "_rows", counted)
    assert [entry.seq for entry in journal.entries()] == [*range(1, count + 1)]
    assert len(asked) == -(-count // PAGE_ROWS)
    del asked[:]
    assert len([*journal.entries(run="r1")]) == (count + 1) // 3
    assert len(asked) == min(count, 1)
    await journal.close()


async def test_no_file_has_a_word_in_the_clear(tmp_path: Path) -> None:
    journal = await written(tmp_path / "j", 400, 4000)
    journal.put_cached("a-plain-key", MARKER * 1000)
    await journal.durable(journal.append(("call", "r-plain-run", MARKER)))
    files = {each.name: each.read_bytes() for each in tmp_path.iterdir()}  # noqa: ASYNC240
    assert set(files) == {"j", "j-wal", "j-shm"}
    assert {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {0o600}  # noqa: ASYNC240
    await journal.close()
    files["closed"] = (tmp_path / "j").read_bytes()
    for raw in files.values():
        assert MARKER not in raw
        assert b"plain" not in raw
        assert b"SQLite format" not in raw
        assert b"journal_run" not in raw
    assert [each.name for each in tmp_path.iterdir()] == ["j"]  # noqa: ASYNC240
    assert (tmp_path / "j").stat().st_mode & 0o777 == 0o600


async def test_what_is_kept_beside_the_chain_comes_back_and_stays_few(tmp_path: Path) -> None:
    journal = await written(tmp_path / "j", 1)
    journal.put_cached("code", b"one")
    assert journal.get_cached("code") == b"one"
    journal.put_cached("code", b"two")
    await journal.close()
    journal = Journal.open(tmp_path / "j", KEY)
    assert journal.get_cached("code") == b"two"
    assert journal.get_cached("other") is None
    for number in range(CACHE_ROWS + 10):
        journal.put_cached(f"n{number}", b"")
    await journal.close()
    journal = Journal.open(tmp_path / "j", KEY)
    assert journal.get_cached("code") is None
    assert journal.get_cached(f"n{CACHE_ROWS + 9}") == b""
    assert journal.head[0] == 1
    await journal.close()


async def test_a_record_that_is_too_large_is_refused_and_takes_no_place(tmp_path: Path) -> None:
    journal = await written(tmp_path / "j", 1)
    with pytest.raises(JournalFull, match="larger than 16 MiB"):
        journal.append(("call", "", b"ok"), ("call", "", bytes(MAX_RECORD + 1)))
    assert journal.head[0] == 1
    with pytest.raises(ValueError, match="no such record"):
        await journal.durable(2)
    await journal.close()


async def test_more_than_the_disk_takes_is_refused_whole(tmp_path: Path) -> None:
    journal = await written(tmp_path / "j", 1)
    journal._writing.pragma("max_page_count", 1)  # a disk with no room, so that nothing leaves the queue
    for _ in range(MAX_QUEUED // (8 << 20) - 1):
        journal.append(("call", "", bytes(8 << 20)))
    head = journal.head
    with pytest.raises(JournalFull):
        journal.append(("call", "", b"small"), ("call", "", bytes(8 << 20)))
    assert journal.head == head
    await journal.close()


async def test_after_closing_everything_is_refused(tmp_path: Path) -> None:
    journal = await written(tmp_path / "j", 1)
    await journal.close()
    with pytest.raises(JournalBroken, match="closed"):
        journal.append(("call", "", b"x"))
    with pytest.raises(JournalBroken, match="closed"):
        list(journal.entries())


RECORD = st.tuples(st.sampled_from(("call", "grant")), st.sampled_from(("", "r1", "ä")), st.binary(max_size=300))
OPERATION = st.one_of(st.lists(RECORD, max_size=4), st.sampled_from(("durable", "reopen", "crash")))


@settings(max_examples=40, deadline=None)
@given(st.lists(OPERATION, max_size=14))
def test_the_journal_behaves_as_a_list(tmp_path_factory: pytest.TempPathFactory, steps: list[object]) -> None:
    asyncio.run(follow(tmp_path_factory.mktemp("model"), steps))


async def follow(folder: Path, steps: list[object]) -> None:
    model: list[tuple[str, str, bytes]] = []
    sure, path = 0, folder / "j"
    journal = Journal.open(path, KEY)
    for step in steps:
        if isinstance(step, list):
            assert journal.append(*step) == len(model) + len(step)
            model += step
        elif step == "durable":
            await journal.durable(len(model))
            sure = len(model)
        elif step == "reopen":
            await journal.close()
            sure = len(model)
            journal = Journal.open(path, KEY)
        else:  # what another machine would find if this one stopped now
            copy = folder / "copy"
            copy.mkdir()
            for each in (path, Path(f"{path}-wal")):
                if each.exists():
                    shutil.copy(each, copy / each.name)
            found = Journal.open(copy / "j", KEY)
            assert sure <= found.head[0] <= len(model)
            await found.close()
            shutil.rmtree(copy)
        seen = [(entry.kind, entry.run, entry.body) for entry in journal.entries()]
        assert seen == model
        assert [entry.body for entry in journal.entries(run="ä")] == [body for _, run, body in model if run == "ä"]
    await journal.close()
