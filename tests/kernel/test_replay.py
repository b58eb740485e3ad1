"""Runs that are cut off go on where they were: what they did is not done again, and what nobody can tell is asked.

Each test starts kernels on one home and kills them. What happened is counted outside of them: by the lines in a file,
and by the clock.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import psutil
import pytest

from agentos.home import home as opening
from agentos.home.history import Pinned, Record
from agentos.home.journal import Journal
from agentos.home.records import CallMade
from agentos.kernel.ledger import FOLD, Ledger
from agentos.v1 import control_pb2 as pb
from tests.kernel.person import NO, ONCE, Person, Policy, Stream, Told, error_of, eventually
from tests.kernel.place import Place

GRANTS = """
"files.append" = { path = ["log.txt"] }
"files.read" = { path = ["*.txt"] }
"files.write" = { path = ["*.txt"] }
"""
TWICE = """
import time, random
from agentos.sdk import files
files.append("log.txt", text="one\\n")
drawn = random.random()
print("drawn", drawn)
while True:
    try:
        go = files.read("go.txt", as_text=True).text
        break
    except Exception:
        time.sleep(0.05)
files.append("log.txt", text="two\\n")
result = [drawn, go]
"""


def begin(person: Person, program: str = TWICE, more_patient: bool = False) -> tuple[str, Stream]:
    """Start a run that asks nothing; its id and the rest of what it tells. A patient one stays when nobody follows."""
    ask = pb.ASK_WAIT if more_patient else pb.ASK_DENY
    stream = person.start(person.source(program, GRANTS), ask=ask, grant_manifest=True)
    told = Told()
    for event in stream:
        told.hear(event)
        if told.id:
            break
    return told.id, stream


def end_of(person: Person, run: str) -> pb.Run:
    """The run when it is over, from whoever follows it anew."""
    told = Told()
    for event in person.control.Follow(pb.FollowRequest(run=run), metadata=person.metadata, timeout=60):
        told.hear(event.event)
    return told.ended


def kill(person: Person) -> None:
    os.kill(person.status().pid, signal.SIGKILL)


def test_a_run_goes_on_where_it_was_when_its_kernel_was_killed(place: Place) -> None:
    with place.up() as person:
        run, _ = begin(person)
        assert eventually(lambda: place.lines() == ["one"] and len(person.calls(run, "files.read")) > 1)
        before = [call.digest for call in person.calls(run, "random")]
        kill(person)
    (place.folder / "go.txt").write_text("now")
    with place.up() as person:
        ended = end_of(person, run)
        assert pb.RunStatus.Name(ended.status) == "RUN_STATUS_DONE", ended
        assert place.lines() == ["one", "two"]
        assert [call.digest for call in person.calls(run, "random")] == before
        drawn = ended.output.removeprefix("drawn ").strip()
        assert ended.result == f'[{drawn},"now"]'


def test_a_cell_that_is_killed_from_outside_is_played_again_in_another(place: Place) -> None:
    with place.up() as person:
        _, stream = begin(person)
        assert eventually(lambda: place.lines() == ["one"])
        zygote = next(
            each for each in psutil.Process(person.status().pid).children() if "zygote" in " ".join(each.cmdline())
        )
        busy = max(zygote.children(), key=lambda each: each.cpu_times().user)
        busy.kill()
        (place.folder / "go.txt").write_text("on")
        told = person.follow(stream)
        assert told.status == "done", told.ended
        assert place.lines() == ["one", "two"]
        assert told.output.count("drawn") <= 1


def test_what_a_run_is_a_function_of_is_asked_for_again_alike(place: Place) -> None:
    """Nothing of what it did is asked of anybody: the log is gone, and the run does not notice."""
    with place.up() as person:
        run, _ = begin(person)
        assert eventually(lambda: len(person.calls(run, "files.read")) > 1)
        kill(person)
    (place.folder / "log.txt").unlink()
    (place.folder / "go.txt").write_text("now")
    with place.up() as person:
        assert end_of(person, run).status == pb.RUN_STATUS_DONE
        assert place.lines() == ["two"]


SLEEPS = """
import time
from agentos.sdk import files
files.append("log.txt", text="one\\n")
time.sleep(4)
files.append("log.txt", text="two\\n")
"""


def test_a_run_that_waits_has_no_cell_and_comes_back_at_its_time(place: Place) -> None:
    with place.up() as person:
        began = time.monotonic()
        _, stream = begin(person, SLEEPS)
        assert eventually(lambda: person.status().cells_busy == 0 and place.lines() == ["one"])
        assert time.monotonic() - began < 4
        assert person.follow(stream).status == "done"
        assert 3.9 < time.monotonic() - began < 8
        assert place.lines() == ["one", "two"]


def test_a_run_that_waits_while_there_is_no_kernel_comes_back_with_the_next(place: Place) -> None:
    with place.up() as person:
        run, _ = begin(person, SLEEPS)
        assert eventually(lambda: place.lines() == ["one"] and person.status().cells_busy == 0)
        kill(person)
    with place.up() as person:
        assert person.record(run).status in (pb.RUN_STATUS_WAITING, pb.RUN_STATUS_ACTIVE)
        assert eventually(lambda: person.record(run).status == pb.RUN_STATUS_DONE, 20)
        assert place.lines() == ["one", "two"]


WAITS = """
import time
print("before")
time.sleep(SECONDS)
print("after")
"""


def asleep(person: Person, seconds: float) -> str:
    """The id of a run that sleeps, and has left memory."""
    run, stream = begin(person, WAITS.replace("SECONDS", str(seconds)), more_patient=True)
    stream.cancel()
    assert eventually(lambda: person.record(run).status == pb.RUN_STATUS_WAITING)
    return run


def follow(person: Person, run: str) -> Iterator[pb.FollowResponse]:
    """Begun by now: the kernel takes what comes in order."""
    stream = person.control.Follow(pb.FollowRequest(run=run), metadata=person.metadata, timeout=60)
    person.status()
    return stream


def test_all_who_follow_a_run_that_has_left_memory_are_told_that_it_was_cancelled(place: Place) -> None:
    with place.up() as person:
        run = asleep(person, 3_600)
        followers = [follow(person, run) for _ in range(2)]
        person.cancel(run)
        told = [[each.event for each in follower] for follower in followers]
        assert [events[-1].ended.status for events in told] == 2 * [pb.RUN_STATUS_CANCELLED]


def test_who_follows_a_run_that_has_left_memory_hears_all_of_it_when_it_comes_back(place: Place) -> None:
    with place.up() as person:
        run = asleep(person, 2.5)
        told = Told()
        for each in follow(person, run):
            told.hear(each.event)
        assert (told.status, told.output) == ("done", "before\nafter\n")


def test_a_run_that_nobody_follows_goes_on_after_its_kernel_was_stopped(place: Place) -> None:
    """Stopping is no end: what is on its way is looked up by the next kernel, and nothing is told to be interrupted."""
    with place.up() as person:
        run, stream = begin(person, more_patient=True)
        assert eventually(lambda: place.lines() == ["one"])
        stream.cancel()
    (place.folder / "go.txt").write_text("later")
    with place.up() as person:
        ended = end_of(person, run)
        assert ended.status == pb.RUN_STATUS_DONE, ended
        assert place.lines() == ["one", "two"]


def test_a_run_that_waits_can_be_cancelled(place: Place) -> None:
    with place.up() as person:
        run, _ = begin(person, SLEEPS.replace("sleep(4)", "sleep(4000)"))
        assert eventually(lambda: place.lines() == ["one"] and person.status().cells_busy == 0)
        kill(person)
    with place.up() as person:
        # Killed before it was on record that it waits, it comes to that once more.
        assert eventually(lambda: person.record(run).status == pb.RUN_STATUS_WAITING)
        person.cancel(run)
        assert person.record(run).status == pb.RUN_STATUS_CANCELLED


ASKS = """
from agentos.sdk import Denied, files
files.append("log.txt", text="one\\n")
try:
    files.write("new.txt", text="x")
    result = "written"
