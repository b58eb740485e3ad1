"""A home with as many parked runs and timers as wanted, made out of one real run that parked and one real arming.

A real kernel plays the program once, until it leaves memory, and arms it. What that left in the journal is recorded
again through the ledger, under other ids, times and paths: so each of these runs can be woken, played again and ended
like the one it was made from, and each timer fires.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
import msgspec

from agentos.home import history, home
from agentos.home.happenings import Armed, Delivered, Happened
from agentos.home.history import Record, RunBegan, RunParked
from agentos.home.journal import Journal
from agentos.home.records import CallMade
from agentos.kernel.ledger import FOLD, Ledger
from agentos.manifest.trigger import Trigger, trigger
from agentos.v1 import control_pb2 as pb
from agentos.v1 import events_pb2, events_pb2_grpc
from tests.kernel.person import Person, Told, eventually, kernel_on, warm_home

# Shorter than a day: a guest sleeps for no longer in one go.
SLEEP_S, DAY_MS = 80_000, 86_400_000
# Timers of each program, the most that its manifest may name being 64; and how many of its runs an event began.
TIMERS_EACH, BEGUN_EACH = 10, 5
AT_ONCE = 2_000
ZONES = ("Europe/Paris", "UTC", "America/New_York", "Asia/Kolkata")
PROGRAM = """\
# /// script
# [tool.agentos]
# on = [
#   { event = "timer.cron", at = "0 7 * * *", tz = "Europe/Paris", concurrency = { parallel = 8 } },
#   { event = "timer.every", seconds = 86400 },
# ]
# ///
import random, time

def main(input):
    drawn = [random.random() for _ in range(20)]
    began = time.time()
    time.sleep(SECONDS)
    print("awake")
    return [len(drawn), time.time() >= began]
