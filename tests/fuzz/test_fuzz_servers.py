"""What goes between the kernel and a capability server, and what describes one: any bytes, typed errors only, and the
server lives."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import grpc
import pytest
from grpc import aio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agentos.kernel.cells.launch import CODES, CallFailed, failed
from agentos.manifest.catalog import read_capability
from agentos.manifest.rules import CatalogError
from agentos.v1 import capability_pb2, error_pb2, files_pb2, seal
from tests.authority.letters import REPOSITORY
from tests.servers.world import World, context, world

T = TypeVar("T")
SHELF = REPOSITORY / "docs" / "capability"
SOME = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Loop:
    """A world on a loop of its own, on which each example is run to its end."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._open = world()
        self.me: World = self.run(self._open.__aenter__())
        (self.me.folder / "a").write_text("mine")

    def run(self, work: Coroutine[object, object, T]) -> T:
        return self._runner.run(work)

    def close(self) -> None:
        self.run(self._open.__aexit__(None, None, None))
        self._runner.close()


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


# ---- bytes into a server

METHODS = ("Read", "Write", "Append", "List", "Stat", "Mkdir", "Move", "Trash")
tags = st.builds(lambda number, kind: bytes([(number << 3 | kind) & 255]), st.integers(0, 20), st.integers(0, 7))
lengths = st.sampled_from([b"\0", b"\x01", b"\x7f", b"\xff\xff\xff\xff\x07", b"\xff" * 10, b"\x80" * 11])
messages = st.lists(tags | lengths | st.binary(max_size=6) | st.just(b"\x0a\x02/a"), max_size=8).map(b"".join)


@SOME
@given(st.sampled_from(METHODS), messages, st.sampled_from(["call", "prepare"]))
@example("Read", b"\x0a" * 5000, "call")
@example("Move", b"\x0a\x02/a\x12\x04\xff\xfe\xfd\xfc", "prepare")
@example("Write", b"\x0b" * 200, "call")
def test_a_server_answers_any_bytes_with_a_typed_error_or_a_reply(
    loop: Loop, method: str, raw: bytes, way: str
) -> None:
    servers, under = loop.me.servers, context({"path": [loop.me.path("**")], "to": [loop.me.path("**")]})
    loop.run(loop.me.call("files.stat", path="a"))
    pid = servers.states()["files"].pid
    try:
        if way == "prepare":
            loop.run(servers.prepare("files", f"files.{method.lower()}", raw, under))
        else:
            loop.run(servers.call("files", f"/agentos.v1.FilesService/{method}", raw, under))
    except CallFailed as refused:
        assert refused.error.code in CODES
        assert refused.error.detail != "interrupted", refused.error
        assert not any(word in refused.error.reason for word in ("Error", "Errno", "protobuf", "Traceback"))
    assert servers.states()["files"].pid == pid
    assert (loop.me.folder / "a").read_text() == "mine"


@SOME
@given(st.binary(max_size=60), st.binary(max_size=40), st.sampled_from([*METHODS, "Nothing"]))
def test_nothing_without_the_kernels_seal_is_looked_at(loop: Loop, told: bytes, mark: bytes, method: str) -> None:
    loop.run(loop.me.call("files.stat", path="a"))
    (socket,) = (loop.me.folder.parent / "run").glob("*/s")

    async def knock() -> aio.AioRpcError:
        async with aio.insecure_channel(f"unix:{socket}") as channel:
            call: aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/agentos.v1.FilesService/{method}")
            request = files_pb2.FilesReadRequest(path=loop.me.path("a")).SerializeToString()
            with pytest.raises(aio.AioRpcError) as refused:
                await call(request, metadata=((seal.CONTEXT, told), (seal.SEAL, mark)), timeout=20)
            return refused.value

    code = loop.run(knock()).code()
    assert code == (grpc.StatusCode.UNIMPLEMENTED if method == "Nothing" else grpc.StatusCode.PERMISSION_DENIED)


# ---- what a server says to the kernel


@example(grpc.StatusCode.INTERNAL, b"\0", "")  # was an error of the kernel
@given(st.sampled_from(list(grpc.StatusCode)), st.binary(max_size=60) | st.builds(
    lambda code, text: error_pb2.Error(code=code, reason=text, hint=text * 40, detail=text).SerializeToString(),
    st.integers(0, 9), st.text(max_size=40)), st.text(max_size=40))  # fmt: skip
def test_a_failure_is_typed_whatever_a_server_says_of_it(code: grpc.StatusCode, told: bytes, details: str) -> None:
    problem = aio.AioRpcError(code, aio.Metadata(), aio.Metadata((seal.ERROR, told)), details)
    error = failed("shelf", problem).error
    assert error.code in CODES
    assert error.reason
    assert len(error.reason) <= 500
    assert len(error.hint) <= 500
    assert error.detail == "interrupted" or error.reason != "shelf stopped in the middle of the call"
    # What the status says besides is text of gRPC, or of a host.
    assert not details.strip() or len(details) < 8 or details not in error.reason or details.encode() in told


@given(st.binary(max_size=80))
def test_targets_are_a_message_or_nonsense(raw: bytes) -> None:
    with suppress(Exception):
        found = capability_pb2.PrepareResponse.FromString(raw)
        assert capability_pb2.PrepareResponse.FromString(found.SerializeToString()) == found


# ---- what describes a server

TOML = (SHELF / "capability.toml").read_bytes()
DESCRIPTORS = (SHELF / "shelf.binpb").read_bytes()
changes = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=5)


def changed(raw: bytes, edits: list[tuple[int, int]]) -> bytes:
    held = bytearray(raw)
    for at, byte in edits:
        held[at % len(held)] = byte
    return bytes(held)


def described(toml: bytes, descriptors: bytes) -> None:
    """Read such a capability; what it is, or an error of ours."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "capability.toml").write_bytes(toml)
        (Path(folder) / "shelf.binpb").write_bytes(descriptors)
        try:
            entry = read_capability(Path(folder))
        except CatalogError as wrong:
            assert (wrong.reason + wrong.hint).isprintable()
            return
    assert entry.name
    for action in entry.actions:
        assert action.name.startswith(f"{entry.name}.")
        assert action.effect


@SOME
@given(changes | st.just([]), changes | st.just([]))
@example([], [])
@example([(64, 9)], [])  # a tab in a name came into an error that a person reads
def test_a_capability_is_read_or_refused_whatever_its_folder_holds(
    toml: list[tuple[int, int]], descriptors: list[tuple[int, int]]
) -> None:
    described(changed(TOML, toml), changed(DESCRIPTORS, descriptors))


@SOME
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_are_no_capability(toml: bytes, descriptors: bytes) -> None:
    described(toml, DESCRIPTORS)
    described(TOML, descriptors)
