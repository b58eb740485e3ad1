"""Children, tried as an attacker would: a run that starts others gives them no more than it has, whatever dies when.

Each test starts kernels on one home, and programs in real cells there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentos.home.history import RunEnded
from agentos.runs.fuel import LOOK_EVERY_S
from agentos.v1 import control_pb2 as pb
from tests.kernel.person import NO, Person, Told, Up, eventually
from tests.kernel.place import Place
from tests.kernel.test_replay import end_of, kill, recorded
from tests.kernel.test_statistics import sample

GRANTS = """
"files.append" = { path = ["log.txt", "out/**"], bytes = 60 }
"files.read" = { path = ["notes/**", "go.txt"] }
"files.list" = { path = ["**"], ask = "always" }
"""
# Does what its input says, and says how that went.
CHILD = """
import time
from agentos.sdk import AgentError, Call, call, children, clock, gather, run

def main(input):
    done = []
    for action, args in input:
        try:
            if action == "spawn":
                done.append(children.spawn(**args).join())
            elif action == "sleep":
                time.sleep(args)
            else:
                done.append(call(action, args))
        except AgentError as error:
            done.append([type(error).__name__, error.reason, error.detail, error.hint])
    return done
"""
PARENT = """
from agentos.sdk import AgentError, call, children, files
import time
def tried(make, *args, **more):
    try:
        return make(*args, **more)
    except AgentError as error:
        return [type(error).__name__, error.reason, error.detail]
def append(path, text="x"):
    return ["files.append", {"path": path, "text": text}]
LOG = {"files.append": {"path": ["log.txt"]}}
"""


@pytest.fixture
def place(home: Path, folder: Path) -> Place:
    return Place(home, folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("a note")
    (tmp_path / "secret.txt").write_text("a secret")
    return tmp_path.resolve()


@pytest.fixture
def person(up: Up, folder: Path) -> Iterator[Person]:
    made = Person(up.socket, up.credential, folder)
    yield made
    made.close()


def lines(person: Person) -> list[str]:
    log = person.folder / "log.txt"
    return log.read_text().split() if log.exists() else []


def approve(person: Person, program: str = CHILD, grants: str = GRANTS, name: str = "child.py") -> str:
    """The person runs the child's program once, and allows all that it asks; its digest."""
    return person.run(program, grants, name=name, input="[]").ended.digest


def parent(person: Person, body: str, grants: str = GRANTS, **more: object) -> Told:
    return person.run(PARENT + body, grants, name="parent.py", **more)  # type: ignore[arg-type]


def answer(told: Told) -> list[Any]:
    assert isinstance(told.result, list), told.result
    return told.result


def begun(person: Person, body: str, limits: str = "") -> str:
    source = person.source(PARENT + body, GRANTS, "parent.py", limits)
    stream = person.start(source, ask=pb.ASK_WAIT, grant_manifest=True)
    return next(event.accepted.run for event in stream if event.HasField("accepted"))


def runs(person: Person) -> dict[str, pb.Run]:
    found = person.control.ListRuns(pb.ListRunsRequest(limit=1000), metadata=person.metadata).runs
    return {run.id: run for run in found if run.path.startswith(f"{person.folder}/")}


def test_a_child_does_what_its_parent_may_and_answers(person: Person) -> None:
    approve(person)
    told = parent(person, """
child = children.spawn("child.py", [append("log.txt", "from the child")], grants=LOG)
result = [child.run, child.join()]
""")  # fmt: skip
    child, done = answer(told)
    assert child == f"{told.id}.1"
    assert "entry" in done[0], done
    assert (person.folder / "log.txt").read_text() == "from the child"
    assert runs(person)[child].parent == told.id
    grant = person.calls(child, "files.append")[0].grant
    assert f"granted to its parent {told.id} as" in person.why(child, 1)["grant"]
    assert grant not in [each.id for each in person.grants(all=True)], "it is gone with its run"