"""
RESULT = [20, True]


class Parked(msgspec.Struct):
    """What is recorded again: the records of a run that left memory, and of an arming; where the programs stand."""

    run: list[Record]
    armed: Armed
    folder: str


class Made(msgspec.Struct):
    """What there is now."""

    records: int
    # Of the sample: when each is due, in unix milliseconds.
    due: dict[str, int] = {}


def program(seconds: int) -> str:
    return PROGRAM.replace("SECONDS", str(seconds))


def template(place: Path) -> None:
    """Make a home, and have a kernel play and arm the program in it."""
    at = warm_home(place)
    folder = place / "programs"
    folder.mkdir()
    with kernel_on(at, place / "log") as up:
        person = Person(up.socket, up.credential, folder)
        _parked(person)
        source, where = person.source(program(SLEEP_S)), str(folder)
        events = events_pb2_grpc.EventsServiceStub(person.channel)
        request = events_pb2.ArmRequest(source=source, start_folder=where, home_folder=where, confirmed=True)
        events.Arm(request, metadata=person.metadata)
        person.close()


def read(place: Path) -> Parked:
    """What that left."""
    with opened(place) as ledger:
        found = [history.decode(each.body) for each in ledger.journal.entries(run="r1")]
        armed = (history.decode(each.body) for each in ledger.journal.entries(kinds=("armed",)))
        return Parked(found, next(each for each in armed if isinstance(each, Armed)), str(place / "programs"))


def _parked(person: Person) -> None:
    told = Told()
    stream = person.start(person.source(program(SLEEP_S)), ask=pb.ASK_WAIT, grant_manifest=True)
    for event in stream:
        told.hear(event)
        if told.id:
            break
    with suppress(grpc.RpcError):
        stream.cancel()
    waits = pb.RUN_STATUS_WAITING
    if not eventually(lambda: person.record(told.id).status == waits and person.record(told.id).until_ms > 0):
        raise SystemExit(f"{told.id} did not leave memory: {person.record(told.id)}")


@contextmanager
def opened(place: Path, keep: bool = True) -> Iterator[Ledger]:
    """The ledger of a home that no kernel has; without `keep` it is left as a kernel leaves it that is killed."""
    held = home.unlock(place / "home")
    try:
        journal = Journal.open(held.database, held.keys.database, held.witness(), (FOLD,))
        ledger = Ledger(journal)
        yield ledger
        if keep:
            ledger.keep()
        asyncio.run(_closed(ledger))
    finally:
        held.close()


async def _closed(ledger: Ledger) -> None:
    await ledger.durable(ledger.journal.head[0])
    await ledger.journal.close()


def fill(ledger: Ledger, of: Parked, runs: int, timers: int, seed: int = 1) -> Made:
    """Record so many runs that sleep for days, half of them begun by an event, and so many timers."""
    chance, now_ms = random.Random(seed), time.time_ns() // 1_000_000  # noqa: S311  a choice to have again
    armed = list(_armed(ledger, of, timers, chance, now_ms))
    for at in range(runs):
        until_ms = now_ms + chance.randrange(DAY_MS, 300 * DAY_MS)
        by = armed[(at // BEGUN_EACH) % len(armed)] if at % 2 and armed else None
        ledger.record(*again(ledger, of, until_ms, by))
        if at % AT_ONCE == 0:
            asyncio.run(ledger.journal.durable(ledger.journal.head[0]))
    return Made(ledger.journal.head[0])


def sample(ledger: Ledger, of: Parked, due: Iterable[int]) -> Made:
    """Runs that come back at these times."""
    made = Made(0)
    for until_ms in due:
        records = again(ledger, of, until_ms, None)
        ledger.record(*records)
        made.due[records[0].run] = until_ms
    made.records = ledger.journal.head[0]
    return made


def _armed(ledger: Ledger, of: Parked, timers: int, chance: random.Random, now_ms: int) -> Iterator[Armed]:
    rules = [trigger(text) for _, text in of.armed.triggers]
    for number in range(-(-timers // TIMERS_EACH)):
        count = min(TIMERS_EACH, timers - number * TIMERS_EACH)
        made = tuple((ledger.next_id("t"), _rule(rules[each % len(rules)], chance).text) for each in range(count))
        armed = msgspec.structs.replace(of.armed, path=f"{of.folder}/p{number}.py", triggers=made, at_ms=now_ms)
        ledger.record(armed)
        yield armed


def _rule(rule: Trigger, chance: random.Random) -> Trigger:
    """Such a timer at another time; none of them is due within the next minutes but by chance."""
    if rule.event == "timer.cron":
        at = f"{chance.randrange(60)} {chance.randrange(24)} * * {chance.randrange(7)}"
        return msgspec.structs.replace(rule, at=at, tz=chance.choice(ZONES))
    return msgspec.structs.replace(rule, every_ms=chance.randrange(DAY_MS, 30 * DAY_MS))


def again(ledger: Ledger, of: Parked, until_ms: int, by: Armed | None) -> list[Record]:
    """The records of one more such run that sleeps until then, begun by a timer of this program or by the person."""
    name = ledger.next_id("r")
    shift_ms = until_ms - next(each.until_ms for each in of.run if isinstance(each, RunParked))
    made = [_moved(msgspec.structs.replace(each, run=name), shift_ms) for each in of.run]
    if by is None:
        return made
    (trigger_id, text), at_ms = by.triggers[0], until_ms - 3 * DAY_MS
    event = f"{trigger_id}@{at_ms}"
    data = json.dumps({"event": trigger(text).event, "id": event, "at": at_ms, "data": None})
    began = msgspec.structs.replace(made[0], path=by.path, input=data, event=event)
    happened = Happened(event, trigger(text).event, at_ms, "null", (trigger_id,), at_ms)
    return [happened, began, Delivered(name, event, trigger_id), *made[1:]]


def _moved(record: Record, shift_ms: int) -> Record:
    if isinstance(record, RunParked):
        return msgspec.structs.replace(record, until_ms=record.until_ms + shift_ms)
    if isinstance(record, CallMade):
        return msgspec.structs.replace(record, at_ms=record.at_ms + shift_ms)
    if isinstance(record, RunBegan):
        return msgspec.structs.replace(record, queued_us=record.queued_us + shift_ms * 1000)
    return record
