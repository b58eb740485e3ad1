"""A home that an older Agent OS made opens, with all it knew; one of a newer Agent OS is left alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

import apsw
import msgspec
import pytest

from agentos.home import chain, schema
from agentos.home.journal import JournalBroken
from tests.home.witnessed import KEY, Place

# As version 1 made it, word for word.
SCHEMA_1 = """
CREATE TABLE journal (
    seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, run TEXT NOT NULL,
    body BLOB NOT NULL, hash BLOB NOT NULL
) STRICT;
CREATE INDEX journal_run ON journal (run);
CREATE TABLE cache (at INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, value BLOB NOT NULL) STRICT;
"""
TABLE_OF_SECRETS = "CREATE TABLE vault (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID"
INSERT_1 = "INSERT INTO journal (seq, at_ms, kind, run, body, hash) VALUES (?, ?, ?, ?, ?, ?)"
RECORDS = [("call" if number % 2 else "grant", f"r{number % 5}", b"body %d" % number) for number in range(2_500)]


def chained_1(previous: bytes, seq: int, at_ms: int, kind: str, run: str, body: bytes) -> bytes:
    k, r = kind.encode(), run.encode()
    frame = (
        previous, seq.to_bytes(8, "big"), at_ms.to_bytes(8, "big", signed=True),
        len(k).to_bytes(4, "big"), k, len(r).to_bytes(4, "big"), r, len(body).to_bytes(4, "big"), body,
    )  # fmt: skip
    return blake2b(b"".join(frame), digest_size=32).digest()


def made_by_version_1(path: Path, records: list[tuple[str, str, bytes]] = RECORDS) -> bytes:
    """A database of version 1 with these records; the hash of the last."""
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    db = chain.connect(path, KEY)
    db.execute(f"BEGIN; {SCHEMA_1} PRAGMA application_id = 1097289555; PRAGMA user_version = 1; COMMIT")
    hashed = blake2b(b"agentos journal 1", digest_size=32).digest()
    db.execute("BEGIN")
    for seq, (kind, run, body) in enumerate(records, 1):
        hashed = chained_1(hashed, seq, 1000 + seq, kind, run, body)
        db.execute(INSERT_1, (seq, 1000 + seq, kind, run, body, hashed))
    db.execute("INSERT INTO cache (key, value) VALUES ('code', x'01')")
    db.execute("COMMIT")
    db.execute(TABLE_OF_SECRETS)
    db.execute("INSERT INTO vault VALUES ('k', x'02')")
    db.close()
    return hashed


async def test_a_home_of_version_1_opens_with_all_it_knew(tmp_path: Path) -> None:
    place = Place(tmp_path)
    last = made_by_version_1(place.path)
    journal = place.open()
    assert [(each.kind, each.run, each.body) for each in journal.entries()] == RECORDS
    assert [each.at_ms for each in journal.entries()][:2] == [1001, 1002]
    [migrated] = journal.entries(kinds=(schema.MIGRATED,))
    assert msgspec.json.decode(migrated.body) == {"from": 1, "records": 2500, "hash": last.hex()}
    assert journal.get_cached("code") == b"\x01"
    assert len(list(journal.entries(run="r3"))) == 500
    await journal.durable(journal.append(("call", "r1", b"and on")))
    await journal.close()
    assert place.head.exists()
    assert place.rows("SELECT value FROM vault") == [(b"\x02",)]
    journal = place.open()
    assert journal.head[0] == 2502
    await journal.close()


async def test_an_empty_home_of_version_1_opens(tmp_path: Path) -> None:
    place = Place(tmp_path)
    made_by_version_1(place.path, [])
    journal = place.open()
    assert journal.head == chain.START
    await journal.close()


@pytest.mark.parametrize(
    "change", ["UPDATE journal SET body = x'00' WHERE seq = 1200", "DELETE FROM journal WHERE seq = 2500 / 2"]
)
async def test_what_version_1_would_have_refused_is_not_migrated(tmp_path: Path, change: str) -> None:
    place = Place(tmp_path)
    made_by_version_1(place.path)
    place.meddle(change)
    with pytest.raises(JournalBroken, match=r"record 12[05]"):
        place.open()
    assert place.rows("PRAGMA user_version") == [(1,)]


async def test_a_step_that_is_cut_off_is_taken_again_from_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path)
    made_by_version_1(place.path)
    step = schema.STEPS[1]

    def cut_off(db: apsw.Connection) -> None:
        step(db)
        raise KeyboardInterrupt

    monkeypatch.setitem(schema.STEPS, 1, cut_off)
    with pytest.raises(KeyboardInterrupt):
        place.open()
    assert place.rows("PRAGMA user_version") == [(1,)]
    assert place.rows("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'journal_1%'") == [(0,)]
    monkeypatch.setitem(schema.STEPS, 1, step)
    journal = place.open()
    assert len(list(journal.entries())) == 2500
    await journal.close()


async def test_steps_are_taken_one_after_another_from_wherever_a_home_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path)
    made_by_version_1(place.path)
    taken: list[int] = []

    def later(number: int) -> Callable[[apsw.Connection], None]:
        def step(db: apsw.Connection) -> None:
            assert db.in_transaction
            assert db.pragma("user_version") == number
            taken.append(number)

        return step

    for number in (2, 3):
        monkeypatch.setitem(schema.STEPS, number, later(number))
    monkeypatch.setattr(schema, "VERSION", 4)
    await place.open().close()
    assert taken == [2, 3]
    assert place.rows("PRAGMA user_version") == [(4,)]
    await place.open().close()
    assert taken == [2, 3]


async def test_a_newer_home_is_left_alone_and_says_so(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await place.write(3)
    place.meddle(f"PRAGMA user_version = {schema.VERSION + 1}")
    before = place.path.read_bytes()
    with pytest.raises(JournalBroken, match="newer") as told:
        place.open()
    assert (told.value.code, told.value.hint) == ("newer", "update Agent OS")
    assert place.path.read_bytes() == before


async def test_a_migrated_home_has_the_tables_of_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    place, new = Place(tmp_path), Place(tmp_path / "new")
    made_by_version_1(place.path)
    await place.open().close()
    await new.open().close()
    sql = "SELECT name, sql FROM sqlite_schema WHERE name <> 'vault' AND sql NOT NULL ORDER BY name"
    assert place.rows(sql) == new.rows(sql)
