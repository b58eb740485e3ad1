"""What an armed program may be told of: what a standing grant of this version lets it look at, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from agentos.home.happenings import Armed
from agentos.home.journal import Journal
from agentos.home.records import Grant, Revoked
from agentos.kernel.ledger import Ledger
from agentos.runs.covered import Covered
from agentos.v1 import control_pb2 as pb
from tests.authority.letters import shipped
from tests.kernel.cases import WHO, at, grant

NOTES, BELOW, OTHER = "/home/me/notes/**", "/home/me/notes/a/*.md", "/home/me/other/**"
ARMED = Armed(WHO.path, WHO.program, WHO.digest, "/home/me", "/home/me", "", (), 0)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = Journal.open(tmp_path / "db", bytes(32))
    yield Ledger(opened)
    await opened.close()


def covered(ledger: Ledger, *paths: str, armed: Armed = ARMED, now_ms: int = 0) -> tuple[str, ...]:
    return Covered(ledger, shipped(), lambda: now_ms)(armed, paths)


def reads(action: str = "files.read", path: str = NOTES, **more: object) -> Grant:
    made = grant("g1", action, at(path))
    return msgspec.structs.replace(made, **more)


async def test_what_lies_within_a_grant_is_covered_and_nothing_else(ledger: Ledger) -> None:
    ledger.record(reads())
    assert covered(ledger, NOTES, BELOW, OTHER, "/home/me/**", "/**") == (NOTES, BELOW)


async def test_a_grant_to_write_is_none_to_be_told(ledger: Ledger) -> None:
    ledger.record(reads("files.write"))
    assert covered(ledger, NOTES) == ()


async def test_another_version_and_another_program_have_nothing_of_it(ledger: Ledger) -> None:
    ledger.record(reads())
    assert covered(ledger, NOTES, armed=msgspec.structs.replace(ARMED, digest="other")) == ()
    assert covered(ledger, NOTES, armed=msgspec.structs.replace(ARMED, path="/home/me/other.py")) == ()


async def test_a_grant_for_one_call_covers_nothing(ledger: Ledger) -> None:
    made = reads(run="")
    ledger.record(msgspec.structs.replace(made, terms=msgspec.structs.replace(made.terms, choice=pb.CHOICE_ONCE)))
    assert covered(ledger, NOTES) == ()


async def test_what_was_revoked_or_has_ended_covers_nothing(ledger: Ledger) -> None:
    made = reads()
    until = msgspec.structs.replace(made.terms, choice=pb.CHOICE_UNTIL, until_ms=1_000)
    ledger.record(msgspec.structs.replace(made, id="g8", terms=until))
    assert covered(ledger, NOTES, now_ms=999) == (NOTES,)
    assert covered(ledger, NOTES, now_ms=1_000) == ()
    ledger.record(msgspec.structs.replace(made, id="g9"))
    assert covered(ledger, NOTES) == (NOTES,)
    ledger.record(Revoked(("g8", "g9")))
    assert covered(ledger, NOTES) == ()
