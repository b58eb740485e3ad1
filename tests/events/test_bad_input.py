"""What nobody in their right mind would ask of timers and events, asked all the same: each is told what is wrong."""

from __future__ import annotations

import grpc
import pytest

from agentos.v1 import error_pb2
from agentos.v1 import events_pb2 as pb
from tests.events.conftest import Armer
from tests.kernel.person import error_of

TRIES = """\
from agentos.sdk import AgentError, Call, call, clock, gather
def tried(make, *args):
    try:
        make(*args)
        return "done"
    except AgentError as error:
        return [type(error).__name__, error.reason]
"""


def test_a_sleep_of_no_length_there_is_is_refused(armer: Armer) -> None:
    odd = [-1, -(10**18), 10**18, 2**63, 366 * 86_400_000 + 1, 1.5, "NaN", "nan", True, None, [], "9999-12-31"]
    told = armer.person.run(f"{TRIES}result = [tried(call, 'clock.sleep', {{'ms': ms}}) for ms in {odd!r}]")
    assert isinstance(told.result, list)
    for length, said in zip(odd, told.result, strict=True):
        assert said[0] == "Invalid" or (length is None and said == "done"), (length, said)


def test_a_million_sleeps_at_once_are_refused_and_in_a_row_they_end_at_a_limit(armer: Armer) -> None:
    told = armer.person.run(f"""{TRIES}
one = Call("clock.sleep", {{"ms": 1}}, lambda _: None)
result = [tried(gather, *[one] * 65), tried(gather, *[one] * 100_000), tried(gather, *[one] * 64)]
""")
    assert isinstance(told.result, list)
    assert told.result[0] == ["Invalid", "more than 64 calls in one request"]
    assert told.result[1][0] in ("Invalid", "LimitExceeded")
    assert told.result[2] == "done"
    many = armer.person.run(f"{TRIES}for _ in range(10**6): tried(clock.sleep, 0)", limits="calls = 1")
    assert many.status == "limit"


def test_a_manifest_with_a_million_timers_is_an_error_at_its_line(armer: Armer) -> None:
    entry = '{ event = "timer.every", seconds = 1 }'
    for count, reason in ((65, "more than 64 entries of on"), (20_000, "the manifest is larger than 64 KiB")):
        with pytest.raises(grpc.RpcError) as refused:
            armer.arm(", ".join([entry] * count))
        error = error_of(refused.value)
        assert error.code == error_pb2.CODE_INVALID
        assert error.reason.endswith(reason)
        assert error.hint
    with pytest.raises(grpc.RpcError) as refused:
        armer.arm(", ".join([entry] * 1_000_000))
    assert error_of(refused.value).reason


def test_an_event_of_a_hundred_megabytes_from_the_person_is_refused_and_the_kernel_goes_on(armer: Armer) -> None:
    armer.arm('"event.paid"')
    with pytest.raises(grpc.RpcError) as refused:
        armer.send("paid", f'"{"x" * (2 << 20)}"')
    assert error_of(refused.value).detail == "too_large"
    talk = [("grpc.max_send_message_length", 200 << 20), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"unix:{armer.person.socket}", options=talk) as channel:
        request = pb.SendEventRequest(name="paid", data=f'"{"x" * 100_000_000}"')
        with pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary(
                "/agentos.v1.EventsService/SendEvent", request_serializer=pb.SendEventRequest.SerializeToString
            )(request, metadata=armer.person.metadata, timeout=60)
        assert "RESOURCE_EXHAUSTED" in str(refused.value)
    armer.send("paid", '"small"')
    armer.saw(1)
    assert len(armer.seen()) == 1
    armer.disarm()