@pytest.mark.parametrize(
    ("grants", "reason"),
    [
        (
            {"files.append": {"path": ["secret.txt"]}},
            "cannot give files.append secret.txt: it may not do all of that itself",
        ),
        ({"files.append": {"path": ["**"]}}, "cannot give files.append"),
        ({"files.append": {"path": ["log.txt"], "bytes": 61}}, "cannot give files.append"),
        ({"files.write": {"path": ["log.txt"]}}, "cannot give files.write"),
        ({"files.read": {"path": ["notes/../secret.txt"]}}, ""),
        ({"files.list": {"path": ["notes"]}}, "cannot give files.list"),
        ({"files.read": {}}, "grants: files.read needs its bound path"),
        ({"files.read": {"path": []}}, "grants: path is an empty list"),
        ({"nothing.there": {}}, "grants: there is no action nothing.there"),
        ({"files.read": {"path": ["notes/**"], "ask": "always"}}, "grants: a child cannot ask"),
        ({"clock.now": {}}, "grants: clock.now needs no grant"),
        ("none", "grants: the grants are no table of actions"),
    ],
)
def test_what_a_parent_may_not_do_itself_it_cannot_give(person: Person, grants: object, reason: str) -> None:
    approve(person)
    told = parent(person, f"result = tried(children.spawn, 'child.py', [], grants={grants!r})")
    error = told.result
    assert isinstance(error, list), error
    assert error[0] in ("Denied", "Invalid")
    assert reason in error[1]
    assert list(runs(person)) == [told.id, *[run for run in runs(person) if "." not in run and run != told.id]]


def test_a_child_has_nothing_of_what_its_program_was_granted(person: Person) -> None:
    approve(person, grants=GRANTS + '"files.write" = { path = ["**"] }\n')
    told = parent(person, """
asked = [append("log.txt"), ["files.write", {"path": "secret.txt", "text": "x"}]]
asked += [["files.read", {"path": "notes/a.txt"}]]
result = children.spawn("child.py", asked, grants={"files.read": {"path": ["notes/*"]}}).join()
""")  # fmt: skip
    first, second, third = answer(told)
    assert first[:2] == ["Denied", "its parent did not give it that"]
    assert 'children.spawn(…, grants={"files.append": …})' in first[3]
    assert second[:2] == ["Denied", "its parent did not give it that"]
    assert third["data"], third
    assert (person.folder / "secret.txt").read_text() == "a secret"
    assert person.inbox() == []


def test_a_path_that_a_parent_passes_on_is_held_to_what_it_gave(person: Person) -> None:
    """The confused deputy: the child may not do for its parent what its parent may not do."""
    approve(person, grants=GRANTS + '"files.read" = { path = ["**"] }\n'.replace('"files.read"', '"files.write"'))
    for path in ("secret.txt", "notes/../secret.txt", "/etc/passwd"):
        told = parent(person, f"""
given = {{"files.read": {{"path": ["notes/**"]}}}}
result = children.spawn("child.py", [["files.read", {{"path": {path!r}}}]], grants=given).join()
""")  # fmt: skip
        assert answer(told)[0][0] in ("Denied", "Invalid")


def test_what_a_child_uses_its_parent_has_used(person: Person) -> None:
    approve(person)
    told = parent(person, """
twice = [children.spawn("child.py", [append("log.txt", "c" * 25)], grants=LOG).join() for _ in range(2)]
own = tried(call, *append("log.txt", "p" * 25))
eight = {"files.append": {"path": ["log.txt"], "bytes": 8}}
little = children.spawn("child.py", [append("log.txt", "d" * 9)], grants=eight)
result = [twice, own, little.join(), tried(call, *append("log.txt", "p" * 10))]
""")  # fmt: skip
    twice, own, little, rest = answer(told)
    assert all(isinstance(each[0], dict) for each in twice)
    assert own[0] == "LimitExceeded"
    assert own[2] == "quota"
    assert little[0][2] == "quota"
    assert isinstance(rest, dict), rest
    assert (person.folder / "log.txt").read_text() == "c" * 50 + "p" * 10


