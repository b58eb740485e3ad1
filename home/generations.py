"""The generations of a run, read from the journal: what it did each time before it began anew.

The kernel goes on with the newest alone, and holds nothing of those before. A run that lasts has many, so all of them
are read in one pass, of which only one is taken apart, and others go on meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

import msgspec

from agentos.home import history
from agentos.home.commits import Entry
from agentos.home.records import CallMade, CallSettled

KINDS = ("run.began", "run.continued", "call", "reply")
LISTED = 1_000
AT_ONCE = 256

Calls = list[tuple[CallMade, CallSettled | None]]


class Generation(msgspec.Struct):
    """The first has number 1 and no state; the newest has no end yet, whatever became of the run."""

    number: int = 1
    state: str = ""
    began_ms: int = 0
    calls: int = 0
    ended: history.RunContinued | None = None


def newest(began: history.RunBegan, continued: history.RunContinued | None) -> Generation:
    """The one that a run is in, or ended in; its calls are not counted yet."""
    if continued is None:
        return Generation(began_ms=began.queued_us // 1000)
    return Generation(continued.generation + 1, continued.state, continued.at_ms)


async def read(entries: Iterable[Entry], number: int) -> tuple[list[Generation], Generation | None, Calls]:
    """From the entries of a run, of KINDS: its newest generations, and one of them with its calls, if there is such."""
    listed, chosen, at = deque[Generation](maxlen=LISTED), None, Generation()
    made, settled = dict[int, CallMade](), dict[int, CallSettled]()
    for place, entry in enumerate(entries):
        if place % AT_ONCE == 0:
            await asyncio.sleep(0)
        at.calls += entry.kind == "call"
        record = history.decode(entry.body) if at.number == number or entry.kind.startswith("run.") else None
        match record:
            case history.RunBegan():
                at = newest(record, None)
            case history.RunContinued():
                at.ended = record
                chosen = at if at.number == number else chosen
                listed.append(at)
                at = Generation(record.generation + 1, record.state, record.at_ms)
            case CallMade():
                made[record.seq] = record
            case CallSettled():
                settled[record.seq] = record
            case _:
                pass
    listed.append(at)
    chosen = at if at.number == number else chosen
    return list(listed), chosen, [(made[seq], settled.get(seq)) for seq in sorted(made)]
