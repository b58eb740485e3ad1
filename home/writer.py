"""The writing of the journal: a queue in memory, and the one thread that takes from it.

Theory of operation. `append` gives a record its place and its hash at once, in memory, and returns. A single writer
thread takes whatever has been appended, writes it in one transaction and waits for the disk: one fsync serves all
who wait (group commit), and because there is one order, a record that is durable has all before it on disk too.
Nobody waiting, a record is written a quarter of a second later at the latest: each commit is in the way of some call,
and so of fewer than one in a hundred. A unit (the records of one `append`) is never split.

When the disk refuses. A full disk is a state that passes: what was appended stays in memory, in order, and is tried
again with each `durable` and once a second; until it succeeds, `durable` raises `JournalFull`. A caller told so must
not act, but has not lost its place, and may append how the matter ended. `append` itself raises only when too much is
queued, or a record is too large, and has then recorded nothing. Any other refusal (fsync failed, a page is altered) is
for good, since no one knows what is on the disk: every later call raises `JournalBroken` until the journal is opened
anew, from its start.

Rejected: one commit per record (a tenth of the throughput), synchronous=NORMAL (loses acknowledged records at a power
cut).
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import apsw
import msgspec

from agentos.home.chain import SALT_BYTES, JournalBroken, JournalFull, Point, chained, commitment
from agentos.home.commits import Batch, Commits, Entry, Erasure
from agentos.home.folds import Fold

MAX_RECORD = 16 << 20
MAX_QUEUED = 64 << 20
MAX_CACHED = 16 << 20
LINGER_S, SOON_S = 0.25, 0.01
RETRY_S = 1.0


class _Waiter(msgspec.Struct, frozen=True):
    seq: int
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]


class Writer:
    """Append from any thread; `durable` from any event loop. The thread begins with it, and ends with `written`."""

    def __init__(self, commits: Commits, head: Point) -> None:
        self._commits = commits
        self._watch: Callable[[JournalBroken], object] | None = None
        self._seq, self._hash = head
        self._durable = head[0]
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._tail: deque[tuple[Entry, bytes, bytes]] = deque()  # appended, and not known to be durable; salt, hash
        self._cached: dict[str, bytes] = {}  # put, and not yet written
        self._folds: dict[str, Fold] = {}  # likewise
        self._erasures: list[Erasure] = []  # likewise
        self._waiters: list[_Waiter] = []
        self._compacting: list[_Waiter] = []  # those who wait for room to be given back
        self._queued = self._batches = self._largest = self._busy_ns = self._refusals = 0
        self._broken: JournalBroken | None = None
        self._full: JournalFull | None = None
        self._closing = self._dozes = False
        self._soon = 0.0  # by when what was appended is to be written, though nobody waits; 0: in a while
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    @property
    def head(self) -> Point:
        """The newest appended record's sequence number (0: none) and hash."""
        with self._lock:
            return self._seq, self._hash

    def append(self, *made: tuple[str, str, bytes], erase: Sequence[tuple[str, Sequence[str]]] = ()) -> int:
        """Append (kind, run, body)… as one unit and return the last one's sequence number. Never waits.

        In the same transaction the content of earlier records is erased: `erase` says of which runs and which kinds.
        """
        for _, _, body in made:
            if len(body) > MAX_RECORD:
                raise JournalFull(f"a record is larger than {MAX_RECORD >> 20} MiB", "ask for less at a time")
        size = sum(len(body) + len(kind) + len(run) + 64 for kind, run, body in made)
        at_ms, salts = time.time_ns() // 1_000_000, os.urandom(SALT_BYTES * len(made))
        with self._work:
            self._check()
            if self._queued + size > MAX_QUEUED:
                raise JournalFull("more is to be recorded than the disk takes")
            if not self._tail and not self._dozes:
                self._work.notify()
            for at, (kind, run, body) in enumerate(made):
                salt = salts[at * SALT_BYTES : (at + 1) * SALT_BYTES]
                self._seq += 1
                self._hash = chained(self._hash, self._seq, at_ms, kind, run, commitment(salt, body))
                self._tail.append((Entry(self._seq, kind, run, at_ms, body), salt, self._hash))
            for of, kinds in erase:
                self._erasures.append(Erasure(of, tuple(kinds), self._seq - len(made)))
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

    def soon(self) -> None:
        """Have what is appended next written within some milliseconds, though nobody waits for it."""
        with self._work:
            if not self._soon:
                self._soon = time.monotonic() + SOON_S
                if self._tail:
                    self._work.notify()

    def put_cached(self, key: str, value: bytes) -> None:
        """Keep what can be made again: beside the chain, and lost where the disk is full or many are newer."""
        if len(value) > MAX_CACHED:
            return
        with self._work:
            self._check()
            self._cached[key] = value
            self._work.notify()

    def keep(self, name: str, state: bytes) -> None:
        """Keep what was folded from all that was appended up to now; it takes the place of an older one."""
        with self._work:
            self._check()
            if self._seq:  # of no record there is nothing to keep, and no head yet that says whose it is
                self._folds[name] = Fold(name, (self._seq, self._hash), state)
                self._work.notify()

    async def compact(self) -> None:
        """Give the room of what was erased back to the disk. Whatever is to be durable meanwhile waits for it.

        Raises JournalFull where the disk, or a reader, leaves no room for that now: nothing is lost, try again.
        """
        loop = asyncio.get_running_loop()
        with self._work:
            self._check()
            waiter = _Waiter(self._seq, loop, loop.create_future())
            self._compacting.append(waiter)
            self._work.notify()
        await waiter.future

    def watch(self, told: Callable[[JournalBroken], object]) -> None:
        """Call this, from any thread, when the journal breaks."""
        with self._work:
            self._watch = told

    def check(self) -> None:
        """Raises JournalBroken where nothing can be recorded any more."""
        with self._lock:
            self._check()

    def room(self) -> None:
        """Raises JournalFull while what was appended before waits for room, and is tried again each second."""
        with self._lock:
            if self._full and self._tail:
                raise JournalFull(self._full.reason, self._full.hint)

    async def written(self) -> None:
        """Write what is left, as far as the disk takes it; the thread has ended then."""
        with self._work:
            self._closing = True
            self._work.notify()
        await asyncio.to_thread(self._thread.join)

    def _check(self) -> None:
        if self._broken:
            raise JournalBroken(self._broken.reason, self._broken.hint, self._broken.code)

    # The writer thread's side.

    def _write(self) -> None:
        while True:
            with self._work:
                if not self._wait_for_work():
                    return
                batch = Batch(tuple(self._tail), dict(self._cached), tuple(self._folds.values()), tuple(self._erasures))
                last = (self._seq, self._hash)
                final, compacting, self._compacting = self._closing, self._compacting, []
            began = time.monotonic_ns()
            refused = self._commit(lambda: self._commits.write(batch, last, final))  # noqa: B023
            refused = refused or self._commit(self._commits.wipe)
            with self._work:
                self._busy_ns += time.monotonic_ns() - began
                self._settle(batch, last, refused)
                if self._broken or (refused and final):
                    return
            if not refused and (worse := self._commit(lambda: self._commits.keep(final))):  # noqa: B023
                with self._work:
                    self._settle(Batch(), last, worse)
            if compacting:
                self._compacted(compacting, refused or self._commit(self._commits.compact))
            if final and not self._pending():
                return

    def _wait_for_work(self) -> bool:
        """Until a batch, or a head, is due; false at the end. Holds the lock."""
        self._doze()
        while not self._closing and not self._pending():
            left = self._commits.lag(self._durable)
            if left == 0 or self._broken:
                break
            self._work.wait(left)
        pause = RETRY_S if self._full else LINGER_S
        due = time.monotonic() + pause - SOON_S  # so long it may have dozed
        while not self._closing and not self._waiters and not self._compacting and not self._broken:
            if (left := min(due, self._soon or due) - time.monotonic()) <= 0:
                break
            self._work.wait(left)
        self._soon = 0.0
        return not self._broken and (self._pending() or self._commits.lag(self._durable) is not None)

    def _doze(self) -> None:
        """Look by itself for a moment whether there is more: an answer need not wake it then, to be told to wait."""
        if not (self._closing or self._broken or self._pending()):
            self._dozes = True
            self._work.wait(SOON_S)
            self._dozes = False

    def _pending(self) -> bool:
        return bool(self._tail or self._cached or self._folds or self._erasures or self._compacting)

    def _commit(self, step: Callable[[], None]) -> JournalFull | JournalBroken | None:
        try:
            step()
        except apsw.Error as wrong:
            return self._undone(wrong)
        except BaseException:  # noqa: BLE001 (a fault of ours must stop the journal, and not only its thread)
            return JournalBroken("the journal's writer failed", "start the kernel again")
        return None

    def _undone(self, wrong: apsw.Error) -> JournalFull | JournalBroken:
        # Whether a commit that failed at its very end is on disk or not does not matter: what is tried again is the
        # same records, in the same places.
        try:
            self._commits.undo()
        except apsw.Error as worse:
            wrong = worse
        if isinstance(wrong, apsw.FullError) or getattr(wrong, "extendedresult", 0) == apsw.SQLITE_IOERR_SHMSIZE:
            return JournalFull()
        if isinstance(wrong, apsw.BusyError):
            return JournalFull("another program holds the journal", "end what has the home's database open")
        return JournalBroken("the disk refused a write to the journal", "check the disk, then start the kernel again")

    def _settle(self, batch: Batch, last: Point, refused: JournalFull | JournalBroken | None) -> None:
        self._full = refused if isinstance(refused, JournalFull) else None
        if refused:
            self._refusals += 1
            if isinstance(refused, JournalBroken):
                self._break(refused)
            told, self._waiters = self._waiters, []
            self._tell(told, lambda: type(refused)(refused.reason, refused.hint))
            return
        for entry, _, _ in batch.entries:
            self._tail.popleft()
            self._queued -= len(entry.body) + len(entry.kind) + len(entry.run) + 64
        self._durable = last[0]
        self._cached = {key: value for key, value in self._cached.items() if batch.cached.get(key) is not value}
        self._folds = {name: fold for name, fold in self._folds.items() if fold not in batch.folds}
        del self._erasures[: len(batch.erasures)]
        self._batches += 1
        self._largest = max(self._largest, len(batch.entries))
        told = [waiter for waiter in self._waiters if waiter.seq <= self._durable]
        self._waiters = [waiter for waiter in self._waiters if waiter.seq > self._durable]
        self._tell(told, None)

    def _compacted(self, told: list[_Waiter], refused: JournalFull | JournalBroken | None) -> None:
        with self._work:
            if isinstance(refused, JournalBroken):
                self._break(refused)
            self._tell(told, (lambda: type(refused)(refused.reason, refused.hint)) if refused else None)

    def _break(self, why: JournalBroken) -> None:
        if self._watch and self._broken is None:
            self._watch(why)
        self._broken = self._broken or why
        self._work.notify()
        told, self._waiters, self._compacting = self._waiters + self._compacting, [], []
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
