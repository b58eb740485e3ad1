"""Homes that each older version made with its own code open with all they knew; one from the future is left alone.

The homes are in `older`, which says how they were made.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import shutil
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agentos.home import auditing, chain, history, home, keys, schema, unlocking
from agentos.home.heads import Signer, Witness
from agentos.home.journal import Journal, JournalBroken, JournalFull
from agentos.home.keys import HomeError
from agentos.home.places import File
from agentos.home.vault import Vault
from agentos.kernel.ledger import FOLD, Ledger
from bench.disk import VFS, Disk, Head
from tests.home.test_kernel_process import kernel

OLDER = sorted((Path(__file__).parent / "older").glob("*.zip"))
FIRST = [each for each in OLDER if each.name.startswith("1-")]
CUTS = 120
every = pytest.mark.parametrize("packed", OLDER, ids=lambda each: each.stem)
of_version_1 = pytest.mark.parametrize("packed", FIRST, ids=lambda each: each.stem)


class Older:
    """A home as it lay there when this version was installed over the older one."""

    def __init__(self, packed: Path, folder: Path) -> None:
        self.path = folder / "home"
        self.path.mkdir(mode=0o700)
        with zipfile.ZipFile(packed) as files:
            for each in ("unlock.json", "agentos.db"):
                (self.path / each).write_bytes(files.read(each))
                (self.path / each).chmod(0o600)
            self.key = files.read("key").decode()
            self.known: dict[str, Any] = json.loads(files.read("known.json"))
            name = unlocking.read(self.path).home
            if "head" in files.namelist():
                place = folder / "state" / name
                place.mkdir(mode=0o700, parents=True)
                (place / "head").write_bytes(files.read("head"))
        self.keys = keys.derive(unlocking.home_key(unlocking.read(self.path), self.key))
        self.signer = Signer(name, self.keys.signing)

    def open(self, *folds: str) -> tuple[home.Home, Journal]:
        held = home.unlock(self.path, self.key)
        try:
            return held, Journal.open(held.database, held.keys.database, held.witness(), folds)
        except BaseException:
            held.close()
            raise

    def version(self) -> object:
        return self.rows("PRAGMA user_version")[0]

    def rows(self, sql: str) -> list[object]:
        db = chain.connect(self.path / "agentos.db", self.keys.database)
        found = db.execute(sql).fetchall()
        db.close()
        return list(found)

    def lacks(self, journal: Journal) -> list[object]:
        """What the older version recorded, and is not there or not the same. New fields are none of its business."""
        now = {each.seq: each for each in journal.entries()}
        return [
            (seq, kind)
            for seq, kind, run, at_ms, said in self.known["records"]
            if (now[seq].kind, now[seq].run, now[seq].at_ms) != (kind, run, at_ms)
            or not said.items() <= plain(history.decode(now[seq].body)).items()
        ]


def plain(record: history.Record) -> dict[str, Any]:
    """As it was written down: bytes as base64, tuples as lists."""
    found: dict[str, Any] = json.loads(msgspec.json.encode(record))
    return found


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTOS_STATE", str(tmp_path / "state"))


def test_a_home_of_each_form_is_here() -> None:
    """Whoever gives the tables a new version, or the snapshot a new name, keeps a home of the one before."""
    assert [each.stem for each in OLDER] == [
        "1-first", "1-vault", "2-children", "2-events", "2-generations", "2-heads", "2-sent", "2-waits",
    ]  # fmt: skip
    assert schema.VERSION == 2
    assert set(schema.STEPS) == set(range(1, schema.VERSION))


@every
async def test_a_home_of_an_older_version_opens_with_all_it_knew_and_goes_on(packed: Path, tmp_path: Path) -> None:
    older = Older(packed, tmp_path)
    held, journal = older.open(FOLD)
    assert older.lacks(journal) == []
    ledger = Ledger(journal)
    assert {name: [each.uses, bool(each.revoked)] for name, each in ledger.table.held.items()} == older.known["held"]
    seen = ledger.past("r1")
    assert seen
    assert seen.end
    assert (seen.began.arguments, seen.end.result) == (("--for", "Ada"), '"the result"')
    assert [made.action for made, _ in ledger.calls("r1")] == ["files.write", "files.write", "files.write"]
    await ledger.durable(ledger.record(history.CapabilityRemoved("nothing")))
    ledger.keep()
    await journal.close()
    if older.known["vault"]:
        vault = Vault.open(held.database, held.keys.database)
        assert vault.get(older.known["vault"]) == b"the value of a secret"
        vault.close()
    held.close()
    assert older.version() == (schema.VERSION,)
    assert older.rows("SELECT name FROM fold") == [(FOLD,)], "it would outlive what is forgotten"
    status, said = auditing.audited(older.path, older.key, ["verify"])
    assert (status, "all of it fits" in said) == (0, True), said
    held, journal = older.open(FOLD)
    assert older.lacks(journal) == []
    await journal.close()
    held.close()


@every
async def test_what_an_older_version_kept_of_its_history_is_what_the_history_says(packed: Path, tmp_path: Path) -> None:
    older = Older(packed, tmp_path)
    folded = []
    for folds in ((FOLD,), ()):
        held, journal = older.open(*folds)
        folded.append(msgspec.msgpack.decode(msgspec.msgpack.encode(Ledger(journal)._all)))
        await journal.close()
        held.close()
    assert folded[0] == folded[1]


@of_version_1
def test_a_migration_that_is_cut_off_leaves_the_old_home_or_the_new_one(packed: Path, tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    print("seed", seed)
    chance = random.Random(seed)  # noqa: S311
    older = Older(packed, tmp_path)
    before = shutil.copytree(older.path, tmp_path / "before")
    found: dict[object, int] = {}
    while sum(found.values()) < CUTS:
        here = tmp_path / "here"
        here.mkdir()
        shutil.copy(before / "agentos.db", here / "agentos.db")
        disk = Disk(chance, lambda: (0, {}), 0.4)
        disk.adopt(here)
        asyncio.run(opened(here, older, Witness(older.signer, Head(disk)), VFS))
        for at, cut in enumerate(disk.cuts):
            left = tmp_path / f"left {at}"
            left.mkdir()
            cut.survivor(left, chance)
            version, whole = tables(left, older)
            assert whole, "half of the one and half of the other"
            found[version] = found.get(version, 0) + 1
            asyncio.run(opened(left, older, Witness(older.signer, File(left / "head"))))
            shutil.rmtree(left)
        shutil.rmtree(here)
    assert set(found) == {1, 2}, "each was seen"


@of_version_1
def test_whichever_operation_of_a_migration_fails_the_next_start_takes_it_again(packed: Path, tmp_path: Path) -> None:
    older = Older(packed, tmp_path)
    database = (older.path / "agentos.db").read_bytes()
    for number in range(1, 1_000):
        here = tmp_path / f"here {number}"
        here.mkdir()
        (here / "agentos.db").write_bytes(database)
        disk = Disk(random.Random(1), lambda: (0, {}))  # noqa: S311
        disk.fail_at = number
        try:
            asyncio.run(opened(here, older, Witness(older.signer, Head(disk)), VFS))
        except (JournalBroken, JournalFull):
            assert disk.failed
        if disk.head:
            (here / "head").write_text(disk.head)
        asyncio.run(opened(here, older, Witness(older.signer, File(here / "head"))))
        shutil.rmtree(here)
        if not disk.failed:
            assert number > 30
            return
    pytest.fail("it never came to an end")


async def opened(folder: Path, older: Older, witness: Witness, vfs: str = "") -> None:
    """Open the database in a folder as a start does; it must hold all that the older version recorded."""
    journal = Journal.open(folder / "agentos.db", older.keys.database, witness, (FOLD,), vfs)
    lacks = older.lacks(journal)
    await journal.close()
    assert lacks == []


def tables(folder: Path, older: Older) -> tuple[object, bool]:
    """Which version a database is of, and whether its tables are those of that version."""
    db = chain.connect(folder / "agentos.db", older.keys.database)
    version = db.pragma("user_version")
    names = {str(name) for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()}
    count = db.execute("SELECT count(*) FROM journal").fetchall()[0][0]
    db.close()
    records = len(older.known["records"])
    new = {"checkpoint", "fold", "marks"}
    if version == 1:
        return 1, not names & new and "journal_1" not in names and count == records
    return version, new <= names and "journal_1" not in names and isinstance(count, int) and count > records


def newer_tables(older: Older) -> None:
    db = chain.connect(older.path / "agentos.db", older.keys.database)
    db.pragma("user_version", schema.VERSION + 1)
    db.close()


def newer_ways(older: Older) -> None:
    said = json.loads((older.path / "unlock.json").read_text())
    said["version"] = unlocking.VERSION + 1
    (older.path / "unlock.json").write_text(json.dumps(said))


def newer_records(older: Older) -> None:
    async def append() -> None:
        held, journal = older.open()
        body = msgspec.msgpack.encode({"type": "run.teleported", "run": "r1"})
        await journal.durable(journal.append(("run.teleported", "r1", body)))
        await journal.close()
        held.close()

    asyncio.run(append())


@pytest.mark.parametrize("newer", [newer_tables, newer_ways, newer_records])
def test_a_home_from_the_future_is_left_alone_and_says_what_to_do(newer: Any, tmp_path: Path) -> None:
    older = Older(OLDER[-1], tmp_path)
    newer(older)
    before = (older.path / "agentos.db").read_bytes()
    status, said = kernel("serve", "--home", str(older.path), secret=older.key)
    assert status == 5
    assert said["error"]["code"] == "newer"
    assert "newer Agent OS" in said["error"]["reason"]
    assert said["error"]["hint"].startswith("update Agent OS")
    if newer is not newer_records:  # there the chain is checked first, and a head is kept
        assert (older.path / "agentos.db").read_bytes() == before
        with pytest.raises((JournalBroken, HomeError)):
            auditing.accept(older.path, older.key, sure=True)
        assert (older.path / "agentos.db").read_bytes() == before
