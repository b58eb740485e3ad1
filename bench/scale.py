"""`python -m bench.scale [--runs N] [--timers N] [--sizes N,N,…] [--keep FOLDER]`: a home with very much in it.

So many runs that sleep for days and so many timers lie in one home (see parked.py). A real kernel is started on it: how
long until it listens, after a clean stop and after a kill that left as long a tail as there can be; what it weighs at
rest, alone and with all its processes; when all timers are set. Some of the runs fall due one by one: they come back a
little before (`events/waking.py`), and from that moment to their end, two lines of their program further, is what
waking costs. Each must end with its result.

Then histories of several sizes, as small runs make them, without anything that waits, and the full home beside them: an
event that is sent and on disk, over the control service, by the sender's clock and by the kernel's processor time; and
a run that an event begins, from the event to its end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

import psutil

from agentos.events.queue import MAX_TRIGGERS
from agentos.v1 import control_pb2 as pb
from agentos.v1 import events_pb2, events_pb2_grpc, statistics_pb2, statistics_pb2_grpc
from bench import journal as histories
from bench import parked, processes
from bench.parked import RESULT, Made
from bench.peers.python import Python, python
from tests.kernel.person import Person, Up

# So many fall due, so far apart that all is idle between two of them, and again so close that nothing is.
WOKEN, APART_MS, CLOSE_MS, AHEAD_S = 50, 400, 60, 20
EVENTS, BEGUN, WARM = 400, 40, 20
ENDS_WITHIN_S = 120.0
ANSWERS = """\
# /// script
# [tool.agentos]
# on = ["event.asked"]
# ///
def main(input):
    return 1
