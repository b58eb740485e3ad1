"""Events that programs send: each once, and so that programs which start each other come to an end.

A name is always sent as `event.NAME`, so no program can say that a timer was due, a hook called, or a file changed. An
event is named after the run and the call that sent it: the call that is made again after a crash finds it in the
journal, however long ago that was.

What keeps them within bounds:

* An event that a run sends is one hop further than the one that started the run, and a child is where its parent is.
  Beyond HOPS nothing is sent: two programs that answer each other stop by themselves.
* A program sends BURST at once and then RATE a second, its children's included.
* An event that nobody waits for is not kept.

Where the run had read from outside, the runs that its event starts have, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from agentos.events.dispatch import Book, Dispatch, Led, check
from agentos.home.refusal import Refusal
from agentos.v1 import error_pb2

HOPS = 8
BURST, RATE = 100, 10.0
# Of so many programs it is remembered how many they sent; of one that is forgotten, it is as if it sent none.
MOST_KNOWN = 1_000


class Sender(msgspec.Struct, frozen=True):
    """The call that sends: of this run and number, for the program at the top of its tree (by its path)."""

    run: str
    seq: int
    path: str
    hops: int
    outside: tuple[str, ...]


class Sending:
    def __init__(self, book: Book, dispatch: Dispatch, now_s: Callable[[], float] = time.monotonic) -> None:
        self._book, self._dispatch, self._now_s = book, dispatch, now_s
        # Of each program: how many it may send now, and when that was so.
        self._may_send: dict[str, tuple[float, float]] = {}

    async def send(self, sender: Sender, name: str, data: str) -> str:
        """The id of the event; on disk when this returns. Raises Refusal, JournalFull."""
        event, data = f"{sender.run}:{sender.seq}", data or "null"
        check(name, data, "")
        if seq := self._book.happened(event):
            await self._book.durable(seq)
            return event
        if sender.hops >= HOPS:
            reason = f"{HOPS} events and runs have led to this one, each sent by the one before"
            raise Refusal(error_pb2.CODE_LIMIT, reason, "let one of these programs not send", "depth")
        self._count(sender.path)
        to = self._book.queue.wants(f"event.{name}", data)
        if to or f"event.{name}" in self._book.queue.hearing.by_name:
            await self._dispatch.tell(event, f"event.{name}", data, to, led=Led(sender.hops + 1, sender.outside))
        return event

    def _count(self, path: str) -> None:
        """Raises Refusal where a program sends too many."""
        now = self._now_s()
        left, at = self._may_send.pop(path, (float(BURST), now))
        left = min(left + (now - at) * RATE, BURST)
        self._may_send[path] = max(left - 1, 0) if left >= 1 else left, now
        if len(self._may_send) > MOST_KNOWN:
            del self._may_send[next(iter(self._may_send))]
        if left < 1:
            reason = f"a program sends at most {BURST} events at once and {RATE:.0f} a second"
            raise Refusal(error_pb2.CODE_LIMIT, reason, "send one event for many things", "rate")
