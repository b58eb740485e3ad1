"""The family of errors: they read well, and ordinary code catches them as what they are."""

from __future__ import annotations

import copy
import errno
import pickle

import pytest

from agentos.sdk import AgentError, Denied, Invalid, LimitExceeded, NeedsApproval, NotFound, Unavailable
from agentos.sdk.errors import FAMILY, from_record
from agentos.v1 import error_pb2

KINDS = list(FAMILY.values())


def test_each_code_of_the_proto_has_one_error() -> None:
    codes = {name.removeprefix("CODE_").lower() for name in dict(error_pb2.Code.items())} - {"unspecified"}
    assert set(FAMILY) == codes


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_the_reason_and_then_the_next_step(kind: type[AgentError]) -> None:
    assert str(kind("a.md is outside what links.py may ever ask.", "add a line")) == (
        "a.md is outside what links.py may ever ask; add a line"
    )
    assert str(kind("not there")) == "not there"


@pytest.mark.parametrize("kind", KINDS)
def test_it_survives_copying_and_pickling(kind: type[AgentError]) -> None:
    error = kind("reason", "hint", "detail")
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301
        assert (twin.reason, twin.hint, twin.detail) == ("reason", "hint", "detail")
        assert str(twin) == "reason; hint"


@pytest.mark.parametrize(
    ("kind", "ordinary", "number"),
    [
        (Denied, PermissionError, errno.EACCES),
        (NeedsApproval, PermissionError, errno.EACCES),
        (NotFound, FileNotFoundError, errno.ENOENT),
        (LimitExceeded, OSError, errno.EDQUOT),
        (Unavailable, OSError, errno.EAGAIN),
    ],
)
def test_ordinary_code_catches_what_it_would_have_caught(
    kind: type[AgentError], ordinary: type[OSError], number: int
) -> None:
    with pytest.raises(ordinary) as caught:
        raise kind("reason", "hint")
    assert caught.value.errno == number
    assert "Errno" not in str(caught.value)


def test_a_bad_request_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="reason"):
        raise Invalid("reason")


@pytest.mark.parametrize("code", FAMILY)
def test_a_record_of_an_error_becomes_it_with_all_its_words(code: str) -> None:
    error = from_record({"code": code, "reason": "reason", "hint": "hint", "detail": "quota"})
    assert type(error) is FAMILY[code]
    assert (error.code, *error.args) == (code, "reason", "hint", "quota")


def test_a_record_without_words_is_an_error_that_says_so() -> None:
    assert from_record({}).args == ("the call failed", "", "")


def test_a_record_with_a_code_from_the_future_is_still_an_error() -> None:
    error = from_record({"code": "melted", "reason": "it melted"})
    assert isinstance(error, Unavailable)
    assert error.reason == "it melted"
