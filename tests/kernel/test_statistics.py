"""What a kernel counts, of runs and calls that were really made."""

from __future__ import annotations

import os
import signal

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos.kernel.statistics import STEPS, quantile, step
from agentos.v1 import control_pb2 as pb_control
from agentos.v1 import statistics_pb2 as pb
from agentos.v1 import statistics_pb2_grpc
from tests.events.conftest import Armer
from tests.kernel.person import NO, Person, eventually

GRANTS = '"files.read" = { path = ["canary-*.txt"] }'
PROGRAM = """
from agentos.sdk import AgentError, files
for name in ("canary-here.txt", "canary-gone.txt", "elsewhere.txt"):
    try:
        files.read(name)
    except AgentError:
        pass
print("canary-printed")
"""


def sample(person: Person, metadata: tuple[tuple[str, str], ...] | None = None) -> pb.SampleResponse:
    stub = statistics_pb2_grpc.StatisticsServiceStub(person.channel)
    sent = person.metadata if metadata is None else metadata
    found: pb.SampleResponse = stub.Sample(pb.SampleRequest(), metadata=sent, timeout=30)
    return found


def grown(before: pb.SampleResponse, after: pb.SampleResponse, part: str) -> dict[str, int]:
    return {name: count - before.parts[part].counts[name] for name, count in after.parts[part].counts.items()}


def test_a_run_and_each_of_its_calls_are_counted_as_they_ended(person: Person) -> None:
    (person.folder / "canary-here.txt").write_text("canary-content")
    before = sample(person)
    assert person.run(PROGRAM, GRANTS).status == "done"
    after = sample(person)

    runs, calls = grown(before, after, "runs"), grown(before, after, "calls")
    assert (runs["began"], runs["ended"], runs["active"], runs["waiting"]) == (1, 1, 0, 0)
    assert (calls["made"], calls["refused"], calls["done"], calls["failed"]) == (3, 1, 1, 1)
    took = after.parts["calls"].counts
    assert 0 < took["p50_us"] <= took["p90_us"] <= took["p99_us"] < 60_000_000
    assert grown(before, after, "cells")["forks"] >= 0
    assert after.parts["cells"].counts["forks"] >= 1
    journal = grown(before, after, "journal")
    assert 1 <= journal["batches"] <= journal["records"]
    assert after.parts["journal"].counts["bytes"] > 0
    assert after.parts["server files"].counts["up"] == 1
    assert grown(before, after, "process")["cpu_us"] > 0


LISTENS = """
def main(input):
    pass
"""
WAITS = """
import time
from agentos.sdk import files
while True:
    try:
        files.read("go.txt")
        break
    except FileNotFoundError:
        time.sleep(0.02)
time.sleep(3600)
"""


def test_each_event_and_each_answer_is_counted_once(person: Person) -> None:
    armer, before = Armer(person), sample(person)
    armer.arm('"event.counted"', LISTENS)
    for number in range(3):
        armer.send("counted", str(number), f"once-{person.folder.name}-{number}")
    armer.send("counted", "0", f"once-{person.folder.name}-0")  # the first again
    assert eventually(lambda: grown(before, sample(person), "queue")["given"] == 3)
    assert eventually(lambda: grown(before, sample(person), "queue")["with_runs"] == 0)
    queue = grown(before, sample(person), "queue")
    assert (queue["taken"], queue["waiting"], queue["programs"], queue["triggers"]) == (3, 0, 1, 1)
    assert grown(before, sample(person), "runs")["ended"] == 3

    for _ in range(2):
        person.run("open('asked.txt').read()", "", NO)
    assert grown(before, sample(person), "prompts")["answered"] == 2
    assert grown(before, sample(person), "prompts")["open"] == 0
    armer.disarm()
    assert grown(before, sample(person), "queue")["programs"] == 0


def test_a_run_is_counted_where_it_is(person: Person) -> None:
    before = sample(person)
    looks = '"files.read" = { path = ["go.txt"] }'
    stream = person.start(person.source(WAITS, looks), ask=pb_control.ASK_WAIT, grant_manifest=True)
    run = next(event.accepted.run for event in stream if event.HasField("accepted"))
    assert eventually(lambda: grown(before, sample(person), "calls")["made"] > 1)
    there = grown(before, sample(person), "runs"), grown(before, sample(person), "cells")
    assert [there[0][name] for name in ("active", "waiting", "began", "ended")] == [1, 0, 1, 0]
    assert (there[1]["busy"], there[1]["wanted"]) == (1, 0)
    (person.folder / "go.txt").write_text("")
    stream.cancel()  # one that is followed stays in memory
    assert eventually(lambda: grown(before, sample(person), "runs")["waiting"] == 1)
    assert eventually(lambda: grown(before, sample(person), "cells")["busy"] == 0)
    assert grown(before, sample(person), "runs")["active"] == 0
    person.cancel(run)
    assert eventually(lambda: grown(before, sample(person), "runs")["ended"] == 1)
    ended = grown(before, sample(person), "runs"), grown(before, sample(person), "cells")
    assert (ended[0]["waiting"], ended[0]["active"]) == (0, 0)
    assert ended[1]["cpu_us"] > 0
    assert ended[1]["forks"] >= 1


def test_a_server_that_was_replaced_is_counted(person: Person) -> None:
    (person.folder / "canary-here.txt").write_text("x")
    person.run(PROGRAM, GRANTS)
    before, pid = sample(person), person.capability("files").pid
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: person.run(PROGRAM, GRANTS).status == "done" and person.capability("files").pid != pid)
    assert grown(before, sample(person), "server files") == {"up": 0, "restarts": 1}


def test_what_is_watched_is_counted_and_what_cannot_be(person: Person) -> None:
    armer, before = Armer(person), sample(person)
    watches = '{ event = "files.changed", path = ["*.md"] }'
    granted = '"files.read" = { path = ["*.md"] }'
    armer.arm(watches, LISTENS, granted)
    assert eventually(lambda: grown(before, sample(person), "watching")["servers"] == 1)
    assert grown(before, sample(person), "watching")["troubled"] == 0
    for grant in person.grants():
        person.revoke(grant.id)
    assert eventually(
        lambda: grown(before, sample(person), "watching") == {"servers": 0, "troubled": 1, "turned_away": 0}
    )
    armer.disarm()
    assert grown(before, sample(person), "watching") == {"servers": 0, "troubled": 0, "turned_away": 0}


def test_what_is_counted_names_nothing_of_the_persons(person: Person) -> None:
    (person.folder / "canary-here.txt").write_text("canary-content")
    person.run(PROGRAM, GRANTS, name="canary-program.py")
    said = str(sample(person))
    assert "canary" not in said
    assert str(person.folder) not in said


def test_nobody_without_the_credential_is_told(person: Person) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        sample(person, ())
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


@given(st.lists(st.integers(0, 1 << 48), min_size=1, max_size=50), st.sampled_from([0.01, 0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_within_a_fifth_of_the_true_one(took: list[int], part: float) -> None:
    counts = [0] * STEPS
    for each in took:
        counts[step(each)] += 1
    ordered = sorted(took)
    true = next(each for at, each in enumerate(ordered, 1) if at >= part * len(ordered))
    assert abs(quantile(counts, part) - true) <= true / 5


def test_of_nothing_there_is_no_quantile() -> None:
    assert quantile([0] * STEPS, 0.5) == 0
    assert step(-1) == 0
