"""The file under the journal: its cipher, and the check of its chain.

    commitment(n) = BLAKE2b-256(salt ‖ body), person "agentos content"
    hash(n)       = BLAKE2b-256(hash(n-1) ‖ n ‖ at_ms ‖ kind ‖ run ‖ commitment(n))

with n and at_ms as 8 bytes big-endian, kind and run each after its length in 4 bytes, and hash(0) = GENESIS. The salt
is 16 random bytes beside the body: once both are erased the commitment alone stands there, says nothing of what it was
made from, and the chain goes on.

The cipher (ChaCha20, a Poly1305 tag on every page) notices a page that was altered; the chain notices one that is
old. Neither notices a tail that was cut off cleanly, or a database that is old as a whole: see `heads`.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import cast

import apsw

GENESIS = blake2b(b"agentos journal 2", digest_size=32).digest()
SALT_BYTES = 16
FIRST = -(1 << 63)

WALK = (
    "SELECT seq, at_ms, kind, run, salt, body, commitment, hash FROM journal NOT INDEXED"
    " WHERE seq > ? AND seq <= ? ORDER BY seq"
)
Row = tuple[int, int, str, str, bytes | None, bytes | None, bytes | None, bytes]
Point = tuple[int, bytes]  # a record's number and its hash
START: Point = (0, GENESIS)


class JournalBroken(Exception):
    """Nothing can be read or recorded any more: stop, and tell the person.

    `code` is `broken` or `newer`, or what was seen of the head: see `heads`.
    """

    def __init__(self, reason: str, hint: str = "restore the home from a backup", code: str = "broken") -> None:
        super().__init__(reason)
        self.reason, self.hint, self.code = reason, hint, code


class JournalFull(Exception):
    """It is not on disk, so do not act on it. May pass: from `durable` the record keeps its place in the queue."""

    def __init__(self, reason: str = "the disk is full", hint: str = "make room on the disk") -> None:
        super().__init__(reason)
        self.reason, self.hint = reason, hint


def commitment(salt: bytes, body: bytes) -> bytes:
    return blake2b(salt + body, digest_size=32, person=b"agentos content").digest()


def chained(previous: bytes, seq: int, at_ms: int, kind: str, run: str, committed: bytes) -> bytes:
    """The hash of a record that follows the record with hash `previous`."""
    k, r = kind.encode(), run.encode()
    frame = (
        previous, seq.to_bytes(8, "big"), at_ms.to_bytes(8, "big", signed=True),
        len(k).to_bytes(4, "big"), k, len(r).to_bytes(4, "big"), r, committed,
    )  # fmt: skip
    return blake2b(b"".join(frame), digest_size=32).digest()


def connect(path: Path, key: bytes, vfs: str = "") -> apsw.Connection:
    """A connection to the encrypted file. `vfs` names the layer between SQLite and the disk; empty is the system's."""
    if len(key) != 32:
        raise ValueError("the key of a journal is 32 bytes")
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs or None)
    try:
        # The cipher and its key come first: until then SQLite would take the file for a plain one.
        if db.pragma("cipher", "chacha20") != "chacha20":
            raise JournalBroken("this build of SQLite has no ChaCha20", "install apsw-sqlite3mc, and not apsw")
        db.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        configure(db)
    except BaseException:
        db.close()
        raise
    return db


def configure(db: apsw.Connection) -> None:
    """What each connection is told beside its key."""
    db.set_busy_timeout(2000)
    for name, value in (
        ("temp_store", "MEMORY"), ("journal_mode", "WAL"), ("synchronous", "FULL"), ("secure_delete", "ON"),
        ("fullfsync", "ON"), ("checkpoint_fullfsync", "ON"), ("trusted_schema", "OFF"), ("cell_size_check", "ON"),
    ):  # fmt: skip
        db.pragma(name, value)


def walked(db: apsw.Connection, start: Point = START, to: int = (1 << 63) - 1) -> Point:
    """Check every record after `start` and up to `to`; returns the last one's number and hash."""
    # From the very first row on, and not only from record 1: nothing stands before it.
    return followed(start, db.execute(WALK, (start[0] or FIRST, to)))


def followed(start: Point, rows: Iterable[apsw.SQLiteValues]) -> Point:
    """Check that these rows follow `start`, one after another."""
    seq, previous = start
    try:
        for found, at_ms, kind, run, salt, body, left, hashed in cast(Iterable[Row], rows):
            committed = left or b"" if salt is None or body is None else commitment(salt, body)
            if found != seq + 1 or chained(previous, found, at_ms, kind, run, committed) != hashed:
                raise JournalBroken(f"record {seq + 1} of the journal is not what was written after record {seq}")
            seq, previous = found, hashed
    except apsw.BusyError:
        raise
    except apsw.Error:
        raise JournalBroken(f"record {seq + 1} of the journal cannot be read: its file was altered") from None
    return seq, previous


def hash_of(db: apsw.Connection, seq: int) -> bytes | None:
    """The hash of one record as it is stored; None where there is no such record."""
    if seq == 0:
        return GENESIS
    rows = db.execute("SELECT hash FROM journal WHERE seq = ?", (seq,)).fetchall()
    return cast(bytes, rows[0][0]) if rows else None


def indexed(db: apsw.Connection) -> None:
    """Check that the indexes fit the tables, and each page its place."""
    if db.execute("PRAGMA integrity_check(1)").fetchall() != [("ok",)]:
        raise JournalBroken("an index of the journal does not fit its records")


def unopened(wrong: apsw.Error | OSError) -> JournalBroken | JournalFull:
    if isinstance(wrong, OSError | apsw.CantOpenError):
        return JournalBroken("the journal's file cannot be opened")
    if isinstance(wrong, apsw.FullError):
        return JournalFull()
    if isinstance(wrong, apsw.BusyError):
        return JournalFull("another program holds the journal", "end what has the home's database open")
    return JournalBroken("the journal is not readable with this home's key: another key, or an altered file")
