"""The labels of errors: by which code and word a program learns that its capability failed, and in whose words."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import msgspec
import pytest
from grpc import aio

from agentos.kernel.cells.launch import CODES, CallFailed, Server, failed, typed
from agentos.kernel.cells.servers import CALLS_AT_ONCE, Servers, listening
from agentos.manifest.catalog import load
from agentos.manifest.rules import Catalog
from agentos.v1 import capability_pb2, lane, seal
from agentos.v1.capability_pb2 import CallContext
from agentos.v1.error_pb2 import (
    CODE_DENIED,
    CODE_INVALID,
    CODE_LIMIT,
    CODE_NEEDS_APPROVAL,
    CODE_NOT_FOUND,
    CODE_UNAVAILABLE,
    CODE_UNSPECIFIED,
    Code,
    Error,
)
from tests.servers.test_lane import Peer, peer
from tests.servers.world import FILES

HEED = "see what it did before you repeat it"


def label(code: Code.ValueType, reason: str, hint: str = "", detail: str = "") -> Error:
    """An error as a program learns it; what was interrupted may have happened."""
    return Error(code=code, reason=reason, hint=hint, detail=detail, happened=detail == "interrupted")


# ---- what gRPC says of a call


def problem(code: grpc.StatusCode, told: bytes = b"\0") -> aio.AioRpcError:
    return aio.AioRpcError(code, aio.Metadata(), aio.Metadata((seal.ERROR, told)), "text of a host")


STATUS = {
    grpc.StatusCode.UNIMPLEMENTED: label(CODE_UNAVAILABLE, "shelf does not know this action"),
    grpc.StatusCode.RESOURCE_EXHAUSTED: label(
        CODE_LIMIT, "the reply of shelf is larger than one call can carry, or it is too busy", "", "interrupted"
    ),
    grpc.StatusCode.DEADLINE_EXCEEDED: label(CODE_UNAVAILABLE, "shelf did not answer in time", "", "interrupted"),
}


@pytest.mark.parametrize("status", grpc.StatusCode)
def test_a_status_alone_has_one_label_and_may_have_happened_unless_it_cannot(status: grpc.StatusCode) -> None:
    gone = label(CODE_UNAVAILABLE, "shelf stopped in the middle of the call", HEED, "interrupted")
    assert failed("shelf", problem(status)).error == STATUS.get(status, gone)


@pytest.mark.parametrize("code", [CODE_DENIED, CODE_NOT_FOUND, CODE_LIMIT, CODE_UNAVAILABLE, CODE_INVALID])
def test_what_a_server_says_itself_is_handed_on_with_its_label(code: Code.ValueType) -> None:
    said = Error(code=code, reason="no", hint="do", detail="exists", happened=True)
    assert failed("shelf", problem(grpc.StatusCode.INTERNAL, said.SerializeToString())).error == said
    assert code in CODES


def test_a_server_cannot_say_that_a_person_has_to_be_asked_nor_nothing() -> None:
    for code, reason in ((CODE_NEEDS_APPROVAL, "ask"), (CODE_UNSPECIFIED, "what"), (CODE_DENIED, ""), (99, "x")):
        assert typed(Error(code=code, reason=reason)) is None  # type: ignore[arg-type]


def test_what_a_server_says_is_cut_to_its_room() -> None:
    long = CallFailed(CODE_LIMIT, "r" * 501, "h" * 501, "d" * 33).error
    assert (len(long.reason), len(long.hint), len(long.detail)) == (500, 500, 32)


# ---- what the kernel itself finds out, at its end of the lane


@asynccontextmanager
async def served() -> AsyncIterator[tuple[Server, Peer]]:
    """A server that the kernel has a lane to, and its other end."""
    async with peer() as other:
        server = Server(load([FILES]).capabilities["files"], {})
        server._lane = other.kernel
        yield server, other


async def told(server: Server, seconds: float = 20) -> Error:
    with pytest.raises(CallFailed) as caught:
        await server.call("/x/Y", b"", CallContext(deadline_unix_ms=int((time.time() + seconds) * 1000)))
    return caught.value.error


async def test_a_call_that_was_never_sent_is_not_called_interrupted() -> None:
    async with served() as (server, _):
        late = label(CODE_UNAVAILABLE, "the call's time was up before files was asked")
        assert await told(server, seconds=-1) == late
        server._lane.end()  # type: ignore[union-attr]
        assert await told(server) == label(CODE_UNAVAILABLE, "files could not be asked")


async def test_a_call_that_was_sent_is_interrupted_by_whatever_ends_the_waiting() -> None:
    async with served() as (server, other):
        late = label(CODE_UNAVAILABLE, "files did not answer in time", "", "interrupted")
        assert await told(server, seconds=0.2) == late
        await other.say(lane.answer(1, lane.REPLY, b""))
        call = asyncio.create_task(told(server))
        await other.hear(8)
        await other.say(lane.answer(2, lane.ERROR, b"\xff"))
        assert await call == label(CODE_UNAVAILABLE, "files answered nonsense", "", "interrupted")
        call = asyncio.create_task(told(server))
        await other.hear(8)
        other._line.shutdown(socket.SHUT_WR)
        gone = label(CODE_UNAVAILABLE, "files stopped in the middle of the call", HEED, "interrupted")
        assert await call == gone


async def test_a_server_of_something_else_is_turned_away() -> None:
    async with served() as (server, other):
        checked = asyncio.create_task(server._check_services())
        await other.hear(8)
        described = capability_pb2.DescribeResponse(services=["agentos.v1.Other"])
        await other.say(lane.answer(1, lane.REPLY, described.SerializeToString()))
        with pytest.raises(CallFailed) as caught:
            await checked
        assert caught.value.error == label(CODE_UNAVAILABLE, "files does not serve what it is registered for")


async def test_a_server_that_tells_of_nonsense_is_told_of_as_that(tmp_path: Path) -> None:
    async def tells(request: bytes, context: aio.ServicerContext[bytes, bytes]) -> AsyncIterator[bytes]:
        yield b"\xff\xff"

    watch = grpc.method_handlers_generic_handler(
        "agentos.v1.CapabilityService", {"Watch": grpc.unary_stream_rpc_method_handler(tells)}
    )
    teller = aio.server(handlers=[watch])
    teller.add_insecure_port(f"unix:{tmp_path}/s")
    await teller.start()
    async with served() as (server, _), aio.insecure_channel(f"unix:{tmp_path}/s") as server._channel:
        with pytest.raises(CallFailed) as caught:
            await anext(server.watch(capability_pb2.WatchRequest()))
    await teller.stop(None)
    assert caught.value.error == label(CODE_UNAVAILABLE, "files told of nonsense")


# ---- before there is a server


async def unserved(
    place: Path, capability: str = "files", request: bytes = b"", seconds: float = 20, busy: int = 0,
    catalog: Catalog | None = None,
) -> Error:  # fmt: skip
    """The error of a call to a server that never starts."""
    servers = Servers(catalog or load([FILES]), place, ())
    for _ in range(busy):
        await servers._seat(capability).places.acquire()
    context = CallContext(deadline_unix_ms=int((time.time() + seconds) * 1000))
    with pytest.raises(CallFailed) as caught:
        await servers.call(capability, "/x/Y", request, context)
    await servers.close()
    return caught.value.error


async def test_what_keeps_a_call_from_its_server_is_told_as_that(tmp_path: Path) -> None:
    nobody = label(CODE_UNAVAILABLE, "nobody serves nothing", "see: agentos capabilities")
    assert await unserved(tmp_path, "nothing") == nobody
    large = label(CODE_LIMIT, "the call is larger than one call can carry", "", "too_large")
    assert await unserved(tmp_path, request=bytes(seal.REQUEST_BYTES + 1)) == large
    assert await unserved(tmp_path, seconds=-1) == label(CODE_UNAVAILABLE, "files did not start in time")
    assert await unserved(tmp_path, seconds=-1, busy=CALLS_AT_ONCE) == label(CODE_UNAVAILABLE, "files is too busy")


async def test_a_folder_that_nobody_knows_is_not_kept_and_says_which_are(tmp_path: Path) -> None:
    catalog = load([FILES])
    catalog.capabilities["files"] = msgspec.structs.replace(catalog.capabilities["files"], keeps=("desk",))
    desk = label(CODE_UNAVAILABLE, "there is no folder to keep as desk", "keeps may name: trash")
    assert await unserved(tmp_path, catalog=catalog) == desk


def test_a_port_that_is_taken_is_told_with_the_setting_that_names_another(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = load([FILES]).capabilities["files"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with pytest.raises(CallFailed) as caught:
            listening(msgspec.structs.replace(rule, listens=number))
    words = f"port {number} is taken: set AGENTOS_FILES_PORT to one that is free"
    assert caught.value.error == label(CODE_UNAVAILABLE, words)
