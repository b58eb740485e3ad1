"""Many events over one stream: each message is answered when all of it is on disk, in the order in which they came."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import grpc
import pytest

from agentos.v1 import error_pb2
from agentos.v1 import events_pb2 as pb
from tests.events.conftest import Armer, killed
from tests.kernel.person import error_of, eventually


def event(data: object, name: str = "paid", named: str = "") -> pb.SendEventRequest:
    return pb.SendEventRequest(name=name, data=json.dumps(data), id=named)


def message(*events: pb.SendEventRequest) -> pb.SendEventsRequest:
    return pb.SendEventsRequest(events=events)


def stream(armer: Armer, messages: Iterator[pb.SendEventsRequest]) -> Iterator[list[pb.SendEventResponse]]:
    answers = armer.events.SendEvents(messages, metadata=armer.person.metadata, timeout=60)
    return (list(answer.sent) for answer in answers)


def test_all_that_was_answered_starts_its_run_after_the_kernel_was_killed(home: Path, tmp_path: Path) -> None:
    with killed(home, tmp_path) as (armer, kill):
        armer.arm('"event.paid"')
        messages = (message(*map(event, range(at, at + 5))) for at in range(0, 20, 5))
        answered = [each.id for answer in stream(armer, messages) for each in answer]
        kill()
    with killed(home, tmp_path) as (armer, _):
        told = [json.loads(line) for line in armer.saw(20, 60)]
        armer.disarm()
    assert [each["id"] for each in told] == answered
    assert [each["data"] for each in told] == list(range(20))


def test_whoever_waits_for_each_answer_gets_it_before_the_next_is_sent(armer: Armer) -> None:
    next_one: SimpleQueue[pb.SendEventsRequest | None] = SimpleQueue()
    answers = stream(armer, iter(next_one.get, None))
    for at in range(3):
        next_one.put(message(event(at)))
        assert len(next(answers)) == 1
    next_one.put(None)
    assert list(answers) == []


def test_a_refusal_ends_it_and_what_was_answered_before_is_taken_in(armer: Armer) -> None:
    sent = (message(event(1, named="first")), message(event(2, name="NO NAME")), message(event(3)))
    answers = stream(armer, iter(sent))
    assert [each.id for each in next(answers)] == ["first"]
    with pytest.raises(grpc.RpcError) as refused:
        list(answers)
    assert error_of(refused.value).code == error_pb2.CODE_INVALID
    assert armer.send("paid", event="first").duplicate


def test_an_id_twice_is_one_event_in_one_message_too(armer: Armer) -> None:
    [[one, same, other]] = stream(armer, iter([message(event(1, named="a"), event(1, named="a"), event(2, named="b"))]))
    assert (one.duplicate, same.duplicate, other.duplicate) == (False, True, False)


def test_a_message_of_too_many_takes_none_in(armer: Armer) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        list(stream(armer, iter([message(*(event(at, named=f"many-{at}") for at in range(1_001)))])))
    assert error_of(refused.value).detail == "too_many"
    assert not armer.send("paid", event="many-0").duplicate


def test_whoever_hangs_up_in_the_middle_holds_up_nobody(armer: Armer) -> None:
    armer.arm('"event.paid"')
    never: SimpleQueue[pb.SendEventsRequest] = SimpleQueue()
    never.put(message(*map(event, range(20))))
    answers = armer.events.SendEvents(iter(never.get, None), metadata=armer.person.metadata)
    assert len(next(iter(answers)).sent) == 20
    answers.cancel()
    assert armer.send("paid", '"last"').triggers == 1
    assert eventually(lambda: len(armer.seen()) == 21, 60)
    armer.disarm()


def test_nobody_sends_many_without_the_credential(armer: Armer) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        list(armer.events.SendEvents(iter([message(event(1))])))
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
