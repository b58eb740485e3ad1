"""Waiting for an event in the middle of a run: `event.wait_for`.

What came is a fold of the journal (`events/hearing.py`), so this only looks, waits for a moment, and then lets the run
leave memory: a record says what it waits for, and the event that fits wakes it, in this kernel or the next. A call
takes an event with a record of its own before it answers. Cut off between the two, it finds that record and answers
the same; cut off before it, it takes the same event again, since nobody else takes it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from agentos.events.hearing import MOST_NAMES, Came, Filters, Wanted, fitting
from agentos.home import history
from agentos.home.happenings import Happened, Heard, Listens
from agentos.home.records import Fault
from agentos.kernel import own
from agentos.kernel.actor import Actor
from agentos.kernel.call import Call, Failed
from agentos.kernel.grants import bound_values
from agentos.kernel.ledger import Ledger
from agentos.kernel.own import Parted
from agentos.manifest.triggers import SENT
from agentos.runs.run import Run
from agentos.v1 import error_pb2, own_pb2

ACTION = "event.wait_for"
MOST_FIELDS, MOST_WHERE = 16, 4096


class Waits:
    def __init__(self, ledger: Ledger, wake: Callable[[str], None], now_ms: Callable[[], int]) -> None:
        self._ledger, self._hearing = ledger, ledger.queue.hearing
        self._wake, self._now_ms = wake, now_ms
        # Those that wait for a moment, by the event's name.
        self._news: dict[str, set[asyncio.Event]] = {}
        ledger.listeners.append(self._happened)

    def listen(self, run: Run) -> None:
        """Before a program begins: it hears the names that its manifest lists."""
        lines = (line for line in run.manifest.lines if line.action == ACTION)
        names = (f"event.{name}" for line in lines for name in bound_values(line.bounds, "name"))
        self._listen(run, list(names)[:MOST_NAMES])

    def _listen(self, run: Run, names: list[str]) -> None:
        """Raises Failed where it hears too many names already."""
        heard = self._hearing.runs.get(run.id)
        known = heard.names if heard else set[str]()
        new = tuple(name for name in dict.fromkeys(names) if name not in known)
        if len(known) + len(new) > MOST_NAMES:
            reason = f"a run waits for at most {MOST_NAMES} names of events"
            raise Failed(Fault(error_pb2.CODE_LIMIT, reason, "tell them apart by a field: where={…}", "names"))
        if new:
            self._ledger.record(Listens(run.id, new))

    async def wait_for(
        self, run: Run, actor: Actor, call: Call, request: own_pb2.EventWaitForRequest, asked_ms: int
    ) -> own_pb2.EventWaitForResponse:
        """The event that a call gets which was made at `asked_ms`. Raises Failed; Parted for more than a moment."""
        name, fields = f"event.{request.name}", _fields(request)
        timeout_ms = request.timeout_ms or own.YEAR_MS
        if not SENT.fullmatch(request.name) or not 1 <= timeout_ms <= own.YEAR_MS:
            raise _invalid("an event has a name like report.ready, and is waited for from 1 ms to 366 days")
        if place := self._hearing.taken(run.id, call.seq):
            return self._answer(actor, place)
        self._listen(run, [name])
        while True:
            newest = self._newest(run, name)
            if found := await self._first(run.id, name, fields):
                self._ledger.record(Heard(run.id, found.event, call.seq, found.seq))
                return self._answer(actor, found.seq)
            left_ms = asked_ms + timeout_ms - self._now_ms()
            if left_ms <= 0:
                return own_pb2.EventWaitForResponse()
            if self._newest(run, name) != newest or await self._news_of(name, min(left_ms, own.A_MOMENT_MS)):
                continue
            if actor.alone and left_ms > own.A_MOMENT_MS:
                run.waits = Wanted(name, fields, newest)
                raise Parted(asked_ms + timeout_ms)

    def came(self, run: Run) -> bool:
        """Whether there is news for a run that is on its way out of memory, to wait for it there."""
        return run.waits is not None and self._newest(run, run.waits.name) != run.waits.newest

    def _newest(self, run: Run, name: str) -> int:
        return max((each.seq for each in self._hearing.came(run.id, name)), default=0)

    async def _first(self, run: str, name: str, fields: Filters) -> Came | None:
        """The first that came and fits. Others have their turn before each that has to be read."""
        for each in self._hearing.came(run, name):
            if fields:
                await asyncio.sleep(0)
                if not fitting(self._said(each.seq).data)(fields):
                    continue
            if each in self._hearing.came(run, name):
                return each
        return None

    def _answer(self, actor: Actor, place: int) -> own_pb2.EventWaitForResponse:
        said = self._said(place)
        actor.outside |= dict.fromkeys(said.outside)
        return own_pb2.EventWaitForResponse(
            came=True, id=said.run, at_ms=said.at_ms, data=said.data, outside=said.outside
        )

    def _said(self, place: int) -> Happened:
        """What stands at this place of the journal. Raises Failed where it was erased."""
        found = self._ledger.at(place)
        if not isinstance(found, Happened):
            raise Failed(Fault(error_pb2.CODE_NOT_FOUND, "what this event said was erased", "", "erased"))
        return found

    async def _news_of(self, name: str, within_ms: int) -> bool:
        """Whether an event of this name came within that time."""
        news, all_news = asyncio.Event(), self._news.setdefault(name, set())
        all_news.add(news)
        try:
            await asyncio.wait_for(news.wait(), within_ms / 1000)
        except TimeoutError:
            return False
        finally:
            all_news.discard(news)
            if not all_news and self._news.get(name) is all_news:
                del self._news[name]
        return True

    def _happened(self, record: history.Record) -> None:
        if isinstance(record, Happened):
            for news in self._news.get(record.name, ()):
                news.set()
            for run in self._hearing.wakes(record):
                self._wake(run)


def _fields(request: own_pb2.EventWaitForRequest) -> Filters:
    """The fields that an event must have, each with its value as JSON. Raises Failed."""
    try:
        found = json.loads(request.where or "{}") if len(request.where.encode()) <= MOST_WHERE else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or len(found) > MOST_FIELDS:
        raise _invalid(f"what an event must have is an object of at most {MOST_FIELDS} fields and {MOST_WHERE} bytes")
    return tuple((name, json.dumps(value)) for name, value in sorted(found.items()))


def _invalid(reason: str) -> Failed:
    return Failed(Fault(error_pb2.CODE_INVALID, reason, 'event.wait_for("report.ready", where={"id": 7}, timeout=60)'))
