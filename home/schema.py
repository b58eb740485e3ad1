"""The tables of a home's database, and how an older one becomes a current one.

`user_version` says which step a database has reached. Steps go forward only; each is one transaction together with its
new number, so that a power cut leaves the database before a step or after it, and the next start goes on from there.
A database that is newer than this program is left alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import cast

import apsw
import msgspec

from agentos.home import chain
from agentos.home.chain import JournalBroken, chained, commitment

APPLICATION_ID = 0x41674F53  # "AgOS"

# Of a record whose content was erased, `commitment` stands in place of salt and body.
JOURNAL = """
CREATE TABLE journal (
    seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, run TEXT NOT NULL,
    salt BLOB, body BLOB, commitment BLOB, hash BLOB NOT NULL,
    CHECK ((salt IS NULL) = (body IS NULL) AND (body IS NULL) = (commitment IS NOT NULL))
) STRICT;
"""
INDEX = "CREATE INDEX journal_run ON journal (run);"
CACHE = "CREATE TABLE cache (at INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, value BLOB NOT NULL) STRICT;"
# checkpoint: signed heads (see `heads`). fold: signed snapshots of what is folded from the journal (see `folds`).
# marks: what the home knows of itself.
SIGNED = """
CREATE TABLE checkpoint (seq INTEGER PRIMARY KEY, line TEXT NOT NULL) STRICT;
CREATE TABLE fold (
    name TEXT PRIMARY KEY, seq INTEGER NOT NULL, hash BLOB NOT NULL, state BLOB NOT NULL, signature BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE marks (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""
SCHEMA = JOURNAL + INDEX + CACHE + SIGNED
PAGE_ROWS = 1000


def create(path: Path, key: bytes, vfs: str = "") -> None:
    """Make an empty journal, for nobody else to read."""
    db = emptied(path, key, vfs)
    version = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}"
    db.execute(f"BEGIN; {SCHEMA} {version}; COMMIT")
    db.close()


def emptied(path: Path, key: bytes, vfs: str = "") -> apsw.Connection:
    """A new database without a table, for nobody else to read."""
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
    return chain.connect(path, key, vfs)


def bring_up_to_date(db: apsw.Connection) -> None:
    """Take the steps that this database has not taken yet. Raises JournalBroken where it is none of ours, or newer."""
    version = cast(int, db.pragma("user_version"))
    if version > VERSION:
        raise JournalBroken("this home was written by a newer Agent OS", "update Agent OS", "newer")
    if version < 1 or db.pragma("application_id") != APPLICATION_ID:
        raise JournalBroken("this database is not a journal")
    for reached in range(version, VERSION):
        with db:  # a transaction
            STEPS[reached](db)
            db.execute(f"PRAGMA user_version = {reached + 1}")


# ---- 1 to 2: the chain was over the content itself; now it is over a salted commitment to it.

GENESIS_1 = blake2b(b"agentos journal 1", digest_size=32).digest()


def _chained_1(previous: bytes, seq: int, at_ms: int, kind: str, run: str, body: bytes) -> bytes:
    k, r = kind.encode(), run.encode()
    frame = (
        previous, seq.to_bytes(8, "big"), at_ms.to_bytes(8, "big", signed=True),
        len(k).to_bytes(4, "big"), k, len(r).to_bytes(4, "big"), r, len(body).to_bytes(4, "big"), body,
    )  # fmt: skip
    return blake2b(b"".join(frame), digest_size=32).digest()


def _salt(db: apsw.Connection) -> None:
    """Write each record anew, checked by the old chain, under the new one; the last record says where the old ended."""
    chain.indexed(db)
    db.execute(f"ALTER TABLE journal RENAME TO journal_1; DROP INDEX journal_run; {JOURNAL}")
    seq, at_ms, old, new = 0, 0, GENESIS_1, chain.GENESIS
    at = chain.FIRST
    while rows := db.execute(
        "SELECT seq, at_ms, kind, run, body, hash FROM journal_1 WHERE seq > ? ORDER BY seq LIMIT ?", (at, PAGE_ROWS)
    ).fetchall():
        copied: list[tuple[int, int, str, str, bytes, bytes, bytes]] = []
        for found, at_ms, kind, run, body, hashed in cast(list[tuple[int, int, str, str, bytes, bytes]], rows):
            if found != seq + 1 or _chained_1(old, found, at_ms, kind, run, body) != hashed:
                raise JournalBroken(f"record {seq + 1} of the journal is not what was written after record {seq}")
            salt = os.urandom(chain.SALT_BYTES)
            new = chained(new, found, at_ms, kind, run, commitment(salt, body))
            copied.append((found, at_ms, kind, run, salt, body, new))
            seq, old, at = found, hashed, found
        insert(db, copied)
    if seq:
        body, salt = msgspec.json.encode({"from": 1, "records": seq, "hash": old.hex()}), os.urandom(chain.SALT_BYTES)
        new = chained(new, seq + 1, at_ms, MIGRATED, "", commitment(salt, body))
        insert(db, [(seq + 1, at_ms, MIGRATED, "", salt, body, new)])
    db.execute(f"DROP TABLE journal_1; {INDEX} {SIGNED}")


def insert(db: apsw.Connection, rows: list[tuple[int, int, str, str, bytes, bytes, bytes]]) -> None:
    db.executemany("INSERT INTO journal (seq, at_ms, kind, run, salt, body, hash) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


OWN = "home."  # kinds of records that the home itself writes: nobody folds them
MIGRATED, ACCEPTED, UNREAD, HEADS = OWN + "migrated", OWN + "accepted", OWN + "unread", OWN + "heads"
STEPS: dict[int, Callable[[apsw.Connection], None]] = {1: _salt}
VERSION = max(STEPS) + 1