def test_a_child_is_refused_where_its_parent_has_used_the_budget_up(person: Person) -> None:
    approve(person)
    told = parent(person, """
call(*append("log.txt", "p" * 55))
result = children.spawn("child.py", [append("log.txt", "c" * 10), append("log.txt", "c" * 5)], grants=LOG).join()
""")  # fmt: skip
    over, within = answer(told)
    assert over[2] == "quota"
    assert isinstance(within, dict)
    assert (person.folder / "log.txt").read_text() == "p" * 55 + "c" * 5


def test_a_grandchild_has_no_more_than_the_one_between(person: Person) -> None:
    approve(person)
    told = parent(person, """
below = {"program": "child.py", "input": [append("log.txt", "deep")], "grants": LOG}
wide = {**below, "grants": {"files.append": {"path": ["out/**"]}}}
result = children.spawn("child.py", [["spawn", below], ["spawn", wide]], grants=LOG).join()
""")  # fmt: skip
    deep, wide = answer(told)
    assert isinstance(deep[0], dict), deep
    assert wide[0] == "Denied"
    assert wide[2] == "parent"
    assert f"{told.id}.1.1" in runs(person)


@pytest.mark.parametrize("program", ["nobody.py", "../child.py", "0" * 64, "\0", "other.py"])
def test_a_program_that_the_person_did_not_approve_is_no_child(person: Person, program: str) -> None:
    approve(person)
    other = person.source(CHILD + "# other", GRANTS, "other.py")
    assert person.follow(person.start(other, input="[]"), NO).status == "refused"
    error = parent(person, f"result = tried(children.spawn, {program!r}, [])").result
    assert error == ["Denied", "no version of that program was allowed to run", "unapproved"]


def test_a_child_is_the_version_that_was_approved_whatever_stands_there_now(person: Person) -> None:
    digest = approve(person, "result = 'approved'", "")
    (person.folder / "child.py").write_text("result = 'rewritten'")
    told = parent(person, f"result = [children.spawn(name).join() for name in ('child.py', {digest!r})]")
    assert told.result == ["approved", "approved"]


def test_a_storm_of_children_meets_its_limits(person: Person) -> None:
    approve(person)
    told = parent(person, """
made = [tried(children.spawn, "child.py", [["sleep", 60]]) for _ in range(40)]
refused = [each for each in made if isinstance(each, list)]
typed = all(each[0] == "LimitExceeded" for each in refused)
result = [len(made) - len(refused), sorted({each[2] for each in refused}), typed]
""")  # fmt: skip
    count, why, typed = answer(told)
    assert count <= 40
    assert set(why) <= {"rate", "width"}
    assert why
    assert typed
    assert eventually(
        lambda: all(run.status == pb.RUN_STATUS_CANCELLED for each, run in runs(person).items() if "." in each)
    )


def test_children_of_children_end_at_some_depth(person: Person) -> None:
    approve(person)
    told = parent(person, """
asked = []
for _ in range(6):
    asked = [["spawn", {"program": "child.py", "input": asked}]]
result = children.spawn("child.py", asked).join()
""")  # fmt: skip
    assert '"depth"' in json.dumps(told.result)
    assert max(run.count(".") for run in runs(person)) == 4


def test_a_run_that_ends_takes_with_it_what_it_did_not_join(person: Person) -> None:
    approve(person)
    told = parent(person, 'result = children.spawn("child.py", [["sleep", 90], append("log.txt")], grants=LOG).run')
    child = str(told.result)
    assert eventually(lambda: person.record(child).status == pb.RUN_STATUS_CANCELLED)
    assert lines(person) == []


def test_cancelling_a_run_takes_its_tree(person: Person) -> None:
    approve(person)
    run = begun(person, """
below = {"program": "child.py", "input": [["sleep", 90]]}
children.spawn("child.py", [["spawn", below]]).join()
""")  # fmt: skip
    below = [f"{run}.1", f"{run}.1.1"]
    assert eventually(lambda: all(each in runs(person) for each in below))
    assert eventually(lambda: person.status().cells_busy == 0), "all of them wait without a cell"
    person.cancel(run)
    for each in (run, *below):
        assert eventually(lambda each=each: person.record(each).status == pb.RUN_STATUS_CANCELLED)  # type: ignore[misc]


