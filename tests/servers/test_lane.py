"""The lane between kernel and server: what a server may not say on it, and what it does not take there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import pytest_asyncio
from google.protobuf.message import DecodeError

from agentos.kernel.cells import lane as ours
from agentos.kernel.cells.lane import Cut, Lane, Unsent, open_lane
from agentos.kernel.cells.servers import CallFailed
from agentos.v1 import capability_pb2, error_pb2, files_pb2, lane, seal
from tests.servers.test_life import until
from tests.servers.test_seal import READ, TAMPERED, Metadata, Tamper, request_of, sealed
from tests.servers.world import World, context, world

LYING = Path(__file__).parent / "lying"
pytestmark = pytest.mark.asyncio(loop_scope="module")


# ---- the kernel's end, and a peer that says what it likes


class Peer:
    """The other end of a lane of the kernel's."""

    def __init__(self, kernel: Lane, line: socket.socket, over: list[str]) -> None:
        self.kernel, self.over = kernel, over
        self._line = line

    async def say(self, raw: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._line, raw)

    async def hear(self, size: int) -> bytes:
        heard = b""
        while len(heard) < size:
            heard += await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self._line, size - len(heard)), 10)
        return heard

    async def asked(self, number: int, seconds: float = 10) -> asyncio.Task[tuple[int, bytes]]:
        """A call that is under way: its four bytes were heard."""
        call = asyncio.create_task(self.kernel.ask(number, b"call", seconds))
        assert await self.hear(4) == b"call"
        return call


@asynccontextmanager
async def peer() -> AsyncIterator[Peer]:
    line, theirs = socket.socketpair()
    theirs.setblocking(False)
    over = list[str]()
    kernel = await open_lane(line, lambda: over.append("over"))
    with theirs:
        yield Peer(kernel, theirs, over)
        kernel.end()


async def test_answers_come_in_any_order_and_in_any_portions() -> None:
    async with peer() as it:
        one, two = await it.asked(1), await it.asked(2)
        for byte in lane.answer(2, lane.REPLY, b"second") + lane.answer(1, lane.ERROR, b"first"):
            await it.say(bytes([byte]))
        assert (await one, await two) == ((lane.ERROR, b"first"), (lane.REPLY, b"second"))
        assert it.over == []


BREACHES = {
    "an answer that nobody asked for": lane.answer(2, lane.REPLY, b""),
    "a second answer": lane.answer(9, lane.REPLY, b"") * 2,
    "an answer of no kind": lane.answer(1, 2, b""),
    "a frame that is too long": (lane.ANSWERS[1] + 1).to_bytes(4, "big"),
    "a frame that is too short": (lane.ANSWERS[0] - 1).to_bytes(4, "big"),
}


@pytest.mark.parametrize("breach", BREACHES.values(), ids=BREACHES.keys())
async def test_a_server_is_ended_by(breach: bytes) -> None:
    async with peer() as it:
        calls = [await it.asked(number) for number in (1, 9)]
        await it.say(breach)
        with pytest.raises(Cut):
            await calls[0]
        assert it.over == ["over"]
        with pytest.raises(Unsent):
            await it.kernel.ask(3, b"call", 10)
        await asyncio.gather(*calls, return_exceptions=True)


async def test_a_server_that_hangs_up_cuts_off_what_it_was_asked() -> None:
    async with peer() as it:
        call = await it.asked(1)
        await it.say(lane.answer(1, lane.REPLY, b"half of it")[:-4])
        it._line.shutdown(socket.SHUT_WR)
        with pytest.raises(Cut):
            await call
        assert it.over == ["over"]


async def test_time_that_is_up_ends_the_waiting_and_the_late_answer_is_nobodys() -> None:
    async with peer() as it:
        late, other = await it.asked(1, seconds=0.05), await it.asked(2)
        assert await asyncio.wait([late], timeout=5) == ({late}, set())
        assert isinstance(late.exception(), TimeoutError)
        assert not other.done()
        await it.say(lane.answer(1, lane.REPLY, b"late") + lane.answer(2, lane.REPLY, b"in time"))
        assert await other == (lane.REPLY, b"in time")
        assert it.over == []


async def test_a_call_that_is_given_up_is_said_and_its_answer_is_nobodys() -> None:
    async with peer() as it:
        call = await it.asked(1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await it.hear(len(lane.given_up(1))) == lane.given_up(1)
        await it.say(lane.answer(1, lane.REPLY, b"") + lane.answer(1, lane.REPLY, b""))
        await until(lambda: it.over == ["over"])  # the first was owed; the second was not


async def test_a_server_that_owes_too_many_answers_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "MOST_OWED", 20)
    async with peer() as it:
        calls = [await it.asked(number, seconds=0.01) for number in range(1, 22)]
        await asyncio.gather(*calls, return_exceptions=True)
        await until(lambda: it.over == ["over"])


async def test_where_a_server_does_not_read_calls_wait_unsent() -> None:
    async with peer() as it:
        large = bytes(ours.MOST_UNREAD)
        sent = [asyncio.create_task(it.kernel.ask(number, large, 10)) for number in (1, 2, 3)]
        await until(lambda: not it.kernel._room.is_set())
        with pytest.raises(Unsent):
            await it.kernel.ask(4, large, 0.05)
        assert it.kernel._line.get_write_buffer_size() < 3 * len(large)
        last = asyncio.create_task(it.kernel.ask(5, b"call", 10))
        await it.hear(len(sent) * len(large))
        assert await it.hear(4) == b"call"
        it.kernel.end()
        assert all(isinstance(each, Cut) for each in await asyncio.gather(*sent, last, return_exceptions=True))


# ---- a whole server that lies


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lying() -> AsyncIterator[World]:
    async with world(LYING) as made:
        yield made


