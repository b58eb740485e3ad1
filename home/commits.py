"""Commits: one transaction for a batch of records and all that goes with them, and the head that is kept after it.

Only the journal's writer thread is in here. `write` is one transaction: either all of a batch is on disk, with the
checkpoint that covers it, or none. What is signed, and when:

* a head to be kept elsewhere, HEAD_S after the last one, if there is anything new. It is kept, in each place that there
  is, before another is signed.
* a checkpoint every EVERY records besides, so that most of a damaged journal can still be vouched for.

Of the checkpoints between two of those that lie EVERY apart only the newest stays.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import cast

import apsw
import msgspec

from agentos.home import chain, folds
from agentos.home.chain import Point
from agentos.home.elsewhere import Carrier
from agentos.home.folds import Fold
from agentos.home.heads import Head, Place, Witness

EVERY = 256
HEAD_S = 0.5
LAST_S = 1.0  # how long the end waits for a place that the person chose
CACHE_ROWS = 4096

INSERT = "INSERT INTO journal (seq, at_ms, kind, run, salt, body, hash) VALUES (?, ?, ?, ?, ?, ?, ?)"
ERASE = "UPDATE journal SET salt = NULL, body = NULL, commitment = ? WHERE seq = ?"


class Entry(msgspec.Struct, frozen=True):
    """One record. `at_ms` is the wall clock when it was appended, and may go back where that did."""

    seq: int
    kind: str
    run: str
    at_ms: int
    body: bytes


class Erasure(msgspec.Struct, frozen=True):
    """The content of these kinds of records of a run, up to this one, is to go."""

    run: str
    kinds: tuple[str, ...]
    seq: int


class Batch(msgspec.Struct, frozen=True):
    """What one transaction takes: (record, salt, hash)…, values to cache, snapshots, content to erase."""

    entries: Sequence[tuple[Entry, bytes, bytes]] = ()
    cached: dict[str, bytes] = {}
    folds: tuple[Fold, ...] = ()
    erasures: tuple[Erasure, ...] = ()


class Commits:
    def __init__(
        self, db: apsw.Connection, witness: Witness | None, known: Head | None, kept: bool, more: Sequence[Place] = ()
    ) -> None:
        self._db = db
        self._witness = witness
        self._known = known
        self._lasting = 0  # the newest checkpoint that stays
        self._waits = None if kept else known  # signed, and not yet kept elsewhere
        self._next = 0.0  # when the next head may be signed or tried again
        self._filed: Head | None = None  # the head in the file
        self._carriers = [Carrier(place) for place in more]
        self._marked = False
        self.traces = False  # whether the log beside the database may still hold what was erased
        self.kept = 0  # up to which record a head is kept
        self._unkept = 0

    @property
    def unkept(self) -> int:
        """How often one could not be."""
        return self._unkept + sum(each.refused for each in self._carriers)

    def lag(self, seq: int) -> float | None:
        """In how many seconds a head is due, if nothing else happens; None where all is signed and kept."""
        if self._witness is None or (self._waits is None and self._known is not None and seq <= self._known.seq):
            return None
        return max(self._next - time.monotonic(), 0.0) if seq or self._waits else None

    def write(self, batch: Batch, last: Point, final: bool = False) -> None:
        """Raises apsw.Error, and then nothing was written (or it is not known whether: the same may be tried again)."""
        db = self._db
        self.keep(final)  # where that is done by now the next can be signed
        db.execute("BEGIN IMMEDIATE")
        db.executemany(
            INSERT,
            (
                (entry.seq, entry.at_ms, entry.kind, entry.run, salt, entry.body, hashed)
                for entry, salt, hashed in batch.entries
            ),
        )
        for erasure in batch.erasures:
            self._erase(erasure)
        self._cache(batch.cached)
        signed = self._signed(last, final)
        if self._witness:
            for fold in batch.folds:
                folds.keep(db, self._witness.signer, fold)
        db.execute("COMMIT")
        self.traces = self.traces or bool(batch.erasures)
        if signed:
            if self._known is None or signed.number > self._known.number:
                self._waits = signed
            self._known = signed

    def undo(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def _cache(self, cached: dict[str, bytes]) -> None:
        for key, value in cached.items():
            self._db.execute("INSERT OR REPLACE INTO cache (key, value) VALUES (?, ?)", (key, value))
        if cached:
            self._db.execute("DELETE FROM cache WHERE at <= (SELECT max(at) FROM cache) - ?", (CACHE_ROWS,))

    def _erase(self, erasure: Erasure) -> None:
        marks = ", ".join("?" * len(erasure.kinds))
        rows = self._db.execute(
            f"SELECT seq, salt, body FROM journal WHERE run = ? AND seq <= ? AND salt NOT NULL AND kind IN ({marks})",  # noqa: S608
            (erasure.run, erasure.seq, *erasure.kinds),
        ).fetchall()
        found = cast(list[tuple[int, bytes, bytes]], rows)
        self._db.executemany(ERASE, ((chain.commitment(salt, body), seq) for seq, salt, body in found))

    # What is signed.

    def _signed(self, last: Point, final: bool) -> Head | None:
        """Sign the newest record, where that is due, within the transaction."""
        known, seq = self._known, last[0]
        if self._witness is None or seq <= (known.seq if known else 0):
            return None
        due = self._waits is None and (final or time.monotonic() >= self._next)
        if not due and known and seq - known.seq < EVERY:
            return None
        epoch, number = (known.epoch, known.number) if known else (0, 0)
        head = self._witness.signer.head(last, epoch, number + due, time.time_ns() // 1_000_000)
        self._db.execute("INSERT INTO checkpoint (seq, line) VALUES (?, ?)", (seq, head.line))
        if known and known.seq - self._lasting < EVERY:
            self._db.execute("DELETE FROM checkpoint WHERE seq = ?", (known.seq,))
        elif known:
            self._lasting = known.seq
        return head

    def keep(self, final: bool = False) -> None:
        """Put the head that waits where it is kept. Where that is refused it waits on, and no other is signed."""
        if self._witness is None or self._waits is None or (time.monotonic() < self._next and not final):
            return
        if self._filed is not self._waits:
            self._next = time.monotonic() + HEAD_S
            try:
                self._witness.place.write(self._waits.line)
            except OSError:
                self._unkept += 1
                return
            self._filed = self._waits
        if not self._carried(self._waits.line, LAST_S if final else 0):
            self._next = time.monotonic() + HEAD_S
            return
        self.kept, self._waits = self._waits.seq, None
        if not self._marked:
            # From here on a head that is missing was taken away.
            self._db.execute("INSERT OR IGNORE INTO marks (name, value) VALUES ('kept', '1')")
            self._marked = True

    def _carried(self, line: str, seconds: float) -> bool:
        """Whether the line is everywhere else by now, or after so long."""
        there = [each.bring(line) for each in self._carriers]
        if seconds and not all(there):
            until = time.monotonic() + seconds
            for each in self._carriers:
                each.wait(max(until - time.monotonic(), 0))
            there = [each.bring(line) for each in self._carriers]
        return all(there)

    def compact(self) -> None:
        """Write the database anew without the room that is free in it, and the log beside it empty."""
        self._db.execute("VACUUM")
        self.traces = True
        self.wipe()

    def wipe(self) -> None:
        """Empty the log beside the database, where it holds what was erased; a reader may put that off."""
        if self.traces:
            try:
                [(busy, *_)] = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except (apsw.FullError, apsw.BusyError):
                return
            self.traces = bool(busy)