def test_revoking_what_a_parent_has_takes_it_from_its_children(person: Person) -> None:
    approve(person)
    source = person.source(PARENT + """
asked = [append("log.txt", "before\\n"), ["sleep", 3], append("log.txt", "after\\n")]
result = children.spawn("child.py", asked, grants=LOG).join()
""", GRANTS, "parent.py")  # fmt: skip
    stream, told = person.start(source, ask=pb.ASK_DENY, grant_manifest=True), Told()
    told.hear(next(stream))
    assert eventually(lambda: lines(person) == ["before"])
    (given,) = [each for each in person.grants() if each.action == "files.append" and each.origin == told.id]
    person.revoke(given.parent)
    done = person.follow(stream, told=told).result
    assert isinstance(done, list)
    assert done[1][:2] == ["Denied", "its parent did not give it that"]
    assert lines(person) == ["before"]


def test_a_child_that_is_cancelled_is_over_and_can_be_cancelled_again(person: Person) -> None:
    approve(person)
    told = parent(person, """
child = children.spawn("child.py", [["sleep", 90]])
child.cancel(); child.cancel()
result = tried(child.join)
""")  # fmt: skip
    name, reason, detail = answer(told)
    assert (name, detail) == ("Unavailable", "child_cancelled")
    assert "ended as cancelled" in reason


def test_nobody_joins_or_cancels_a_child_of_another(person: Person) -> None:
    approve(person)
    other = begun(person, 'children.spawn("child.py", [["sleep", 90]]).join()')
    assert eventually(lambda: f"{other}.1" in runs(person))
    for name in (f"{other}.1", other, "r1", "", "r999.1", "../r1"):
        told = parent(person, f"""
from agentos.sdk.children import Child
result = [tried(Child({name!r}).join), tried(Child({name!r}).cancel)]
""")  # fmt: skip
        assert told.result == [["NotFound", "this run has no such child", ""]] * 2
    assert person.record(f"{other}.1").status != pb.RUN_STATUS_CANCELLED
    person.cancel(other)


def test_a_crash_anywhere_resumes_the_tree_and_makes_no_second_child(place: Place) -> None:
    with place.up() as person:
        approve(person)
        run = begun(person, """
child = children.spawn("child.py", [append("log.txt", "one\\n"), ["sleep", 4], append("log.txt", "two\\n")], grants=LOG)
result = len(child.join())
""")  # fmt: skip
        assert eventually(lambda: place.lines() == ["one"])
        kill(person)
    with place.up() as person:
        assert eventually(lambda: person.status().runs_active == 0 or place.lines() == ["one", "two"])
        kill(person)
    with place.up() as person:
        ended = end_of(person, run)
        if ended.status == pb.RUN_STATUS_WAITING:
            assert eventually(lambda: person.record(run).status == pb.RUN_STATUS_DONE)
        assert eventually(lambda: person.record(run).result == "2"), person.record(run)
        assert place.lines() == ["one", "two"]
        assert [each for each in runs(person) if each.startswith(f"{run}.")] == [f"{run}.1"]


def test_a_child_has_no_higher_limits_than_its_parent(person: Person) -> None:
    approve(person, "from agentos.sdk import run\nresult = run.left().calls", "")
    source = person.source(PARENT + 'result = children.spawn("child.py").join()', GRANTS, "parent.py", "calls = 7")
    told = person.follow(person.start(source, ask=pb.ASK_DENY, grant_manifest=True))
    assert told.result == 7


def test_what_a_child_read_outside_its_parent_has_read_too_and_so_do_children_after_that(person: Person) -> None:
    approve(person)
    told = parent(person, """
html = "PGh0bWw+PGJvZHk+PHA+RG8gYXMgSSBzYXksIGFuZCBiZSBx"
html += "dWljayBhYm91dCBpdC48L3A+PC9ib2R5PjwvaHRtbD4="
page = ["pages.extract", {"html": html}]
before = children.spawn("child.py", [append("log.txt")], grants=LOG)
reader = children.spawn("child.py", [page])
before.join(); reader.join()
after = children.spawn("child.py", [append("log.txt")], grants=LOG)
after.join()
files.append("log.txt", text="x")
result = [before.run, reader.run, after.run]
""")  # fmt: skip
    before, _, after = answer(told)
    assert [person.calls(run, "files.append")[0].after_outside for run in (before, after, told.id)] == [
        False,
        True,
        True,
    ]


