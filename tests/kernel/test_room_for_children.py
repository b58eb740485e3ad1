"""How many runs a run may start, and what it may give them, with no cell needed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from agentos.home.history import RunBegan
from agentos.home.journal import Journal
from agentos.home.records import Bounds, Fault, Grant
from agentos.kernel.actor import Actor
from agentos.kernel.call import Failed
from agentos.kernel.grants import Held
from agentos.kernel.ledger import Ledger
from agentos.manifest.lines import ManifestLine
from agentos.manifest.rules import Catalog
from agentos.runs import lending
from agentos.runs.children import BURST, TREE, WIDTH, Children
from agentos.runs.run import Run
from agentos.v1 import control_pb2, error_pb2, own_pb2
from tests.kernel.cases import WHO, Paper, at, grant, line, manifest
from tests.kernel.test_ledger import began, ended


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = Journal.open(tmp_path / "db", bytes(32))
    yield Ledger(opened)
    await opened.close()


def child(run: str) -> RunBegan:
    return RunBegan(run, "prog", WHO.path, WHO.digest, "/home/me", "/home/me", (), "", 1, above=(WHO.path,))


def room(ledger: Ledger, catalog: Catalog) -> Children:
    def begin(began: RunBegan, also: Sequence[Grant]) -> None:
        raise AssertionError(f"{began.run} was begun")

    async def end(run: str) -> None:
        pass

    return Children(ledger, catalog, begin, end, lambda: 0)


def refusal(children: Children, run: str) -> str:
    try:
        children.check_room(run)
    except Failed as failed:
        return failed.fault.detail if failed.fault.code == error_pb2.CODE_LIMIT else str(failed.fault)
    return ""


async def test_a_tree_has_so_many_runs(ledger: Ledger, catalog: Catalog) -> None:
    children = room(ledger, catalog)
    ledger.record(began("r1"), *[child(f"r1.{number}") for number in range(WIDTH)])
    assert refusal(children, "r1") == "width"
    assert refusal(children, "r1.1") == ""
    ledger.record(ended("r1.1"))
    assert refusal(children, "r1") == ""
    ledger.record(
        *[child(f"r1.{above}.{number}") for above in range(2, 6) for number in range((TREE - WIDTH) // 4 + 1)]
    )
    assert refusal(children, "r1.7") == "width"
    ledger.record(began("r2"))
    assert [refusal(children, "r2") for _ in range(BURST + 1)] == [""] * BURST + ["rate"]
    assert refusal(children, "r3") == "", "another tree has its own rate"


async def test_a_child_that_is_over_is_counted_no_more(ledger: Ledger, catalog: Catalog) -> None:
    ledger.record(began("r1"), child("r1.1"), child("r1.1.1"))
    ledger.record(ended("r1.1.1"), ended("r1.1"))
    assert ledger.below == {}


async def test_a_call_that_is_made_again_finds_the_child_that_is_there(ledger: Ledger, catalog: Catalog) -> None:
    ledger.record(began("r1"), child("r1.4"))
    run = Run(began("r1"), control_pb2.RunRequest(), manifest(), WHO, ledger.durable)
    actor = Actor(WHO, manifest(), "/", "/", *[None] * 6)  # type: ignore[arg-type]  # it makes no call
    for _ in range(2):
        assert room(ledger, catalog).spawn(run, actor, 4, own_pb2.ChildrenSpawnRequest(program="p.py")) == "r1.4"
        ledger.record(ended("r1.4"))


async def test_a_program_that_nobody_allowed_and_a_run_of_another_are_no_children(
    ledger: Ledger, catalog: Catalog
) -> None:
    ledger.record(began("r1"))
    run = Run(began("r1"), control_pb2.RunRequest(start_folder="/home/me"), manifest(), WHO, ledger.durable)
    actor = Actor(WHO, manifest(), "/", "/", *[None] * 6)  # type: ignore[arg-type]  # it makes no call
    with pytest.raises(Failed) as unapproved:
        room(ledger, catalog).spawn(run, actor, 1, own_pb2.ChildrenSpawnRequest(program="p.py"))
    reason, hint = "no version of that program was allowed to run", "run it once yourself: agentos run PROGRAM"
    assert unapproved.value.fault == Fault(error_pb2.CODE_DENIED, reason, hint, "unapproved")
    with pytest.raises(Failed) as another:
        await room(ledger, catalog).join(run, actor, own_pb2.ChildrenJoinRequest(run="r9"))
    reason, hint = "this run has no such child", "children.spawn returns what is joined"
    assert another.value.fault == Fault(error_pb2.CODE_NOT_FOUND, reason, hint)


HOME = at("/home/me/**")


@pytest.mark.parametrize(
    ("own", "granted", "asked", "given"),
    [
        (line("files.read", HOME), at("/home/me/notes/**"), at("/home/me/notes/a"), True),
        (line("files.read", HOME), at("/home/me/notes/**"), at("/home/me/secret"), False),
        (line("files.read", HOME, ask_always=True), HOME, at("/home/me/notes/a"), False),
        (line("files.read", at("/home/me/notes/**")), HOME, at("/home/me/secret"), False),
        (line("files.write", HOME), HOME, at("/home/me/notes/a"), False),
    ],
)
def test_a_child_gets_what_its_parent_holds_within_its_manifest_and_unasked(
    ledger: Ledger, catalog: Catalog, own: ManifestLine, granted: Bounds, asked: Bounds, given: bool
) -> None:
    run = Run(began("r1"), control_pb2.RunRequest(), manifest(own), WHO, ledger.durable)
    held = [Held(grant("g1", "files.read", granted), spent={})]
    wanted = line("files.read", asked)
    if given:
        assert lending.lend(run, wanted, held, catalog) == ("g1", asked)
    else:
        with pytest.raises(Failed) as refused:
            lending.lend(run, wanted, held, catalog)
        assert (refused.value.fault.code, refused.value.fault.detail) == (error_pb2.CODE_DENIED, "parent")


@pytest.mark.parametrize(
    ("text", "reason", "hint"),
    [
        ("[]", "grants: the grants are no table of actions", '{"files.read": {"path": ["notes/**"]}}'),
        ('{"files.read": {"path": "/a", "ask": "always"}}', "grants: a child cannot ask", 'leave ask = "always" out'),
    ],
)
def test_what_cannot_be_given_is_told_as_a_mistake_in_a_manifest(
    catalog: Catalog, text: str, reason: str, hint: str
) -> None:
    run = Run(began("r1"), control_pb2.RunRequest(start_folder="/home/me"), manifest(), WHO, Paper().durable)
    with pytest.raises(Failed) as refused:
        lending.wanted(text, run, catalog)
    assert refused.value.fault == Fault(error_pb2.CODE_INVALID, reason, hint, "manifest")


def test_what_is_good_for_one_call_cannot_be_given(ledger: Ledger, catalog: Catalog) -> None:
    run = Run(began("r1"), control_pb2.RunRequest(), manifest(line("files.read", HOME)), WHO, ledger.durable)
    once = Held(grant("g1", "files.read", HOME, control_pb2.CHOICE_ONCE, uses=1), spent={})
    with pytest.raises(Failed):
        lending.lend(run, line("files.read", HOME), [once], catalog)
