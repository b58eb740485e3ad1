"""A server answers the kernel alone: everything else that reaches its socket is refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc
import pytest
import pytest_asyncio
from grpc import aio

from agentos.v1 import capability_pb2, error_pb2, files_pb2, seal
from tests.servers.world import World, context, world

pytestmark = pytest.mark.asyncio(loop_scope="module")

READ = "/agentos.v1.FilesService/Read"
WRITE = "/agentos.v1.FilesService/Write"
HEALTH = "/agentos.v1.CapabilityService/Health"
WATCH = "/agentos.v1.CapabilityService/Watch"
COUNT = iter(range(1000, 10**6))

Metadata = tuple[tuple[str, bytes], ...]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def me() -> AsyncIterator[World]:
    async with world() as made:
        (made.folder / "a").write_text("mine")
        await made.call("files.read", path="a")
        yield made


@asynccontextmanager
async def channel(me: World) -> AsyncIterator[aio.Channel]:
    (place,) = (me.folder.parent / "run").iterdir()
    options = (("grpc.max_metadata_size", 2**24), ("grpc.absolute_max_metadata_size", 2**24))
    async with aio.insecure_channel(f"unix:{place}/s", options=options) as opened:
        yield opened


def unary(opened: aio.Channel, method: str) -> aio.UnaryUnaryMultiCallable[bytes, bytes]:
    return opened.unary_unary(method)


def stream(opened: aio.Channel, method: str) -> aio.UnaryStreamMultiCallable[bytes, bytes]:
    return opened.unary_stream(method)


def sealed(
    me: World, method: str, request: bytes, count: int = 0, seconds: float = 10, key: bytes | None = None
) -> Metadata:
    """The metadata of a call, made as the kernel makes it."""
    made_under = context({"path": [me.path("**")]})
    made_under.nonce = seal.nonce(count or next(COUNT))
    made_under.deadline_unix_ms = int((time.time() + seconds) * 1000)
    told = made_under.SerializeToString()
    server = me.servers._seats["files"].server
    assert server
    return (seal.CONTEXT, told), (seal.SEAL, seal.seal(key or server._key, method, told, request))


async def refusal(me: World, method: str, request: bytes, metadata: Metadata) -> error_pb2.Error:
    async with channel(me) as opened:
        with pytest.raises(aio.AioRpcError) as caught:
            await unary(opened, method)(request, metadata=metadata, timeout=10)
    (raw,) = [value for key, value in caught.value.trailing_metadata() or () if key == seal.ERROR]
    assert isinstance(raw, bytes)
    return error_pb2.Error.FromString(raw)


def request_of(me: World, name: str = "a") -> bytes:
    return files_pb2.FilesReadRequest(path=me.path(name)).SerializeToString()


async def test_a_call_that_is_sealed_as_the_kernel_does_is_answered(me: World) -> None:
    request = request_of(me)
    async with channel(me) as opened:
        raw = await unary(opened, READ)(request, metadata=sealed(me, READ, request))
    assert files_pb2.FilesReadResponse.FromString(raw).data == b"mine"


Tamper = Callable[[World, Metadata], Metadata]


def _other_deadline(me: World, metadata: Metadata) -> Metadata:
    told = capability_pb2.CallContext.FromString(metadata[0][1])
    told.deadline_unix_ms += 1
    return (seal.CONTEXT, told.SerializeToString()), metadata[1]


def _flipped(given: bytes) -> bytes:
    return bytes([given[0] ^ 1]) + given[1:]


TAMPERED: dict[str, Tamper] = {
    "no metadata": lambda me, metadata: (),
    "no seal": lambda me, metadata: metadata[:1],
    "no context": lambda me, metadata: metadata[1:],
    "an empty seal": lambda me, metadata: (metadata[0], (seal.SEAL, b"")),
    "a seal cut short": lambda me, metadata: (metadata[0], (seal.SEAL, metadata[1][1][:-1])),
    "a flipped bit": lambda me, metadata: (metadata[0], (seal.SEAL, _flipped(metadata[1][1]))),
    "another key": lambda me, metadata: sealed(me, READ, request_of(me), key=bytes(32)),
    "another request's seal": lambda me, metadata: sealed(me, READ, request_of(me, "b")),
    "another method's seal": lambda me, metadata: sealed(me, WRITE, request_of(me)),
    "another context": _other_deadline,
}  # fmt: skip


@pytest.mark.parametrize("tamper", TAMPERED.values(), ids=TAMPERED.keys())
async def test_a_call_is_refused_with(me: World, tamper: Tamper) -> None:
    request = request_of(me)
    error = await refusal(me, READ, request, tamper(me, sealed(me, READ, request)))
    assert (error.code, error.reason) == (error_pb2.CODE_DENIED, "the call is not sealed by the kernel")


@pytest.mark.parametrize("method", [HEALTH, "/agentos.v1.CapabilityService/Describe"])
async def test_the_servers_own_calls_want_a_seal_too(me: World, method: str) -> None:
    assert (await refusal(me, method, b"", ())).code == error_pb2.CODE_DENIED
    async with channel(me) as opened:
        await unary(opened, method)(b"", metadata=sealed(me, method, b""))


async def test_events_want_a_seal(me: World) -> None:
    async with channel(me) as opened:
        with pytest.raises(aio.AioRpcError) as caught:
            [event async for event in stream(opened, WATCH)(b"")]
    assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED


async def test_the_same_call_is_not_served_twice(me: World) -> None:
    request = request_of(me)
    metadata = sealed(me, READ, request)
    async with channel(me) as opened:
        await unary(opened, READ)(request, metadata=metadata)
    error = await refusal(me, READ, request, metadata)
    assert (error.code, error.reason) == (error_pb2.CODE_DENIED, "the call was made before")


async def test_a_call_whose_deadline_has_passed_is_refused(me: World) -> None:
    request = request_of(me)
    error = await refusal(me, READ, request, sealed(me, READ, request, seconds=-1))
    assert error.code == error_pb2.CODE_UNAVAILABLE
    assert "deadline" in error.reason


async def test_unknown_methods_and_oversized_metadata_end_as_errors(me: World) -> None:
    async with channel(me) as opened:
        with pytest.raises(aio.AioRpcError) as caught:
            await unary(opened, "/agentos.v1.FilesService/Chmod")(b"", timeout=10)
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
        with pytest.raises(aio.AioRpcError):
            await unary(opened, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")(b"", timeout=10)
        with pytest.raises(aio.AioRpcError):
            await unary(opened, READ)(b"", metadata=((seal.CONTEXT, bytes(2**20)),), timeout=10)
    await me.call("files.read", path="a")


async def refused_as_too_large(me: World, size: int) -> bool:
    """Whether it was us who refused a request of this size, and said so; what gRPC does not even read, we never see."""
    async with channel(me) as opened:
        with pytest.raises(aio.AioRpcError) as caught:
            await unary(opened, READ)(bytes(size), timeout=10)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    return seal.ERROR in dict(caught.value.trailing_metadata() or ())


async def test_a_request_beyond_the_limit_is_refused_before_its_seal(me: World) -> None:
    assert await refused_as_too_large(me, seal.REQUEST_BYTES + 1)


async def test_a_request_beyond_what_a_message_carries_is_not_even_read(me: World) -> None:
    assert not await refused_as_too_large(me, seal.MESSAGE_BYTES + 1)


async def test_thousands_of_unsealed_streams_leave_the_server_answering(me: World) -> None:
    async with channel(me) as opened:
        flood = [unary(opened, READ)(b"", timeout=20) for _ in range(2000)]
        await me.call("files.read", path="a")
        results = await asyncio.gather(*flood, return_exceptions=True)
    assert all(isinstance(result, aio.AioRpcError) for result in results)
    await me.call("files.read", path="a")