"""


@contextmanager
def kernel(place: Path, kill: bool = False) -> Iterator[tuple[Up, float]]:
    """A kernel on this home, and how many seconds it took until it listened."""
    told, tell = os.pipe()
    command = [sys.executable, "-m", "agentos.kernel", "serve", "--home", str(place / "home"), "--ready-fd", str(tell)]
    with (place / "log").open("ab") as log, open(told, encoding="utf-8") as ready:
        began = time.perf_counter()
        process = subprocess.Popen(command, pass_fds=(tell,), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        os.close(tell)
        said = json.loads(ready.readline() or "{}")
        took = time.perf_counter() - began
        if not said.get("ok"):
            raise SystemExit(f"the kernel did not start: {said}")
        credential = Path(said["credential"]).read_text(encoding="ascii").strip()
        try:
            yield Up(place / "home", said["socket"], credential, said["pid"]), took
        finally:
            process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            process.wait(60)


@contextmanager
def person(up: Up, folder: Path) -> Iterator[Person]:
    made = Person(up.socket, up.credential, folder)
    try:
        yield made
    finally:
        made.close()


def sampled(who: Person) -> dict[str, dict[str, int]]:
    stub = statistics_pb2_grpc.StatisticsServiceStub(who.channel)
    found = stub.Sample(statistics_pb2.SampleRequest(), metadata=who.metadata, timeout=60)
    return {name: dict(part.counts) for name, part in found.parts.items()}


def full(place: Path) -> dict[str, float]:
    """The home with all of it: start, weight, waking."""
    of, found = parked.read(place), dict[str, float]()
    starts = []
    for _ in range(3):
        with kernel(place) as (_, took):
            starts.append(took)
    found["start_s"] = median(starts)
    found["tail"] = tail(place)
    with kernel(place, kill=True) as (_, took):
        found["start_after_kill_s"] = took
    due_from = time.time_ns() // 1_000_000 + AHEAD_S * 1000
    with parked.opened(place) as ledger:
        after = due_from + (WOKEN + 5) * APART_MS
        due = [due_from + at * APART_MS for at in range(WOKEN)] + [after + at * CLOSE_MS for at in range(WOKEN)]
        made = parked.sample(ledger, of, due)
    with kernel(place) as (up, _), person(up, Path(of.folder)) as who:
        found |= weighed(up)
        found |= woken(who, made)
        found |= {f"after waking, {name}": value for name, value in weighed(up).items()}
    return found


def tail(place: Path) -> int:
    """Records after the snapshot, nearly as many as there may be before the next."""
    with parked.opened(place, keep=False) as ledger:
        ledger.keep()
        most = ledger.every - 100
        for number in range(most // 5):
            ledger.record(*histories.records(10_000_000 + number))
        return most


def weighed(up: Up) -> dict[str, float]:
    kernel_alone = processes.weight(up.pid)
    pids = [up.pid, *(each.pid for each in psutil.Process(up.pid).children(recursive=True))]
    everything = [found for pid in pids if (found := processes.weight(pid))]
    if kernel_alone is None:
        return {}
    return {"kernel_pss_mb": kernel_alone.pss / 1e6, "all_pss_mb": sum(each.pss for each in everything) / 1e6}


def woken(who: Person, made: Made) -> dict[str, float]:
    """Wait until the sample is over; what it took from when each was due, and the same program from its beginning."""
    # To ask before would keep the kernel busy as they come.
    time.sleep(max(max(made.due.values()) / 1000 - time.time(), 0))
    until = time.monotonic() + ENDS_WITHIN_S
    ended: dict[str, pb.Run] = {}
    while len(ended) < len(made.due) and time.monotonic() < until:
        time.sleep(1)
        found = {run: who.record(run) for run in made.due if run not in ended}
        over = (pb.RUN_STATUS_ACTIVE, pb.RUN_STATUS_WAITING)
        ended |= {run: shown for run, shown in found.items() if shown.status not in over}
    wrong = [shown for run, shown in ended.items() if shown.result != json.dumps(RESULT).replace(" ", "")]
    if wrong or len(ended) < len(made.due):
        raise SystemExit(
            f"{len(made.due) - len(ended)} of the sample did not end; otherwise than they must: {wrong[:3]}"
        )
    fresh = [who.run(parked.program(0)).ended for _ in range(WOKEN)]
    anew = [(shown.timings_us.ended - shown.timings_us.queued) / 1000 for shown in fresh]
    in_order = [(due, ended[run]) for run, due in made.due.items()]
    told = {"woken": float(len(ended)), "from_the_beginning_p50_ms": median(anew)}
    for name, some in ((f"{APART_MS} ms apart", in_order[:WOKEN]), (f"{CLOSE_MS} ms apart", in_order[WOKEN:])):
        to_cell = [shown.timings_us.cell / 1000 - due for due, shown in some]
        played = [(shown.timings_us.ended - shown.timings_us.cell) / 1000 for _, shown in some]
        late = [shown.timings_us.ended / 1000 - due for due, shown in some]
        told |= {f"{name}: waking_p50_ms": median(late), f"{name}: waking_p99_ms": p99(late)}
        told |= {f"{name}: its_cell_p50_ms": median(to_cell), f"{name}: in_its_cell_p50_ms": median(played)}
    # A machine that had nothing to do for a while does all more slowly: what it makes of the smallest thing.
    with python() as peer:
        told[f"{APART_MS} ms apart: python3 -c 1_p50_ms"] = median(_after(APART_MS, peer) for _ in range(WOKEN // 2))
        told["at once: python3 -c 1_p50_ms"] = median(peer.once_ms() for _ in range(WOKEN // 2))
    return told


def _after(pause_ms: int, peer: Python) -> float:
    time.sleep(pause_ms / 1000)
    return peer.once_ms()


def p99(values: list[float]) -> float:
    return quantiles(values, n=100, method="inclusive")[98]


def event_costs(place: Path) -> dict[str, float]:
    """What an event and a run that it begins cost in this home."""
    folder = place / "programs"
    with kernel(place) as (up, start_s), person(up, folder) as who:
        while sampled(who)["journal"]["to_recheck"]:
            time.sleep(0.5)
        events = events_pb2_grpc.EventsServiceStub(who.channel)

        def send(name: str) -> float:
            began = time.perf_counter()
            events.SendEvent(events_pb2.SendEventRequest(name=name), metadata=who.metadata, timeout=60)
            return (time.perf_counter() - began) * 1e6

        for _ in range(WARM):
            send("ignored")
        before = sampled(who)["process"]["cpu_us"]
        sent = [send("ignored") for _ in range(EVENTS)]
        cpu_us = (sampled(who)["process"]["cpu_us"] - before) / EVENTS
        armed = events.ListArmed(events_pb2.ListArmedRequest(), metadata=who.metadata, timeout=60).programs
        left = sum(len(each.triggers) for each in armed)
        for each in armed:  # some go, where there are as many as may be
            if left < MAX_TRIGGERS:
                break
            events.Disarm(events_pb2.DisarmRequest(program=each.path), metadata=who.metadata, timeout=60)
            left -= len(each.triggers)
        source, where = who.source(ANSWERS, name="answers.py"), str(folder)
        request = events_pb2.ArmRequest(source=source, start_folder=where, home_folder=where, confirmed=True)
        events.Arm(request, metadata=who.metadata)
        took = [begun(who, send) for _ in range(WARM + BEGUN)][WARM:]
        return {
            "records": sampled(who)["journal"]["records"], "start_s": start_s, "event_p50_us": median(sent),
            "event_p99_us": p99(sent), "event_cpu_us": cpu_us, "event_to_first_line_p50_ms": median(took),
            "event_to_first_line_p99_ms": p99(took),
        }  # fmt: skip


def begun(who: Person, send: object) -> float:
    """From sending an event to the first line of the run that it begins, in ms."""
    known = {run.id for run in latest(who)}
    sent_us = time.time_ns() // 1000
    send("asked")  # type: ignore[operator]
    until = time.monotonic() + ENDS_WITHIN_S
    while time.monotonic() < until:
        done = [run for run in latest(who) if run.id not in known and run.status == pb.RUN_STATUS_DONE]
        if done:
            return (done[0].timings_us.first_line - sent_us) / 1000
        time.sleep(0.005)
    raise SystemExit("an event began no run")


def latest(who: Person) -> list[pb.Run]:
    found = who.control.ListRuns(pb.ListRunsRequest(limit=20), metadata=who.metadata, timeout=60).runs
    return [run for run in found if run.path.endswith("answers.py")]


def history(place: Path, records: int) -> None:
    """As many records as small runs make, five each."""
    with parked.opened(place) as ledger:
        for number in range(1_000_000, 1_000_000 + (records - ledger.journal.head[0]) // 5):
            seq = ledger.record(*histories.records(number))
            if number % 2_000 == 0:
                asyncio.run(ledger.durable(seq))


def build(place: Path, size: int, runs: int, timers: int) -> None:
    """A home with this history, or with all that waits; one that is there already stays."""
    if place.exists():
        return
    place.mkdir(parents=True)
    parked.template(place)
    if size:
        history(place, size)
        return
    of = parked.read(place)
    with parked.opened(place) as ledger:
        parked.fill(ledger, of, runs, timers)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description="Very much in one home.")
    parser.add_argument("--runs", type=int, default=100_000, metavar="N", help="runs that are parked (100,000)")
    parser.add_argument("--timers", type=int, default=100_000, metavar="N", help="timers that are armed (100,000)")
    parser.add_argument("--sizes", default="1000,10000,100000,1000000", help="records of the histories")
    parser.add_argument("--keep", type=Path, help="a folder to build in, and to find built the next time")
    parser.add_argument("--only-build", action="store_true", help="measure nothing")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="agentos-scale-") as folder:
        at = (asked.keep or Path(folder)).resolve()
        os.environ["AGENTOS_STATE"] = str(at / "state")
        sizes = [int(each) for each in asked.sizes.split(",") if each]
        for size in [*sizes, *([0] if asked.runs else [])]:
            build(at / (str(size) if size else "full"), size, asked.runs, asked.timers)
        if asked.only_build:
            return 0
        for size in sizes:
            say(f"{size:,} records", event_costs(at / str(size)))
        if asked.runs:
            say(f"{asked.runs:,} parked runs, {asked.timers:,} timers", full(at / "full"))
            say("events in that home", event_costs(at / "full"))
    return 0


def say(title: str, found: dict[str, float]) -> None:
    print(title, flush=True)
    for name, value in found.items():
        print(f"  {name:40} {value:,.1f}".removesuffix(".0"), flush=True)


if __name__ == "__main__":
    sys.exit(main())
