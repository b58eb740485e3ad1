"""The history before the snapshot, checked while the kernel is already at work.

One thread, in small bites with pauses three times as long: it takes a quarter of one core, holds the interpreter for a
fifth of a millisecond at a time, and no read of it is long enough to hold up the database's own log. (A lower priority
of the system would be worse: a thread that waits for the processor while it holds the interpreter lets nobody run.)
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import cast

import apsw

from agentos.home import chain
from agentos.home.chain import START, JournalBroken, Point
from agentos.home.heads import Signer

ROWS = 64
REST = 3.0
LEAST_REST_S = 0.0005


class Recheck:
    """Checks everything before `since`, every checkpoint and every index; tells `failed` of the first fault."""

    def __init__(
        self, db: apsw.Connection, signer: Signer, since: Point, failed: Callable[[JournalBroken], None]
    ) -> None:
        self._db, self._signer, self._since, self._failed = db, signer, since, failed
        self._stop = threading.Event()
        self.left = since[0]  # records that were not checked yet; the last goes when all is
        self._thread = threading.Thread(target=self._check, name="recheck", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._db.interrupt()
        self._thread.join()
        with contextlib.suppress(apsw.Error):
            self._db.close()

    def _check(self) -> None:
        try:
            began = time.monotonic()
            for _ in self._bites():
                if self._stop.wait(max((time.monotonic() - began) * REST, LEAST_REST_S)):
                    return
                began = time.monotonic()
        except JournalBroken as broken:
            self._remember(broken)
            self._failed(broken)
        except apsw.InterruptError:
            return
        except apsw.Error:
            if not self._stop.is_set():
                self._failed(JournalBroken("the journal cannot be read: its file was altered or the disk failed"))

    def _remember(self, broken: JournalBroken) -> None:
        """The next start must not go well again until it is here."""
        with contextlib.suppress(apsw.Error):
            self._db.pragma("query_only", "OFF")
            self._db.execute("INSERT OR REPLACE INTO marks (name, value) VALUES ('broken', ?)", (broken.reason,))

    def _bites(self) -> Iterator[None]:
        at, seq = START, self._since[0]  # whose hash is what was signed
        while at[0] < seq:
            rows = self._db.execute(f"{chain.WALK} LIMIT ?", (at[0] or chain.FIRST, seq, ROWS)).fetchall()
            if not rows:
                raise JournalBroken(f"record {at[0] + 1} of the journal is missing")
            at = chain.followed(at, rows)
            self.left = seq - at[0] + 1
            yield
        yield from self._checkpoints()
        chain.indexed(self._db)
        self.left = 0

    def _checkpoints(self) -> Iterator[None]:
        """Each line is ours, and of the record that has its number."""
        at = 0
        sql = (
            "SELECT c.seq, line, hash FROM checkpoint c LEFT JOIN journal j ON j.seq = c.seq"
            " WHERE c.seq > ? ORDER BY c.seq LIMIT 2"
        )
        while rows := self._db.execute(sql, (at,)).fetchall():
            for seq, line, hashed in cast(list[tuple[int, str, bytes | None]], rows):
                head = self._signer.read(line)
                if head is None or (head.seq, head.hash) != (seq, hashed):
                    raise JournalBroken(f"the checkpoint at record {seq} is not what this home signed")
                at = seq
            yield
