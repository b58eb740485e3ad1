"""What the end of a cell means for its run: each way to end, and a guest that says what it likes."""

from __future__ import annotations

import json
from typing import Literal

import pytest

from agentos.home.records import CallMade
from agentos.kernel.cells.pool import Ending
from agentos.kernel.replay import Diverged
from agentos.runs import outcome
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2

DONE, FAILED, REFUSED = pb.RUN_STATUS_DONE, pb.RUN_STATUS_FAILED, pb.RUN_STATUS_REFUSED
LIMIT, CANCELLED = pb.RUN_STATUS_LIMIT, pb.RUN_STATUS_CANCELLED


How = Literal["returned", "trapped", "cpu", "killed", "broke"]


def told(how: How, reply: object = "", stopped: str = "", reached: str = "") -> tuple[int, int, str]:
    """Status, code and detail; 0 and "" where nothing went wrong."""
    said = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
    status, fault, _ = outcome.of(Ending(how=how, reply=said.decode(), reached=reached), stopped)
    return (status, fault.code, fault.detail) if fault else (status, 0, "")


@pytest.mark.parametrize(
    ("stopped", "status", "code", "detail"),
    [
        ("cancelled", CANCELLED, error_pb2.CODE_UNAVAILABLE, ""),
        ("wall", LIMIT, error_pb2.CODE_LIMIT, ""),
        ("calls", LIMIT, error_pb2.CODE_LIMIT, ""),
        ("journal", FAILED, error_pb2.CODE_UNAVAILABLE, "disk_full"),
        ("diverged", FAILED, error_pb2.CODE_INVALID, "diverged"),
        ("kept", LIMIT, error_pb2.CODE_LIMIT, ""),
    ],
)
def test_why_we_ended_it_goes_before_what_its_guest_says(stopped: str, status: int, code: int, detail: str) -> None:
    assert told("returned", {"status": "done"}, stopped) == (status, code, detail)


@pytest.mark.parametrize(
    ("how", "reached", "status", "code"),
    [
        ("cpu", "", LIMIT, error_pb2.CODE_LIMIT),
        ("trapped", "stack", LIMIT, error_pb2.CODE_LIMIT),
        ("trapped", "wasi:random/random", REFUSED, error_pb2.CODE_DENIED),
        ("trapped", "", FAILED, error_pb2.CODE_UNAVAILABLE),
        ("killed", "stack", FAILED, error_pb2.CODE_UNAVAILABLE),
        ("killed", "", FAILED, error_pb2.CODE_UNAVAILABLE),
    ],
)
def test_a_cell_that_did_not_return_is_told_apart(how: How, reached: str, status: int, code: int) -> None:
    assert told(how, {"status": "done"}, reached=reached) == (status, code, "")


def test_a_guest_that_broke_and_a_cell_that_ended_are_not_the_same() -> None:
    _, broke, _ = outcome.of(Ending("trapped", "", ""), "")
    _, ended, _ = outcome.of(Ending("killed", "", ""), "")
    _, cancelled, _ = outcome.of(Ending("killed", "", ""), "cancelled")
    assert broke
    assert broke.reason == "the program broke its guest"
    assert ended
    assert ended.reason == "the cell ended before the program did"
    assert cancelled
    assert cancelled.reason == "cancelled"


@pytest.mark.parametrize(
    "said", [b"", b"no JSON", b"[]", b'{"status": "splendid"}', b'{"result": 1}', b'{"status": 1}']
)
def test_a_guest_that_says_nothing_of_its_end_failed(said: bytes) -> None:
    assert told("returned", said) == (FAILED, error_pb2.CODE_INVALID, "")


def test_a_result_may_be_a_mebibyte_and_no_more() -> None:
    room = outcome.MAX_RESULT - 2
    assert room + 2 == 1 << 20
    assert told("returned", {"status": "done", "result": "x" * room}) == (DONE, 0, "")
    assert told("returned", {"status": "done", "result": "x" * (room + 1)}) == (LIMIT, error_pb2.CODE_LIMIT, "")


@pytest.mark.parametrize(
    ("status", "code", "means"),
    [("failed", "invalid", FAILED), ("refused", "denied", REFUSED), ("limit", "limit", LIMIT)],
)
def test_what_a_guest_says_went_wrong_is_passed_on_cut(status: str, code: str, means: int) -> None:
    error = {"code": code, "reason": "r" * 3000, "hint": "h", "detail": "d"}
    found, fault, _ = outcome.of(Ending("returned", json.dumps({"status": status, "error": error}), ""), "")
    assert fault is not None
    assert (found, fault.code) == (means, outcome.CODES[code])
    assert (len(fault.reason), fault.hint, fault.detail) == (2000, "h", "d")


def test_a_code_that_there_is_not_is_one_that_counts_for_nothing() -> None:
    assert told("returned", {"status": "failed", "error": {"code": "root"}}) == (FAILED, error_pb2.CODE_INVALID, "")
    assert told("returned", {"status": "failed"}) == (FAILED, error_pb2.CODE_INVALID, "")


def test_a_run_that_went_another_way_shows_both_calls_and_no_more_than_the_beginning_of_them() -> None:
    made = CallMade("r1", 7, "net.fetch", "a" * 500, (), "d", pb.CALL_DECISION_ALLOWED, 1)
    fault = outcome.diverged(Diverged(made, "b" * 500))
    assert fault.reason == f"call 7 was net.fetch {'a' * 200} before it was cut off, and is {'b' * 300} now"
    assert (fault.code, fault.detail) == (error_pb2.CODE_INVALID, "diverged")
    assert fault.hint