except Denied as no:
    result = no.reason
"""
ASKED = """
"files.append" = { path = ["log.txt"] }
"files.write" = { path = ["new.txt"], ask = "always" }
"""


def asking(person: Person) -> tuple[str, Stream]:
    """A run that waits for an answer, without a cell."""
    stream = person.start(person.source(ASKS, ASKED), ask=pb.ASK_WAIT, grant_manifest=True)
    told = Told()
    for event in stream:
        if told.hear(event) == "prompt":
            break
    assert eventually(lambda: person.status().cells_busy == 0)
    return told.id, stream


def question_of(person: Person, run: str) -> pb.Prompt:
    assert eventually(lambda: any(each.run == run for each in person.inbox()))
    (found,) = [each for each in person.inbox() if each.run == run]
    return found


@pytest.mark.parametrize(("policy", "result"), [(ONCE, '"written"'), (NO, '"the person said no"')])
@pytest.mark.parametrize("followed", [True, False])
def test_a_run_that_waits_for_an_answer_has_no_cell_and_is_asked_once(
    place: Place, policy: Policy, result: str, followed: bool
) -> None:
    with place.up() as person:
        run, stream = asking(person)
        if not followed:
            stream.cancel()
        prompt = question_of(person, run)
        person.answer(prompt, policy(prompt) or ())
        assert eventually(lambda: person.record(run).status == pb.RUN_STATUS_DONE), person.record(run)
        assert person.record(run).result == result
        assert place.lines() == ["one"]
        assert [each for each in person.inbox() if each.run == run] == []


def test_a_no_to_the_first_thing_that_a_run_does_is_kept_while_it_waits(place: Place) -> None:
    source = ASKS.replace('files.append("log.txt", text="one\\n")', "")
    with place.up() as person:
        stream = person.start(person.source(source, ASKED), ask=pb.ASK_WAIT, grant_manifest=True)
        told = Told()
        assert any(told.hear(event) == "prompt" for event in stream)
        assert eventually(lambda: person.status().cells_busy == 0)
        prompt = question_of(person, told.id)
        person.answer(prompt, NO(prompt) or ())
        assert eventually(lambda: person.record(told.id).result == '"the person said no"'), person.inbox()


def test_a_yes_to_one_call_does_not_stand_for_a_no_to_the_next_one_like_it(place: Place) -> None:
    source = ASKS.replace("    result =", '    files.write("new.txt", text="x")\n    result =')
    with place.up() as person:
        stream = person.start(person.source(source, ASKED), ask=pb.ASK_WAIT, grant_manifest=True)
        told = Told()
        for _ in ("the first", "the one like it"):
            assert any(told.hear(event) == "prompt" for event in stream)
            assert eventually(lambda: person.status().cells_busy == 0)
            prompt = question_of(person, told.id)
            person.answer(prompt, ONCE(prompt) or ())
        assert eventually(lambda: person.record(told.id).result == '"written"'), person.record(told.id)


def test_a_question_that_waited_is_put_again_by_the_next_kernel(place: Place) -> None:
    with place.up() as person:
        run, _ = asking(person)
        kill(person)
    with place.up() as person:
        prompt = question_of(person, run)
        person.answer(prompt, ONCE(prompt) or ())
        assert eventually(lambda: person.record(run).result == '"written"')
        assert place.lines() == ["one"]


def test_nobody_settles_what_is_not_unknown(place: Place) -> None:
    with place.up() as person:
        run, _ = begin(person)
        with pytest.raises(grpc.RpcError) as failed:
            person.control.SettleCall(pb.SettleCallRequest(run=run, seq=1, happened=True), metadata=person.metadata)
        assert error_of(failed.value).reason == "no such call waits to be settled"


async def recorded(home: Path, *records: Record) -> None:
    """What only a broken cache or an upgrade could bring about: these stand in the record, as if they had happened."""
    held = opening.unlock(home)
    journal = Journal.open(held.database, held.keys.database, held.witness(), (FOLD,))
    ledger = Ledger(journal)
    await ledger.durable(ledger.record(*records))
    ledger.keep()
    await journal.close()
    held.close()


def cut_off(place: Place) -> str:
    """A run that did one thing, waits for a file, and has lost its kernel."""
    with place.up() as person:
        run, _ = begin(person)
        assert eventually(lambda: place.lines() == ["one"])
        kill(person)
    (place.folder / "go.txt").write_text("now")
    return run


def test_a_program_that_goes_another_way_is_stopped_and_both_calls_are_shown(place: Place) -> None:
    run = cut_off(place)
    other = CallMade(run, 1, "files.write", '{"path": "b"}', (), "0" * 64, pb.CALL_DECISION_ALLOWED, 0)
    asyncio.run(recorded(place.home, other))
    with place.up() as person:
        error = end_of(person, run).error
        assert error.detail == "diverged"
        assert "call 1 was files.write" in error.reason
        assert "and is files.append" in error.reason
        assert place.lines() == ["one"]


def test_a_program_that_returns_before_it_asked_for_all_that_is_on_record_went_another_way(place: Place) -> None:
    run = cut_off(place)
    never_asked = CallMade(run, 9_999, "files.write", '{"path": "b"}', (), "0" * 64, pb.CALL_DECISION_ALLOWED, 0)
    asyncio.run(recorded(place.home, never_asked))
    with place.up() as person:
        ended = end_of(person, run)
        assert (ended.status, ended.error.detail) == (pb.RUN_STATUS_FAILED, "diverged")
        assert "call 9999 was files.write" in ended.error.reason
        assert "and is the end of the program now" in ended.error.reason
        assert ended.result == ""


def test_a_run_that_a_limit_ends_while_it_is_played_again_is_said_to_have_met_it(place: Place) -> None:
    limits = 'wall = "2s"'
    with place.up() as person:
        source = person.source(
            "import time\n" + TWICE.replace("time.sleep(0.05)", "time.sleep(0.3)"), GRANTS, limits=limits
        )
        stream = person.start(source, ask=pb.ASK_WAIT, grant_manifest=True)
        run = next(event.accepted.run for event in stream if event.HasField("accepted"))
        assert eventually(lambda: place.lines() == ["one"])
        kill(person)
    never_asked = CallMade(run, 9_999, "files.write", '{"path": "b"}', (), "0" * 64, pb.CALL_DECISION_ALLOWED, 0)
    asyncio.run(recorded(place.home, never_asked))
    with place.up() as person:
        assert end_of(person, run).status == pb.RUN_STATUS_LIMIT


def test_a_run_is_not_played_again_in_another_guest_than_it_began_in(place: Place) -> None:
    run = cut_off(place)
    asyncio.run(recorded(place.home, Pinned(run, "0" * 64, "0" * 64)))
    with place.up() as person:
        error = end_of(person, run).error
        assert (error.detail, error.hint) == ("pinned", "run it anew")
        assert place.lines() == ["one"]
