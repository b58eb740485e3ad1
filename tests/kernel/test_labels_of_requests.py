"""By which code and word a shell learns that what the person asked for, or answered, cannot be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agentos.home.history import ProgramSeen, RunBegan
from agentos.home.journal import Journal
from agentos.home.refusal import Refusal
from agentos.kernel.ledger import Ledger
from agentos.manifest.rules import Catalog
from agentos.runs.desk import MAX_OPEN
from agentos.runs.intake import MAX_ARGUMENTS, MAX_INPUT, MAX_PATH, Intake, check_input, check_sizes
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2
from tests.kernel.cases import WHO
from tests.kernel.test_desk import ask_for, desk, reply

INVALID, LIMIT, NOT_FOUND = error_pb2.CODE_INVALID, error_pb2.CODE_LIMIT, error_pb2.CODE_NOT_FOUND


def twice(request: pb.AnswerRequest) -> None:
    request.decisions.append(request.decisions[0])


def of_no_line(request: pb.AnswerRequest) -> None:
    request.decisions[0].number = 2


def of_no_question(request: pb.AnswerRequest) -> None:
    request.prompt = "p9"


def of_something_else(request: pb.AnswerRequest) -> None:
    request.digest = "0" * 64


def no_pattern(request: pb.AnswerRequest) -> None:
    request.decisions[0].bounds.add(name="path", values=["/a/../b"])


def wider(request: pb.AnswerRequest) -> None:
    request.decisions[0].bounds.add(name="path", values=["/**"])


def in_the_past(request: pb.AnswerRequest) -> None:
    request.decisions[0].choice = pb.CHOICE_UNTIL


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (twice, INVALID), (of_no_line, INVALID), (of_no_question, NOT_FOUND), (of_something_else, INVALID),
        (no_pattern, INVALID), (wider, INVALID), (in_the_past, INVALID),
    ],
)  # fmt: skip
async def test_an_answer_that_is_none_is_refused_by_its_code(
    catalog: Catalog, change: Callable[[pb.AnswerRequest], None], code: int
) -> None:
    on, _ = desk(catalog)
    request = reply(ask_for(on, catalog), pb.CHOICE_VERSION)
    change(request)
    with pytest.raises(Refusal) as told:
        await on.answer(request)
    assert (told.value.fault.code, told.value.fault.detail) == (code, "")


async def test_more_questions_than_may_wait_are_a_limit(catalog: Catalog) -> None:
    on, _ = desk(catalog)
    for number in range(MAX_OPEN):
        ask_for(on, catalog, number=f"p{number}")
    with pytest.raises(Refusal) as told:
        ask_for(on, catalog, number="more")
    assert told.value.fault.code == LIMIT


@pytest.mark.parametrize(
    ("request_", "code", "detail"),
    [
        (pb.RunRequest(arguments=["x" * MAX_ARGUMENTS]), LIMIT, "too_large"),
        (pb.RunRequest(start_folder="/" * (MAX_PATH + 1)), LIMIT, "too_large"),
        (pb.RunRequest(input='"' + "x" * MAX_INPUT + '"'), LIMIT, "too_large"),
        (pb.RunRequest(input="{"), INVALID, ""),
    ],
    ids=["arguments", "path", "input", "no JSON"],
)
def test_what_a_run_cannot_be_started_with_is_refused_by_its_code(
    request_: pb.RunRequest, code: int, detail: str
) -> None:
    check = check_input if request_.input else check_sizes
    with pytest.raises(Refusal) as told:
        check(request_.input or request_)  # type: ignore[arg-type]
    assert (told.value.fault.code, told.value.fault.detail) == (code, detail)


async def test_what_is_no_program_and_what_was_not_kept_are_refused_by_their_codes(
    catalog: Catalog, tmp_path: Path
) -> None:
    journal = Journal.open(tmp_path / "db", bytes(32))
    ledger = Ledger(journal)
    intake = Intake(catalog, ledger)
    with pytest.raises(Refusal) as beside:
        intake.read(pb.Source(path="a.py"), "/", "/", "r1", (0, 0))
    block = b"# /// script\n# [tool.agentos]\n# nonsense = 1\n# ///\n"
    with pytest.raises(Refusal) as written:
        intake.read(pb.Source(path="/a.py", content=block), "/", "/", "r1", (0, 0))
    large = RunBegan("r1", "prog", WHO.path, WHO.digest, "/", "/", (), "", 1)
    ledger.record(ProgramSeen(WHO.digest, WHO.path, "prog", b"", b""))
    with pytest.raises(Refusal) as kept:
        intake.again(large)
    found = [(each.value.fault.code, each.value.fault.detail) for each in (beside, written, kept)]
    assert found == [(INVALID, ""), (INVALID, "manifest"), (LIMIT, "")]
    await journal.close()
