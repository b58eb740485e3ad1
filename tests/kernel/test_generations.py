"""A program that loops for ever begins anew with a carried state: one run, whatever dies when."""

from __future__ import annotations

import time

import pytest

from agentos.home.history import RunBegan, RunContinued
from agentos.kernel.actor import Actor
from agentos.manifest.lines import Limits, Manifest
from agentos.runs import generations
from agentos.runs.run import Run
from agentos.v1 import control_pb2 as pb
from tests.kernel.person import Person, Told, eventually
from tests.kernel.place import Place
from tests.kernel.test_replay import end_of, kill

GRANTS = """
"files.append" = { path = ["log.txt"], bytes = 20 }
"files.read" = { path = ["*.txt"] }
"""
COUNTS = """
import random
from agentos.sdk import files, run

def main(input, state):
    n = state["n"] if state else 0
    print("generation", n)
    files.append("log.txt", text=f"{n}\\n")
    if n == input:
        return [n, state]
    run.continue_with({"n": n + 1})
    files.append("log.txt", text="never")
"""
# Waits for a file in its second generation, so that it can be cut off there.
WAITS = COUNTS.replace(
    "    if n == input",
    """
    while n == 1:
        try:
            files.read("go.txt")
            break
        except FileNotFoundError:
            __import__("time").sleep(0.05)
    if n == input""",
)


def begun(person: Person, program: str, given: str) -> str:
    stream = person.start(person.source(program, GRANTS), input=given, ask=pb.ASK_WAIT, grant_manifest=True)
    told = Told()
    for event in stream:
        told.hear(event)
        if told.id:
            return told.id
    return ""


def test_each_generation_gets_the_state_of_the_one_before_and_nothing_of_it_is_played_again(place: Place) -> None:
    with place.up() as person:
        told = person.run(COUNTS, GRANTS, input="2")
        assert told.result == [2, {"n": 2}]
        assert told.output == "generation 0\ngeneration 1\ngeneration 2\n"
        assert place.lines() == ["0", "1", "2"]
        shown = person.record(told.id)
        assert (shown.continued, shown.output) == (2, "generation 2\n")
        calls = person.calls(told.id)
        assert [call.action for call in calls] == ["files.append"]
        assert calls[0].seq == 5, "calls are numbered on"


def test_a_generation_has_no_more_of_a_budget_than_the_ones_before_it_left(place: Place) -> None:
    with place.up() as person:
        program = COUNTS.replace("{n}\\n", "{n:09}\\n")
        told = person.run(program, GRANTS, input="5")
        assert (told.status, told.ended.error.detail) == ("limit", "quota")
        assert place.lines() == ["000000000", "000000001"]


def test_a_grant_of_this_run_is_there_in_each_generation(place: Place) -> None:
    grants = GRANTS.replace('"files.append" = {', '"files.append" = { ')
    with place.up() as person:

        def for_run(prompt: pb.Prompt) -> list[pb.Decision]:
            return [pb.Decision(number=line.number, choice=pb.CHOICE_RUN) for line in prompt.lines]

        told = person.run(COUNTS, grants, for_run, input="1")
        assert (told.result, len(told.prompts)) == ([1, {"n": 1}], 1)


def test_a_run_that_is_killed_goes_on_in_the_generation_that_it_was_in(place: Place) -> None:
    with place.up() as person:
        run = begun(person, WAITS, "2")
        assert eventually(lambda: place.lines() == ["0", "1"])
        assert eventually(lambda: len(person.calls(run, "files.read")) > 1)
        kill(person)
    (place.folder / "go.txt").write_text("now")
    with place.up() as person:
        ended = end_of(person, run)
        assert ended.result == '[2,{"n":2}]', ended
        assert place.lines() == ["0", "1", "2"]
        assert ended.continued == 2


