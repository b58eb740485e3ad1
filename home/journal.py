"""The journal: one ordered, hash-chained, append-only table in the home's one encrypted database.

How it is written, and what holds when the disk refuses, is said in `writer.py`; here it is opened, read and closed.

The chain (`chain.py`) is checked when the journal is opened: from the newest snapshots on (`folds.py`), the rest of it
while the kernel is already at work. What is signed, and kept away from the database, is said in `heads.py`.

Rejected: an index on kind (an old page of an index hides rows and the chain does not notice; what authority is folded
from is therefore read from the checked table. The index on run is compared with the table on opening).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import cast

import apsw

from agentos.home import schema
from agentos.home.chain import START, JournalBroken, JournalFull, connect, unopened
from agentos.home.commits import Commits, Entry
from agentos.home.heads import Witness
from agentos.home.opening import Opened, opened
from agentos.home.recheck import Recheck
from agentos.home.writer import Writer

__all__ = ["Entry", "Journal", "JournalBroken", "JournalFull"]

PAGE_ROWS = 256

READ_ALL = "SELECT seq, kind, run, at_ms, body FROM journal WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
READ_KINDS = (  # of the others, what they hold is not read
    "SELECT seq, kind, run, at_ms, body FROM journal"
    " WHERE kind IN (SELECT value FROM json_each(?)) AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
)
READ_RUN = "SELECT seq, kind, run, at_ms, body FROM journal WHERE run = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"


class Journal(Writer):
    """What its `Writer` writes, opened and read. Open and close from one place."""

    def __init__(
        self, path: Path, writer: apsw.Connection, reader: apsw.Connection, found: Opened, witness: Witness | None
    ) -> None:
        """Not for callers: use `open`."""
        self.path = path
        self.folds = found.folds  # the snapshots that were kept, by name: each is signed, and of a record that is there
        self._writing, self._reading = writer, reader
        self._recheck: Recheck | None = None
        super().__init__(Commits(writer, witness, found.known, found.kept, found.places), found.head)

    @classmethod
    def open(
        cls, path: Path, key: bytes, witness: Witness | None = None, folds: Collection[str] = (), vfs: str = ""
    ) -> Journal:
        """Opens the journal and checks it; makes one where there is no file, or an empty one.

        Without a witness nothing is signed, and the whole chain is checked. With one, and a snapshot of each of these
        folds, the chain is checked from the oldest of them on; the rest of it while it is already open.
        """
        with contextlib.ExitStack() as opening:  # where it does not succeed, nothing stays open

            def connected() -> apsw.Connection:
                db = connect(path, key, vfs)
                opening.callback(db.close)
                return db

            try:
                if not path.exists() or path.stat().st_size == 0:
                    schema.create(path, key, vfs)
                writer = connected()
                found = opened(writer, witness, folds)
                reader, checker = connected(), connected()
                for each in (reader, checker):
                    each.pragma("query_only", "ON")
            except (apsw.Error, OSError) as wrong:
                raise unopened(wrong) from None
            opening.pop_all()
        journal = cls(path, writer, reader, found, witness)
        if witness and found.since != START:
            journal._recheck = Recheck(checker, witness.signer, found.since, journal._failed)
        else:
            checker.close()
        return journal

    def entries(self, after: int = 0, run: str = "", kinds: Sequence[str] = (), upto: int = 0) -> Iterator[Entry]:
        """All that was appended when this is called, in order, durable or not; of one run, of some kinds, up to one.

        What was erased is not among it, and neither is, unless its kind is asked for, what the home itself recorded.
        """
        with self._lock:
            self._check()
            last, tail = self._durable, [entry for entry, _, _ in self._tail if not upto or entry.seq <= upto]
        return self._read(after, min(upto, last) if upto else last, tail, run, frozenset(kinds))

    def at(self, seq: int) -> Entry | None:
        """One record, durable or not; None where there is none, or it was erased."""
        with self._lock:
            self._check()
            first = self._tail[0][0].seq if self._tail else self._seq + 1
            if first <= seq <= self._seq:
                return self._tail[seq - first][0]
        rows = self._rows(READ_ALL, (seq - 1, seq, 1))
        found = Entry(*cast(tuple[int, str, str, int, bytes], rows[0])) if rows else None
        return found if found and _asked(found, frozenset((found.kind,))) else None

    def first(self, run: str, kind: str) -> int:
        """Where the first record of this kind of a run stands, durable or not, erased or not; 0 where there is none."""
        with self._lock:
            self._check()
            waiting = (entry.seq for entry, _, _ in self._tail if (entry.run, entry.kind) == (run, kind))
            appended = next(waiting, 0)
        rows = self._rows("SELECT seq FROM journal WHERE run = ? AND kind = ? ORDER BY seq LIMIT 1", (run, kind))
        return cast(int, rows[0][0]) if rows else appended

    def get_cached(self, key: str) -> bytes | None:
        """What was put under a key, if it is still there. It is as authentic as the database; it may be gone."""
        with self._lock:
            self._check()
            if (waiting := self._cached.get(key)) is not None:
                return waiting
        rows = self._rows("SELECT value FROM cache WHERE key = ?", (key,))
        return cast(bytes, rows[0][0]) if rows else None

    async def close(self) -> None:
        """Write what is left, as far as the disk takes it, and close. Whoever needs to know asks `durable` before."""
        await self.written()
        if self._recheck:
            await asyncio.to_thread(self._recheck.close)
        with self._work:
            self._watch = None
            self._break(JournalBroken("the journal is closed", "start the kernel again"))
        for each in (self._reading, self._writing):
            # What a disk that fails now does not take into the database stays in the log beside it.
            with contextlib.suppress(apsw.Error):
                each.close()

    def size(self) -> int:
        """Bytes on disk, with the log beside the database."""
        found = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(each.stat().st_size for each in found if each.exists())

    def statistics(self) -> dict[str, int]:
        """Counts since it was opened; `busy_us` is the time spent in transactions, `refusals` those that failed."""
        with self._lock:
            return {
                "records": self._seq, "durable": self._durable, "queued": len(self._tail), "queued_bytes": self._queued,
                "batches": self._batches, "largest_batch": self._largest, "busy_us": self._busy_ns // 1000,
                "refusals": self._refusals, "head": self._commits.kept, "heads_refused": self._commits.unkept,
                "to_recheck": self._recheck.left if self._recheck else 0,
            }  # fmt: skip

    def _rows(self, sql: str, values: tuple[int | str, ...]) -> list[apsw.SQLiteValues]:
        try:
            return self._reading.execute(sql, values).fetchall()
        except apsw.Error:
            with self._work:
                self._break(JournalBroken("the journal cannot be read: its file was altered or the disk failed"))
            self._check()
            raise

    def _read(self, after: int, last: int, tail: list[Entry], run: str, kinds: frozenset[str]) -> Iterator[Entry]:
        at = after
        # By pages: one long read would hold up the checkpoints.
        sql, of = (READ_RUN, (run,)) if run else (READ_KINDS, (json.dumps([*kinds]),)) if kinds else (READ_ALL, ())
        while at < last:
            rows = self._rows(sql, (*of, at, last, PAGE_ROWS))
            for row in rows:
                entry = Entry(*cast(tuple[int, str, str, int, bytes], row))
                at = entry.seq
                if _asked(entry, kinds):
                    yield entry
            if len(rows) < PAGE_ROWS:
                break
        for entry in tail:
            if entry.seq > after and (not run or entry.run == run) and _asked(entry, kinds):
                yield entry

    def _failed(self, why: JournalBroken) -> None:
        with self._work:
            self._break(why)


def _asked(entry: Entry, kinds: frozenset[str]) -> bool:
    erased = cast(bytes | None, entry.body) is None
    return not erased and (entry.kind in kinds if kinds else not entry.kind.startswith(schema.OWN))
