"""By which code a shell learns that the kernel's service cannot do what the person asked of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from agentos.events.service import MOST_TOGETHER
from agentos.home.journal import JournalBroken, JournalFull
from agentos.home.records import Fault
from agentos.kernel.control import MAX_TYPED, abort, unrecorded
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2, events_pb2, events_pb2_grpc
from tests.kernel.person import Person, error_of

INVALID, LIMIT, NOT_FOUND = error_pb2.CODE_INVALID, error_pb2.CODE_LIMIT, error_pb2.CODE_NOT_FOUND
UNAVAILABLE = error_pb2.CODE_UNAVAILABLE
Ask = Callable[[Person, str], object]  # a person, and a run that is under way


def follow(person: Person, run: str) -> object:
    return list(person.control.Follow(pb.FollowRequest(run="r0"), metadata=person.metadata))


def forget(person: Person, run: str) -> object:
    return person.control.ForgetRun(pb.ForgetRunRequest(run=run), metadata=person.metadata)


def a_generation_that_is_not(person: Person, run: str) -> object:
    return person.control.ShowRun(pb.ShowRunRequest(run=run, generation=2), metadata=person.metadata)


def add_what_is_none(person: Person, run: str) -> object:
    request = pb.AddCapabilityRequest(folder=str(person.folder))
    return person.control.AddCapability(request, metadata=person.metadata)


def remove_what_was_not_added(person: Person, run: str) -> object:
    return person.control.RemoveCapability(pb.RemoveCapabilityRequest(name="files"), metadata=person.metadata)


def settle(person: Person, run: str) -> object:
    return person.control.SettleCall(pb.SettleCallRequest(run=run, seq=1), metadata=person.metadata)


def disarm(person: Person, run: str) -> object:
    request = events_pb2.DisarmRequest(program="none.py")
    return events_pb2_grpc.EventsServiceStub(person.channel).Disarm(request, metadata=person.metadata)


def send_too_many(person: Person, run: str) -> object:
    message = events_pb2.SendEventsRequest(events=[events_pb2.SendEventRequest(name="many")] * (MOST_TOGETHER + 1))
    return list(events_pb2_grpc.EventsServiceStub(person.channel).SendEvents(iter([message]), metadata=person.metadata))


@pytest.mark.parametrize(
    ("ask", "code", "detail"),
    [
        (follow, NOT_FOUND, ""), (forget, INVALID, ""), (a_generation_that_is_not, NOT_FOUND, ""),
        (lambda person, run: person.cancel("r0"), NOT_FOUND, ""),
        (lambda person, run: person.revoke("g0"), NOT_FOUND, ""),
        (lambda person, run: person.type(run, "x" * (MAX_TYPED + 1)), LIMIT, "too_large"),
        (settle, NOT_FOUND, ""), (disarm, NOT_FOUND, ""), (send_too_many, LIMIT, "too_many"),
        (add_what_is_none, INVALID, ""), (remove_what_was_not_added, NOT_FOUND, ""),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_by_its_code(person: Person, ask: Ask, code: int, detail: str) -> None:
    stream = person.start(person.source("result = input()"), ask=pb.ASK_DENY, interactive=True)
    run = next(event.accepted.run for event in stream if event.HasField("accepted"))
    with pytest.raises(grpc.RpcError) as told:
        ask(person, run)
    assert (error_of(told.value).code, error_of(told.value).detail) == (code, detail)
    person.type(run, "x" * MAX_TYPED)
    assert len(person.follow(stream).result) == MAX_TYPED  # type: ignore[arg-type]


def test_what_cannot_be_recorded_is_unavailable_and_a_full_disk_is_told_from_a_broken_one() -> None:
    found = [unrecorded(wrong) for wrong in (JournalFull(), JournalBroken("it is broken"))]
    assert [(each.code, each.detail) for each in found] == [(UNAVAILABLE, "disk_full"), (UNAVAILABLE, "")]


@pytest.mark.parametrize("code", [each for each in error_pb2.Code.values() if each])
async def test_an_error_of_each_code_arrives_whole_under_a_status_of_its_own(
    code: error_pb2.Code.ValueType, tmp_path: Path
) -> None:
    async def refuse(request: bytes, context: Any) -> bytes:
        await abort(context, Fault(code, "no", "do this", "word"))

    server, address = grpc.aio.server(), f"unix:{tmp_path}/s"
    handlers: dict[str, Any] = {"Ask": grpc.unary_unary_rpc_method_handler(refuse)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("some.Service", handlers),))
    server.add_insecure_port(address)
    await server.start()
    async with grpc.aio.insecure_channel(address) as channel:
        ask: Any = channel.unary_unary("/some.Service/Ask")
        with pytest.raises(grpc.aio.AioRpcError) as told:
            await ask(b"")
    await server.stop(None)
    assert told.value.code() not in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.OK)
    errors = [value for key, value in told.value.trailing_metadata() if key == "agentos-error-bin"]
    wanted = error_pb2.Error(code=code, reason="no", hint="do this", detail="word")
    assert errors == [wanted.SerializeToString()]
