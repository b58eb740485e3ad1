"""Floods of the kernel's own door: who has no credential is refused, however often and in whatever way, and the
person is answered meanwhile."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator

import grpc
import psutil
import pytest

from agentos.v1 import control_pb2 as pb
from agentos.v1 import control_pb2_grpc
from tests.kernel.person import Person, Up, eventually

pytestmark = pytest.mark.slow

STREAMS = 100_000
CONNECTIONS = 300
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST, SETTINGS = 0, 1, 3, 4
END_HEADERS, END_STREAM = 4, 1
GROWS_BY = 256 << 20
AGAIN_WITHIN_S = 30.0


def frame(kind: int, flags: int, stream: int, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body


def text(value: bytes) -> bytes:
    return bytes([len(value)]) + value


def call_block(path: bytes) -> bytes:
    """A gRPC call's headers, none of them indexed."""
    pairs = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", path), (b":authority", b"localhost")]
    pairs += [(b"content-type", b"application/grpc"), (b"te", b"trailers")]
    return b"".join(b"\0" + text(name) + text(value) for name, value in pairs)


@contextlib.contextmanager
def still_well(up: Up, person: Person) -> Iterator[None]:
    """The kernel runs a program for the person after it was flooded, and keeps nothing of the flood.

    While it still works off what came, a call of the person may be cut off, too; none is answered wrongly.
    """
    process = psutil.Process(up.pid)
    before, files = process.memory_info().rss, process.num_fds()
    yield
    assert eventually(lambda: answered(person), AGAIN_WITHIN_S)
    assert eventually(lambda: process.num_fds() <= files + 8)
    assert process.memory_info().rss - before < GROWS_BY


def answered(person: Person) -> bool:
    try:
        return person.run("result = 1").result == 1
    except grpc.RpcError:
        return False


def connected(up: Up) -> socket.socket:
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(20)
    line.connect(up.socket)
    return line


def drained(line: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError, ConnectionError):
        line.setblocking(False)
        while line.recv(1 << 16):
            pass
    line.settimeout(20)


def raw_call(channel: grpc.Channel, path: str) -> grpc.UnaryUnaryMultiCallable[bytes, bytes]:
    return channel.unary_unary(path)


def test_a_hundred_thousand_streams_that_are_reset_at_once(up: Up, person: Person) -> None:
    block = call_block(b"/agentos.v1.ControlService/Status")
    with still_well(up, person), connected(up) as line, contextlib.suppress(ConnectionError):
        line.sendall(PREFACE + frame(SETTINGS, 0, 0))
        for first in range(1, 2 * STREAMS, 400):
            line.sendall(b"".join(
                frame(HEADERS, END_HEADERS | END_STREAM, stream, block) + frame(RST, 0, stream, struct.pack(">I", 8))
                for stream in range(first, first + 400, 2)
            ))  # fmt: skip
            drained(line)


def test_streams_that_never_end_and_are_never_read(up: Up, person: Person) -> None:
    block = call_block(b"/agentos.v1.ControlService/Run")
    with still_well(up, person), connected(up) as line, contextlib.suppress(ConnectionError, TimeoutError):
        line.settimeout(2)
        line.sendall(PREFACE + frame(SETTINGS, 0, 0))
        for stream in range(1, 20_000, 2):
            line.sendall(frame(HEADERS, END_HEADERS, stream, block) + frame(DATA, 0, stream, b"\0\xff\xff\xff\xff"))


def test_lines_that_are_half_open(up: Up, person: Person) -> None:
    begun = (b"", PREFACE[:10], PREFACE, PREFACE + frame(SETTINGS, 0, 0)[:4], b"GET / HTTP/1.1\r\n", bytes(64))
    with contextlib.ExitStack() as held, still_well(up, person):
        lines = [held.enter_context(connected(up)) for _ in range(CONNECTIONS)]
        for number, line in enumerate(lines):
            with contextlib.suppress(ConnectionError):
                line.sendall(begun[number % len(begun)])
        assert person.status().pid == up.pid
        held.close()


def test_metadata_without_end_and_messages_that_are_none(up: Up, person: Person) -> None:
    loud = [("grpc.max_metadata_size", 1 << 24), ("grpc.absolute_max_metadata_size", 1 << 24)]
    with still_well(up, person), grpc.insecure_channel(f"unix:{up.socket}", options=loud) as channel:
        control = control_pb2_grpc.ControlServiceStub(channel)
        for large in ((("x", "y" * (1 << 20)),), tuple((f"x{n}", "y" * 100) for n in range(5000))):
            with pytest.raises(grpc.RpcError) as refused:
                control.Status(pb.StatusRequest(), metadata=person.metadata + large, timeout=10)
            assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        for raw in (b"\xff" * 100, b"\x0a\xff\xff\xff\xff\x07", b"\x0a" * 10_000, b"\x0a\x7f" * 5_000):
            for metadata in ((), person.metadata):
                with pytest.raises(grpc.RpcError):
                    raw_call(channel, "/agentos.v1.ControlService/Answer")(raw, metadata=metadata, timeout=10)


def test_nothing_describes_itself_to_a_stranger(up: Up) -> None:
    with grpc.insecure_channel(f"unix:{up.socket}") as channel:
        for path in (
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/grpc.health.v1.Health/Check",
            "/grpc.channelz.v1.Channelz/GetServers", "/agentos.v1.FilesService/Read", "/agentos.v1.ClockService/Now",
            "/",
        ):  # fmt: skip
            with pytest.raises(grpc.RpcError) as refused:
                raw_call(channel, path)(b"", timeout=10)
            assert refused.value.code() in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.UNAUTHENTICATED)
