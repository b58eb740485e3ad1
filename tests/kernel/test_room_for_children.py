"""How many runs a run may start, counted on a real ledger, with no cell needed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from agentos.home.history import RunBegan
from agentos.home.journal import Journal
from agentos.home.records import Grant
from agentos.kernel.call import Failed
from agentos.kernel.ledger import Ledger
from agentos.kernel.path import Actor
from agentos.manifest.lines import Limits, Manifest
from agentos.manifest.rules import Catalog
from agentos.runs.children import BURST, TREE, WIDTH, Children
from agentos.runs.run import Run
from agentos.v1 import control_pb2, own_pb2
from tests.kernel.cases import WHO
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
        return failed.fault.detail
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
    manifest = Manifest("p", (), Limits(), True, "p.py")
    run = Run(began("r1"), control_pb2.RunRequest(), manifest, WHO)
    actor = Actor(WHO, manifest, "/", "/", *[None] * 6)  # type: ignore[arg-type]  # it makes no call
    for _ in range(2):
        assert room(ledger, catalog).spawn(run, actor, 4, own_pb2.ChildrenSpawnRequest(program="p.py")) == "r1.4"
        ledger.record(ended("r1.4"))