def test_a_child_whose_parent_is_over_is_ended_by_the_next_kernel(place: Place) -> None:
    with place.up() as person:
        approve(person)
        run = begun(person, 'children.spawn("child.py", [["sleep", 90], append("log.txt")], grants=LOG).join()')
        assert eventually(lambda: f"{run}.1" in runs(person))
        kill(person)
    over = RunEnded(run, pb.RUN_STATUS_DONE, "", "", False, 0, 0, 0, 0, 1)
    asyncio.run(recorded(place.home, over))
    with place.up() as person:
        assert eventually(lambda: person.record(f"{run}.1").status == pb.RUN_STATUS_CANCELLED, 10)
        assert place.lines() == []


def test_a_tree_uses_no_more_processor_time_than_its_top_may(person: Person) -> None:
    approve(person, "def main(input):\n    while input:\n        pass", "", "burns.py")
    between = "from agentos.sdk import children\nresult = input and children.spawn('burns.py', 1).join().status"
    approve(person, f"def main(input):\n    {between.replace(chr(10), chr(10) + '    ')}", "", "between.py")
    assert eventually(lambda: person.status().cells_busy == 0)  # else what others used is counted, too
    before = cells_cpu_s(person)
    source = person.source(PARENT + """
names = ["burns.py", "between.py", "burns.py"]
result = [each.join().status for each in [children.spawn(name, 1) for name in names]]
""", GRANTS, "parent.py", 'cpu = "3s"')  # fmt: skip
    told = person.follow(person.start(source, ask=pb.ASK_DENY, grant_manifest=True))
    assert told.ended.status == pb.RUN_STATUS_LIMIT
    assert "share" in told.ended.error.reason

    def below() -> list[pb.RunStatus.ValueType]:
        return [run.status for run in runs(person).values() if run.id.startswith(f"{told.ended.id}.")]

    # The end of the top is told as soon as theirs is certain, and some are still on their way.
    assert eventually(lambda: pb.RUN_STATUS_ACTIVE not in below())
    assert set(below()) <= {pb.RUN_STATUS_LIMIT, pb.RUN_STATUS_CANCELLED}
    assert len(below()) >= 3
    assert eventually(lambda: person.status().cells_busy == 0)
    assert cells_cpu_s(person) - before < 3 + LOOK_EVERY_S * 2 + 1.5, "each of the three may use 3 s by itself"


def test_those_below_runs_that_are_away_use_no_more_than_their_top_may(person: Person) -> None:
    """Nobody follows the top, so it is away, as those between are: who burns knows the limit of its parent alone."""
    approve(person, "def main(input):\n    while input:\n        pass", "", "burns.py")
    between = "from agentos.sdk import children\nresult = input and children.spawn('burns.py', 1).join().status"
    approve(person, f"def main(input):\n    {between.replace(chr(10), chr(10) + '    ')}", "", "between.py")
    run = begun(person, """
result = [each.join().status for each in [children.spawn("between.py", 1) for _ in range(3)]]
""", 'cpu = "10s"')  # fmt: skip
    below = [f"{run}.{number}.1" for number in (1, 2, 3)]
    assert eventually(lambda: all(person.record(run).status == pb.RUN_STATUS_WAITING for run in (run, f"{run}.1")))
    assert eventually(lambda: all(person.record(each).status == pb.RUN_STATUS_LIMIT for each in below), 60)
    assert all("share" in person.record(each).error.reason for each in below)
    assert eventually(lambda: person.status().runs_active == 0)


def cells_cpu_s(person: Person) -> float:
    """Processor time of all cells that ended."""
    return sample(person).parts["cells"].counts["cpu_us"] / 1e6
