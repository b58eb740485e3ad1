"""Marks: what a capability wants to find again when it is watched anew, such as how each file was that it has told of.

They lie in an encrypted file of their own beside the database, which is no part of what is sworn to: a mark that is
lost, or put back, has things told of once more, or not found that changed meanwhile, and nothing else stands on it. So
it is written without waiting for the disk, and a file that cannot be read is begun anew. A backup leaves it out.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import cast

import apsw

from agentos.home.chain import connect
from agentos.home.journal import JournalBroken

TABLES = (
    "CREATE TABLE IF NOT EXISTS mark (trigger TEXT, key TEXT, value TEXT, PRIMARY KEY (trigger, key)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS begun (trigger TEXT PRIMARY KEY) WITHOUT ROWID",
)
FILES = ("", "-wal", "-shm")


class Marks:
    """Belongs to the event loop. What the disk refuses is not marked, and told of once more."""

    def __init__(self, rows: apsw.Connection) -> None:
        """Not for callers: use `open`."""
        self._rows = rows

    @classmethod
    def open(cls, path: Path, key: bytes) -> Marks:
        """Those in this file; none where it cannot be read, and in memory alone where none can be made."""
        own = blake2b(key=key, digest_size=32, person=b"agentos.marks").digest()
        try:
            return cls(_opened(path, own))
        except (apsw.Error, JournalBroken, OSError):
            for end in FILES:
                with suppress(OSError):
                    path.with_name(path.name + end).unlink()
        with suppress(apsw.Error, JournalBroken, OSError):
            return cls(_opened(path, own))
        return cls(_with_tables(apsw.Connection(":memory:")))

    def begun(self, trigger: str) -> bool:
        """Whether all is noted that was there from the start."""
        return bool(self._asked("SELECT 1 FROM begun WHERE trigger = ?", (trigger,)))

    def of(self, trigger: str) -> list[tuple[str, str]]:
        found = self._asked("SELECT key, value FROM mark WHERE trigger = ?", (trigger,))
        return [(cast(str, key), cast(str, value)) for key, value in found]

    def put(self, trigger: str, marks: Iterable[tuple[str, str]], begun: bool = False) -> None:
        """Note these; one without a value is taken out."""
        with suppress(apsw.Error), self._rows:
            for key, value in marks:
                if value:
                    self._rows.execute("INSERT OR REPLACE INTO mark VALUES (?, ?, ?)", (trigger, key, value))
                else:
                    self._rows.execute("DELETE FROM mark WHERE trigger = ? AND key = ?", (trigger, key))
            if begun:
                self._rows.execute("INSERT OR IGNORE INTO begun VALUES (?)", (trigger,))

    def keep(self, triggers: Iterable[str]) -> None:
        """Forget those of all others."""
        known = {cast(str, row[0]) for row in self._asked("SELECT trigger FROM begun UNION SELECT trigger FROM mark")}
        with suppress(apsw.Error), self._rows:
            for gone in known.difference(triggers):
                self._rows.execute("DELETE FROM mark WHERE trigger = ?", (gone,))
                self._rows.execute("DELETE FROM begun WHERE trigger = ?", (gone,))

    def close(self) -> None:
        self._rows.close()

    def _asked(self, sql: str, values: tuple[str, ...] = ()) -> list[tuple[apsw.SQLiteValue, ...]]:
        try:
            return self._rows.execute(sql, values).fetchall()
        except apsw.Error:
            return []


def _opened(path: Path, key: bytes) -> apsw.Connection:
    path.touch(0o600)
    rows = connect(path, key)
    rows.pragma("synchronous", "NORMAL")
    return _with_tables(rows)


def _with_tables(rows: apsw.Connection) -> apsw.Connection:
    for table in TABLES:
        rows.execute(table)
    return rows
