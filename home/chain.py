"""The file under the journal: its cipher, its tables, and the check of its chain.

hash(n) = BLAKE2b-256(hash(n-1) ‖ n ‖ at_ms ‖ kind ‖ run ‖ body): n and at_ms as 8 bytes big-endian, the last three each
after its length in 4 bytes. The cipher (ChaCha20, a Poly1305 tag on every page) notices a page that was altered; the
chain notices one that is old. Neither notices a tail that was cut off cleanly: that takes the newest head, elsewhere.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path
from typing import cast

import apsw

SCHEMA_VERSION = 1
APPLICATION_ID = 0x41674F53  # "AgOS"
GENESIS = blake2b(b"agentos journal 1", digest_size=32).digest()

SCHEMA = """
CREATE TABLE journal (
    seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, run TEXT NOT NULL,
    body BLOB NOT NULL, hash BLOB NOT NULL
) STRICT;
CREATE INDEX journal_run ON journal (run);
CREATE TABLE cache (at INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, value BLOB NOT NULL) STRICT;
"""


class JournalBroken(Exception):
    """Nothing can be read or recorded any more: stop, and tell the person. `code` is `broken` or `newer`."""

    def __init__(self, reason: str, hint: str = "restore the home from a backup", code: str = "broken") -> None:
        super().__init__(reason)
        self.reason, self.hint, self.code = reason, hint, code


class JournalFull(Exception):
    """It is not on disk, so do not act on it. May pass: from `durable` the record keeps its place in the queue."""

    def __init__(self, reason: str = "the disk is full", hint: str = "make room on the disk") -> None:
        super().__init__(reason)
        self.reason, self.hint = reason, hint


def chained(previous: bytes, seq: int, at_ms: int, kind: str, run: str, body: bytes) -> bytes:
    """The hash of a record that follows the record with hash `previous`."""
    k, r = kind.encode(), run.encode()
    frame = (
        previous, seq.to_bytes(8, "big"), at_ms.to_bytes(8, "big", signed=True),
        len(k).to_bytes(4, "big"), k, len(r).to_bytes(4, "big"), r, len(body).to_bytes(4, "big"), body,
    )  # fmt: skip
    return blake2b(b"".join(frame), digest_size=32).digest()


def connect(path: Path, key: bytes) -> apsw.Connection:
    if len(key) != 32:
        raise ValueError("the key of a journal is 32 bytes")
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    # The cipher and its key come first: until then SQLite would take the file for a plain one.
    if db.pragma("cipher", "chacha20") != "chacha20":
        raise JournalBroken("this build of SQLite has no ChaCha20", "install apsw-sqlite3mc, and not apsw")
    db.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
    configure(db)
    return db


def configure(db: apsw.Connection) -> None:
    """What each connection is told beside its key."""
    db.set_busy_timeout(2000)
    for name, value in (
        ("temp_store", "MEMORY"), ("journal_mode", "WAL"), ("synchronous", "FULL"), ("secure_delete", "ON"),
        ("fullfsync", "ON"), ("checkpoint_fullfsync", "ON"), ("trusted_schema", "OFF"), ("cell_size_check", "ON"),
    ):  # fmt: skip
        db.pragma(name, value)


def create(path: Path, key: bytes) -> None:
    """Make an empty journal, for nobody else to read."""
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
    db = connect(path, key)
    version = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION}"
    db.execute(f"BEGIN; {SCHEMA} {version}; COMMIT")
    db.close()


def verified(db: apsw.Connection) -> tuple[int, bytes]:
    """Check the file and every record of the chain; returns the head."""
    version = cast(int, db.pragma("user_version"))
    if version > SCHEMA_VERSION:
        raise JournalBroken("this home was written by a newer Agent OS", "update Agent OS", "newer")
    if version < 1 or db.pragma("application_id") != APPLICATION_ID:
        raise JournalBroken("this database is not a journal")
    head = _walked(db)
    if db.execute("PRAGMA integrity_check(1)").fetchall() != [("ok",)]:
        raise JournalBroken("an index of the journal does not fit its records")
    return head


def _walked(db: apsw.Connection) -> tuple[int, bytes]:
    seq, previous = 0, GENESIS
    rows = db.execute("SELECT seq, at_ms, kind, run, body, hash FROM journal NOT INDEXED ORDER BY seq")
    try:
        for found, at_ms, kind, run, body, hashed in rows:
            if found != seq + 1 or chained(previous, found, at_ms, kind, run, body) != hashed:
                raise JournalBroken(f"record {seq + 1} of the journal is not what was written after record {seq}")
            seq, previous = found, hashed
    except apsw.Error:
        raise JournalBroken(f"record {seq + 1} of the journal cannot be read: its file was altered") from None
    return seq, previous


def unopened(wrong: apsw.Error | OSError) -> JournalBroken | JournalFull:
    if isinstance(wrong, OSError | apsw.CantOpenError):
        return JournalBroken("the journal's file cannot be opened")
    if isinstance(wrong, apsw.FullError):
        return JournalFull()
    if isinstance(wrong, apsw.BusyError):
        return JournalFull("another program holds the journal", "end what has the home's database open")
    return JournalBroken("the journal is not readable with this home's key: another key, or an altered file")