@pytest.mark.parametrize("wait_s", [0.0, 0.01, 0.03])
def test_a_kernel_killed_about_the_change_leaves_the_one_generation_or_the_other(place: Place, wait_s: float) -> None:
    with place.up() as person:
        run = begun(person, COUNTS.replace("    run.continue_with", "    print('changes')\n    run.continue_with"), "2")
        assert eventually(lambda: place.lines()[-1:] == ["1"])
        eventually(lambda: False, wait_s)
        kill(person)
    with place.up() as person:
        assert end_of(person, run).result == '[2,{"n":2}]'
        assert place.lines() == ["0", "1", "2"]


def test_a_run_that_begins_anew_for_ever_is_cancelled_by_its_name(place: Place) -> None:
    endless = "from agentos.sdk import run\ndef main(state):\n    run.continue_with((state or 0) + 1)\n"
    with place.up() as person:
        began = time.monotonic()
        run = begun(person, endless, "")
        assert eventually(lambda: person.record(run).continued >= 3)
        assert time.monotonic() - began >= 2, "one a second, whatever it does"
        person.cancel(run)
        assert eventually(lambda: person.record(run).status == pb.RUN_STATUS_CANCELLED)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("run.continue_with('x' * 300_000)", "a state is at most 256 KiB"),
        ("run.continue_with({1, 2})", "the state is not JSON: Object of type set is not JSON serializable"),
        ("call('run.continue_with', {'state': '{'})", "a state is JSON"),
        ("raise_(gather(Call('run.continue_with', {'state': '1'}, dict), clock.now.call())[0])",
         "a generation ends by a call of its own"),
    ],
)  # fmt: skip
def test_a_state_that_cannot_be_carried_is_a_typed_error(person: Person, call: str, reason: str) -> None:
    program = f"""
from agentos.sdk import AgentError, Call, call, clock, gather, run
def raise_(error):
    raise error
try:
    {call}
except AgentError as error:
    result = error.reason
"""
    assert person.run(program).result == reason


def test_a_program_can_ask_how_much_is_left_and_its_follower_is_told_before_that(person: Person) -> None:
    program = """
from agentos.sdk import files, run
before = run.left().calls
for _ in range(9):
    files.stat(".")
result = [before, run.left().calls]
"""
    notices: list[str] = []
    grants, limits = '"files.stat" = { path = ["**"] }', "calls = 10"
    told = person.follow(
        person.start(person.source(program, grants, limits=limits), ask=pb.ASK_DENY, grant_manifest=True),
        on=lambda kind, event, told: notices.append(event.notice) if kind == "notice" else None,
    )
    assert told.result == [10, 1]
    assert len(notices) == 1
    assert "begins anew with run.continue_with(state)" in notices[0]


@pytest.mark.parametrize(
    ("made", "stopped", "warned"), [(10, "", False), (900_000, "", True), (1_000_000, "kept", True)]
)
def test_a_generation_ends_at_as_many_calls_as_are_kept_on_record(made: int, stopped: str, warned: bool) -> None:
    began = RunBegan("r1", "p", "/p.py", "0" * 64, "/", "/", (), "", 0)
    manifest = Manifest("p", (), Limits(), True, "p.py")
    run = Run(began, pb.RunRequest(), manifest, None, None)  # type: ignore[arg-type]  # who it is matters to no count
    run.continued = RunContinued("r1", 1, 5_000_000, "1", 0)
    actor = Actor(None, manifest, "/", "/", *[None] * 6)  # type: ignore[arg-type]  # it makes none
    actor.seq = 5_000_000 + made
    generations.watch(run, actor)
    assert (run.stopped, run.warned) == (stopped, warned)


def test_what_earlier_generations_read_from_outside_is_shown_of_the_run(person: Person) -> None:
    told = person.run(
        """
from agentos.sdk import Call, run

def main(input, state):
    if state:
        return state
    Call("pages.extract", {"html": b"<html><body><p>read it</p></body></html>"}, dict)()
    run.continue_with("next")
""",
        input="null",
    )
    assert told.result == "next"
    assert list(person.record(told.id).outside) == ["pages.extract"]
