"""Where values lie that the journal must not hold: in the same encrypted file, in a table of their own.

The journal keeps all that was ever written to it, and a secret must be able to go. So the journal says what a secret is
for, under a random key that is never used twice, and here is the value under that key. A row that is missing is an
absence; an old page that was put back holds values that no record asks for any more.

Gone means that no copy of this file has it: a row is overwritten as it is deleted (`secure_delete`), and the log beside
the database, which still holds the pages as they were, is emptied into it and cut to nothing. What a disk keeps of
blocks that it gave away is encrypted, as all of the file is.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import apsw

from agentos.home.chain import JournalFull, connect, unopened

EMPTIED_WITHIN_S = 10.0
TABLE = "CREATE TABLE IF NOT EXISTS vault (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID"
BUSY = "something reads the database all the time: what was removed is still in the log beside it"


class Vault:
    """`get` belongs to the event loop. `put` and `keep` wait for the disk: call them from one thread at a time."""

    def __init__(self, writing: apsw.Connection, reading: apsw.Connection, traces: bool) -> None:
        """Not for callers: use `open`."""
        self._writing, self._reading = writing, reading
        self._traces = traces  # whether the log may still hold what was removed

    @classmethod
    def open(cls, path: Path, key: bytes) -> Vault:
        """The vault in a database that is there. Raises JournalBroken or JournalFull."""
        log = path.with_name(f"{path.name}-wal")
        try:
            left = log.exists() and log.stat().st_size > 0  # of a kernel that was killed
            writing = connect(path, key)
            writing.execute(TABLE)
            reading = connect(path, key)
            reading.pragma("query_only", "ON")
        except (apsw.Error, OSError) as wrong:
            raise unopened(wrong) from None
        return cls(writing, reading, left)

    def put(self, value: bytes) -> str:
        """Keep a value; on disk when this returns its key."""
        key = secrets.token_hex(16)
        self._write("INSERT INTO vault (key, value) VALUES (?, ?)", (key, value))
        return key

    def get(self, key: str) -> bytes | None:
        try:
            rows = self._reading.execute("SELECT value FROM vault WHERE key = ?", (key,)).fetchall()
        except apsw.Error as wrong:
            raise unopened(wrong) from None
        return cast(bytes, rows[0][0]) if rows else None

    def keep(self, keys: Iterable[str]) -> None:
        """Let everything else go, for good. Raises JournalFull where the last traces of it could not be wiped yet."""
        kept = tuple(keys)
        self._write(f"DELETE FROM vault WHERE key NOT IN ({', '.join('?' * len(kept))})", kept)  # noqa: S608
        self._traces = self._traces or self._writing.changes() > 0
        if self._traces:
            self._wipe()

    def close(self) -> None:
        self._reading.close()
        self._writing.close()

    def _write(self, sql: str, values: tuple[str | bytes, ...]) -> None:
        try:
            self._writing.execute(sql, values)
        except apsw.Error as wrong:
            raise unopened(wrong) from None

    def _wipe(self) -> None:
        until = time.monotonic() + EMPTIED_WITHIN_S
        while True:
            try:
                [(busy, *_)] = self._writing.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except apsw.Error as wrong:
                raise unopened(wrong) from None
            if not busy:
                self._traces = False
                return
            if time.monotonic() > until:
                raise JournalFull(BUSY, "agentos down empties it")
