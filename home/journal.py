"""The journal: one ordered, hash-chained, append-only table in the home's one encrypted database.

Theory of operation. `append` gives a record its place and its hash at once, in memory, and returns. A single writer
thread takes whatever has been appended, writes it in one transaction and waits for the disk: one fsync serves all
who wait (group commit), and because there is one order, a record that is durable has all before it on disk too.
Nobody waiting, a record is written 50 ms later at the latest. A unit (the records of one `append`) is never split.

The chain (`chain.py`) is checked whole when the journal is opened.

When the disk refuses. A full disk is a state that passes: what was appended stays in memory, in order, and is tried
again with each `durable` and once a second; until it succeeds, `durable` raises `JournalFull`. A caller told so must
not act, but has not lost its place, and may append how the matter ended. `append` itself raises only when too much is
queued, and has then recorded nothing. Any other refusal (fsync failed, a page is altered) is for good, since no one
knows what is on the disk: every later call raises `JournalBroken` until the journal is opened anew, from its start.

Rejected: one commit per record (a tenth of the throughput), synchronous=NORMAL (loses acknowledged records at a power
cut), an index on kind (an old page of an index hides rows and the chain does not notice; what authority is folded
from is therefore read from the checked table. The index on run is compared with the table on opening).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import apsw
import msgspec

from agentos.home.chain import JournalBroken, JournalFull, chained, connect, create, unopened, verified

__all__ = ["Entry", "Journal", "JournalBroken", "JournalFull"]

MAX_RECORD = 16 << 20
MAX_QUEUED = 64 << 20
MAX_CACHED = 16 << 20
CACHE_ROWS = 4096
LINGER_S = 0.05
RETRY_S = 1.0
PAGE_ROWS = 256

READ_ALL = "SELECT seq, kind, run, at_ms, body FROM journal WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
READ_RUN = "SELECT seq, kind, run, at_ms, body FROM journal WHERE run = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"


class Entry(msgspec.Struct, frozen=True):
    """One record. `at_ms` is the wall clock when it was appended, and may go back where that did."""

    seq: int
    kind: str
    run: str
    at_ms: int
    body: bytes


class _Waiter(msgspec.Struct, frozen=True):
    seq: int
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]


class Journal:
    """Append from any thread; `durable` from any event loop; open and close from one place."""

    def __init__(self, path: Path, writer: apsw.Connection, reader: apsw.Connection, head: tuple[int, bytes]) -> None:
        """Not for callers: use `open`."""
        self.path = path
        self._writing, self._reading = writer, reader
        self._seq, self._hash = head
        self._durable = head[0]
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._tail: deque[tuple[Entry, bytes]] = deque()  # appended, and not known to be durable
        self._cached: dict[str, bytes] = {}  # put, and not yet written
        self._waiters: list[_Waiter] = []
        self._queued = self._batches = self._largest = self._busy_ns = self._refusals = 0
        self._broken: JournalBroken | None = None
        self._full = self._closing = False
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, path: Path, key: bytes) -> Journal:
        """Opens the journal and checks the whole of it; makes one where there is no file, or an empty one."""
        try:
            if not path.exists() or path.stat().st_size == 0:
                create(path, key)
            writer = connect(path, key)
            head = verified(writer)
            reader = connect(path, key)
            reader.pragma("query_only", "ON")
        except (apsw.Error, OSError) as wrong:
            raise unopened(wrong) from None
        return cls(path, writer, reader, head)

    @property
    def head(self) -> tuple[int, bytes]:
        """The newest appended record's sequence number (0: none) and hash."""
        with self._lock:
            return self._seq, self._hash

    def append(self, *made: tuple[str, str, bytes]) -> int:
        """Append (kind, run, body)… as one unit and return the last one's sequence number. Never waits."""
        for _, _, body in made:
            if len(body) > MAX_RECORD:
                raise ValueError("a record is too large")
        size = sum(len(body) + len(kind) + len(run) + 64 for kind, run, body in made)
        at_ms = time.time_ns() // 1_000_000
        with self._work:
            self._check()
            if self._queued + size > MAX_QUEUED:
                raise JournalFull("more is to be recorded than the disk takes")
            if not self._tail and not self._cached:
                self._work.notify()
            for kind, run, body in made:
                self._seq += 1
                self._hash = chained(self._hash, self._seq, at_ms, kind, run, body)
                self._tail.append((Entry(self._seq, kind, run, at_ms, body), self._hash))
            self._queued += size
            return self._seq

    async def durable(self, seq: int) -> None:
        """Returns once every record up to `seq` is on disk; JournalFull or JournalBroken if it is not."""
        loop = asyncio.get_running_loop()
        with self._work:
            if seq > self._seq:
                raise ValueError("no such record yet")
            if seq <= self._durable:
                return
            self._check()
            waiter = _Waiter(seq, loop, loop.create_future())
            self._waiters.append(waiter)
            self._work.notify()
        await waiter.future

    def entries(self, after: int = 0, run: str = "", kinds: Sequence[str] = ()) -> Iterator[Entry]:
        """All that was appended when this is called, in order, durable or not; of one run, of some kinds."""
        with self._lock:
            self._check()
            last, tail = self._durable, [entry for entry, _ in self._tail]
        return self._read(after, last, tail, run, frozenset(kinds))

    def get_cached(self, key: str) -> bytes | None:
        """What was put under a key, if it is still there. It is as authentic as the database; it may be gone."""
        with self._lock:
            self._check()
            if (waiting := self._cached.get(key)) is not None:
                return waiting
        rows = self._rows("SELECT value FROM cache WHERE key = ?", (key,))
        return cast(bytes, rows[0][0]) if rows else None

    def put_cached(self, key: str, value: bytes) -> None:
        """Keep what can be made again: beside the chain, and lost where the disk is full or many are newer."""
        if len(value) > MAX_CACHED:
            return
        with self._work:
            self._check()
            self._cached[key] = value
            self._work.notify()

    async def close(self) -> None:
        """Write what is left, as far as the disk takes it, and close. Whoever needs to know asks `durable` before."""
        with self._work:
            self._closing = True
            self._work.notify()
        await asyncio.to_thread(self._thread.join)
        with self._work:
            self._break(JournalBroken("the journal is closed", "start the kernel again"))
        self._reading.close()
        self._writing.close()

    def statistics(self) -> dict[str, int]:
        """Counts since it was opened; `busy_us` is the time spent in transactions, `refusals` those that failed."""
        with self._lock:
            return {
                "records": self._seq, "durable": self._durable, "queued": len(self._tail), "queued_bytes": self._queued,
                "batches": self._batches, "largest_batch": self._largest, "busy_us": self._busy_ns // 1000,
                "refusals": self._refusals,
            }  # fmt: skip

    # The event loop's side.

    def _check(self) -> None:
        if self._broken:
            raise JournalBroken(self._broken.reason, self._broken.hint, self._broken.code)

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
        sql, of = (READ_RUN, (run,)) if run else (READ_ALL, ())
        while rows := self._rows(sql, (*of, at, last, PAGE_ROWS)):
            for row in rows:
                entry = Entry(*cast(tuple[int, str, str, int, bytes], row))
                at = entry.seq
                if not kinds or entry.kind in kinds:
                    yield entry
        for entry in tail:
            if entry.seq > after and (not run or entry.run == run) and (not kinds or entry.kind in kinds):
                yield entry

    # The writer thread's side.

    def _write(self) -> None:
        while True:
            with self._work:
                if not self._wait_for_work():
                    return
                batch, cached = list(self._tail), self._cached
                self._cached = dict(cached)
            began = time.monotonic_ns()
            refused = self._commit(batch, cached)
            with self._work:
                self._busy_ns += time.monotonic_ns() - began
                self._settle(batch, cached, refused)
                if self._broken or (refused and self._closing):
                    return

    def _wait_for_work(self) -> bool:
        """Until a batch is due; false at the end. Holds the lock."""
        while not self._closing and not self._tail and not self._cached:
            self._work.wait()
        pause = RETRY_S if self._full else LINGER_S
        due = time.monotonic() + pause
        while not self._closing and not self._waiters and not self._broken:
            if (left := due - time.monotonic()) <= 0:
                break
            self._work.wait(left)
        return not self._broken and bool(self._tail or self._cached)

    def _commit(self, batch: list[tuple[Entry, bytes]], cached: dict[str, bytes]) -> JournalFull | JournalBroken | None:
        db = self._writing
        try:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(
                "INSERT INTO journal (seq, at_ms, kind, run, body, hash) VALUES (?, ?, ?, ?, ?, ?)",
                ((entry.seq, entry.at_ms, entry.kind, entry.run, entry.body, hashed) for entry, hashed in batch),
            )
            for key, value in cached.items():
                db.execute("INSERT OR REPLACE INTO cache (key, value) VALUES (?, ?)", (key, value))
            if cached:
                db.execute("DELETE FROM cache WHERE at <= (SELECT max(at) FROM cache) - ?", (CACHE_ROWS,))
            db.execute("COMMIT")
        except apsw.Error as wrong:
            return self._undone(wrong)
        except BaseException:  # noqa: BLE001 (a fault of ours must stop the journal, and not only its thread)
            return JournalBroken("the journal's writer failed", "start the kernel again")
        return None

    def _undone(self, wrong: apsw.Error) -> JournalFull | JournalBroken:
        # Whether a commit that failed at its very end is on disk or not does not matter: what is tried again is the
        # same records, in the same places.
        try:
            if self._writing.in_transaction:
                self._writing.execute("ROLLBACK")
        except apsw.Error as worse:
            wrong = worse
        if isinstance(wrong, apsw.FullError) or getattr(wrong, "extendedresult", 0) == apsw.SQLITE_IOERR_SHMSIZE:
            return JournalFull()
        if isinstance(wrong, apsw.BusyError):
            return JournalFull("another program holds the journal", "end what has the home's database open")
        return JournalBroken("the disk refused a write to the journal", "check the disk, then start the kernel again")

    def _settle(
        self, batch: list[tuple[Entry, bytes]], cached: dict[str, bytes], refused: JournalFull | JournalBroken | None
    ) -> None:
        for key, value in cached.items():
            if self._cached.get(key) is value:
                del self._cached[key]
        self._full = isinstance(refused, JournalFull)
        if refused:
            self._refusals += 1
            if isinstance(refused, JournalBroken):
                self._break(refused)
            told, self._waiters = self._waiters, []
            self._tell(told, lambda: type(refused)(refused.reason, refused.hint))
            return
        for entry, _ in batch:
            self._tail.popleft()
            self._queued -= len(entry.body) + len(entry.kind) + len(entry.run) + 64
            self._durable = entry.seq
        self._batches += 1
        self._largest = max(self._largest, len(batch))
        told = [waiter for waiter in self._waiters if waiter.seq <= self._durable]
        self._waiters = [waiter for waiter in self._waiters if waiter.seq > self._durable]
        self._tell(told, None)

    def _break(self, why: JournalBroken) -> None:
        self._broken = self._broken or why
        self._work.notify()
        told, self._waiters = self._waiters, []
        self._tell(told, lambda: JournalBroken(why.reason, why.hint, why.code))

    def _tell(self, told: list[_Waiter], error: Callable[[], Exception] | None) -> None:
        """Wake those who wait, with one call into each of their event loops."""
        for loop in {waiter.loop for waiter in told}:
            futures = [waiter.future for waiter in told if waiter.loop is loop]
            try:
                loop.call_soon_threadsafe(_resolve, futures, error)
            except RuntimeError:  # that loop is closed: nobody waits
                continue


def _resolve(futures: list[asyncio.Future[None]], error: Callable[[], Exception] | None) -> None:
    for future in futures:
        if future.done():
            continue
        if error:
            future.set_exception(error())
        else:
            future.set_result(None)
