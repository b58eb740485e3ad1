"""By which code and word a program learns that one of the kernel's own calls failed, or what it did before its end."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message

from agentos.home.records import CallMade, Fault
from agentos.kernel import own
from agentos.kernel.call import Failed
from agentos.kernel.own import Powers
from agentos.kernel.replay import UNKNOWN, Recorded, recalled
from agentos.manifest.rules import Catalog
from agentos.runs.generations import MAX_STATE, end
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2, own_pb2
from tests.kernel.cases import call

INVALID = error_pb2.CODE_INVALID


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (own_pb2.ClockSleepRequest(ms=-1), "a sleep is 0 ms to 366 days long"),
        (own_pb2.RandomBytesRequest(count=0), "1 to 65536 random bytes at a time"),
        (pb.RunRequest(), "the kernel does not serve this itself"),
    ],
)
async def test_what_the_kernel_cannot_serve_is_invalid(asked: Message, reason: str) -> None:
    async def nobody(text: str) -> None: ...

    with pytest.raises(Failed) as told:
        await own.serve(asked, Powers(), 0, nobody, 0, part=False)
    assert told.value.fault == Fault(INVALID, reason)


@pytest.mark.parametrize(
    ("state", "alone", "fault"),
    [
        ("1", False, Fault(INVALID, "a generation ends by a call of its own", "take it out of the gather")),
        ("{", True, Fault(INVALID, "a state is JSON")),
        (
            '"' + "x" * MAX_STATE,
            True,
            Fault(error_pb2.CODE_LIMIT, "a state is at most 256 KiB", "keep what is large in a file", "too_large"),
        ),
    ],
)
def test_a_generation_that_cannot_end_says_what_to_do(state: str, alone: bool, fault: Fault) -> None:
    with pytest.raises(Failed) as told:
        end(own_pb2.RunContinueWithRequest(state=state), alone)
    assert told.value.fault == fault


def test_a_state_may_have_256_kib_and_not_a_byte_more() -> None:
    text = '"' + "x" * (MAX_STATE - 2) + '"'
    assert end(own_pb2.RunContinueWithRequest(state=text), True).state == text


def test_a_refusal_whose_words_are_not_on_record_is_still_one(catalog: Catalog) -> None:
    asked = call(catalog, "files.read", path="/a")
    past = CallMade("r1", 1, "files.read", "{}", asked.targets, asked.digest, pb.CALL_DECISION_REFUSED, 0)
    assert recalled(asked, Recorded(past)) == Fault(error_pb2.CODE_DENIED, "it was refused")


def test_what_happened_and_whose_answer_is_lost_is_unavailable_and_says_that_it_happened() -> None:
    assert Fault(
        error_pb2.CODE_UNAVAILABLE, "it was cut off, and happened; what it answered is not known",
        "look at what it did before going on", "happened",
    ) == UNKNOWN  # fmt: skip