@pytest.mark.parametrize("lie", ["another", "twice", "kind", "long", "short"])
async def test_a_server_that_lies_is_ended_and_the_next_call_has_another(lying: World, lie: str) -> None:
    await lying.call("files.read", path="a")
    seat = lying.servers._seats["files"]
    seat.failures = 0  # it is not started in a loop: that has a test of its own
    pid = lying.servers.states()["files"].pid
    if lie == "twice":
        assert (await lying.call("files.read", path=lie)).text == "honestly"
        await until(lambda: lying.servers.states()["files"].pid != pid)
    else:
        error = await lying.refused("files.read", path=lie)
        assert (error.code, error.detail, error.happened) == (error_pb2.CODE_UNAVAILABLE, "interrupted", True)
    assert (await lying.call("files.read", path="a")).text == "honestly"
    assert lying.servers.states()["files"].pid != pid


async def test_an_error_that_is_none_is_nonsense_and_may_have_happened(lying: World) -> None:
    error = await lying.refused("files.read", path="nonsense")
    assert (error.reason, error.detail) == ("files answered nonsense", "interrupted")


async def test_what_is_no_message_is_nonsense_in_whatever_the_kernel_asks(lying: World) -> None:
    with pytest.raises(DecodeError):
        await lying.call("files.read", path="torn")
    nonsense = error_pb2.Error(code=error_pb2.CODE_UNAVAILABLE, reason="files answered nonsense")
    for asked in (
        lying.servers.prepare("files", "files.read", b"", context({})),
        lying.servers.look_up("files", capability_pb2.LookUpRequest(), context({})),
    ):
        with pytest.raises(CallFailed) as told:
            await asked
        assert told.value.error == nonsense
    assert (await lying.call("files.read", path="a")).text == "honestly"


async def test_what_nobody_waits_for_any_more_is_not_gone_on_with(lying: World) -> None:
    await lying.call("files.read", path="a")
    before = (await lying.call("files.read", path="a")).size
    call = asyncio.create_task(lying.call("files.list", path=""))
    await lying.call("files.mkdir", path="under way")
    call.cancel()
    with suppress(asyncio.CancelledError):
        await call
    assert (await lying.call("files.mkdir", path="given up")) is not None
    assert (await lying.call("files.read", path="a")).size == before + 1


# ---- what a server does not take on the lane


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def me() -> AsyncIterator[World]:
    async with world() as made:
        (made.folder / "a").write_text("mine")
        await made.call("files.read", path="a")
        yield made


async def over_the_lane(me: World, method: str, request: bytes, metadata: Metadata) -> error_pb2.Error | bytes:
    server = me.servers._seats["files"].server
    assert server
    assert server._lane
    (_, told), (_, mark) = metadata
    number = int.from_bytes(capability_pb2.CallContext.FromString(told).nonce, "big")
    while number in server._lane._asked:
        number += 1
    kind, body = await server._lane.ask(number, lane.call(number, mark, method, told, request), 10)
    return body if kind == lane.REPLY else error_pb2.Error.FromString(body)


async def refusal(me: World, method: str, request: bytes, metadata: Metadata) -> error_pb2.Error:
    said = await over_the_lane(me, method, request, metadata)
    assert isinstance(said, error_pb2.Error)
    return said


@pytest.mark.parametrize("tamper", list(TAMPERED.values())[3:], ids=list(TAMPERED)[3:])
async def test_a_call_on_the_lane_is_refused_with(me: World, tamper: Tamper) -> None:
    request = request_of(me)
    error = await refusal(me, READ, request, tamper(me, sealed(me, READ, request)))
    assert (error.code, error.reason) == (error_pb2.CODE_DENIED, "the call is not sealed by the kernel")


async def test_on_the_lane_nothing_is_served_twice_or_late_or_unknown(me: World) -> None:
    request, other = request_of(me), "/agentos.v1.FilesService/Chmod"
    once = sealed(me, READ, request)
    said = await over_the_lane(me, READ, request, once)
    assert isinstance(said, bytes)
    assert files_pb2.FilesReadResponse.FromString(said).data == b"mine"
    assert (await refusal(me, READ, request, once)).reason == "the call was made before"
    assert "deadline" in (await refusal(me, READ, request, sealed(me, READ, request, seconds=-1))).reason
    none = await refusal(me, other, request, sealed(me, other, request))
    assert none.reason == "the capability does not know this action"


@pytest.mark.parametrize(
    "raw",
    [b"\0\0\0\x07", (lane.CALLS[1] + 1).to_bytes(4, "big"), lane.call(1, bytes(32), "/a", b"", b"")[:4] + b"\xff" * 48],
    ids=["too short", "too long", "parts longer than the whole"],
)
async def test_a_server_hangs_up_on_what_is_no_call(me: World, raw: bytes) -> None:
    await me.call("files.read", path="a")
    pid = me.servers.states()["files"].pid
    server = me.servers._seats["files"].server
    assert server
    assert server._lane
    me.servers._seats["files"].failures = 0
    server._lane._line.write(raw)
    await until(lambda: server.lost)
    assert (await me.call("files.read", path="a")).data == b"mine"
    assert me.servers.states()["files"].pid != pid


async def test_a_large_call_does_not_go_over_the_lane_and_is_served(me: World) -> None:
    for size in (lane.MOST_REQUEST - 2000, lane.MOST_REQUEST, 4 * lane.MOST_REQUEST):
        await me.call("files.write", path="large", data=bytes(size))
        assert (me.folder / "large").stat().st_size == size
    with pytest.raises(CallFailed) as refused:
        await me.call("files.write", path="large", data=bytes(seal.REQUEST_BYTES + 1))
    assert refused.value.error.detail == "too_large"
