"""The review before a first run: what it mints is on disk before it is told, and what is no yes is a refusal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentos.home import schema
from agentos.home.history import RunBegan
from agentos.home.journal import Journal
from agentos.home.refusal import Refusal
from agentos.home.vault import Vault
from agentos.kernel.ledger import Ledger
from agentos.kernel.secrets import Secrets
from agentos.manifest.rules import Catalog
from agentos.runs.desk import Desk
from agentos.runs.questions import Questions
from agentos.runs.run import Run
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2
from tests.kernel.cases import WHO, at, line, manifest


class Reviews:
    """Questions about runs, over a journal on disk."""

    def __init__(self, folder: Path, catalog: Catalog) -> None:
        schema.create(folder / "db", bytes(32))
        self.journal, self._vault = Journal.open(folder / "db", bytes(32)), Vault.open(folder / "db", bytes(32))
        self._ledger = Ledger(self.journal)
        self.desk = Desk(self._ledger, self._ledger, catalog, lambda: 0)
        secrets = Secrets(self._ledger, self._vault, catalog, lambda: 0)
        self._questions = Questions(catalog, self._ledger, self.desk, secrets, lambda run: None)

    def run(self, request: pb.RunRequest) -> Run:
        began = RunBegan("r1", "prog", WHO.path, WHO.digest, "/", "/", (), "", 1)
        return Run(began, request, manifest(line("files.read", at("/a"))), WHO, self._ledger.durable)

    async def review(self, run: Run) -> None:
        await self._questions.review(run, self._questions.program(run.manifest, WHO).lines)

    async def close(self) -> None:
        self._vault.close()
        await self.journal.close()


@pytest.fixture
async def reviews(tmp_path: Path, catalog: Catalog) -> AsyncIterator[Reviews]:
    made = Reviews(tmp_path, catalog)
    yield made
    await made.close()


async def test_what_a_manifest_was_granted_is_on_disk_before_it_is_told(reviews: Reviews) -> None:
    run = reviews.run(pb.RunRequest(grant_manifest=True))
    await reviews.review(run)
    told = await run.feed.next()
    assert told
    assert [each.action for each in told.granted.lines] == ["files.read"]
    assert reviews.journal.statistics()["durable"] == reviews.journal.head[0] == 1


@pytest.mark.parametrize(
    ("stopped", "code", "detail"),
    [("cancelled", error_pb2.CODE_UNAVAILABLE, "cancelled"), ("", error_pb2.CODE_DENIED, "")],
)
async def test_a_review_without_a_yes_is_refused_by_its_code(
    reviews: Reviews, stopped: str, code: int, detail: str
) -> None:
    run = reviews.run(pb.RunRequest(ask=pb.ASK_WAIT))
    reviewing = asyncio.create_task(reviews.review(run))
    await asyncio.sleep(0)
    run.stopped = stopped
    reviews.desk.void_all("r1")
    with pytest.raises(Refusal) as told:
        await reviewing
    assert (told.value.fault.code, told.value.fault.detail) == (code, detail)
