"""The peer of a capability's call: a bare grpc.aio server on a Unix socket, in a process of its own.

`python -m bench.peers.echo SOCKET` serves one method. The first four bytes of a request say how long the reply is to
be. No credential, no seal, no messages to parse: bytes in, bytes out.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[bytes, bytes]

METHOD = "/bench.Echo/Echo"


async def _echo(request: bytes, context: Context) -> bytes:
    return bytes(int.from_bytes(request[:4], "big"))


async def serve(socket: str) -> None:
    server = grpc.aio.server()
    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(_echo)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Echo", {"Echo": method}),))
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop(0)


class Echo:
    """The caller's side."""

    def __init__(self, channel: grpc.aio.Channel, pid: int) -> None:
        self.pid = pid
        self._method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)

    async def each_us(self, count: int, request_bytes: int, reply_bytes: int) -> float:
        """The mean of so many calls, one after the other."""
        began = time.perf_counter_ns()
        await self.all_us(count, request_bytes, reply_bytes)
        return (time.perf_counter_ns() - began) / count / 1e3

    async def all_us(self, count: int, request_bytes: int, reply_bytes: int) -> list[float]:
        """So many calls, one after the other, each timed: from one's beginning to the next one's."""
        request = reply_bytes.to_bytes(4, "big").ljust(request_bytes, b"x")
        moments = [time.perf_counter_ns()]
        for _ in range(count):
            assert len(await self._method(request)) == reply_bytes
            moments.append(time.perf_counter_ns())
        return [(later - earlier) / 1e3 for earlier, later in pairwise(moments)]


@contextmanager
def served() -> Iterator[tuple[str, int]]:
    """The socket and the pid of an echo server that listens."""
    with tempfile.TemporaryDirectory(prefix="agentos-bench-echo-") as place:
        socket = str(Path(place) / "s")
        command, pipe = [sys.executable, "-m", "bench.peers.echo", socket], subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
            assert process.stdout
            process.stdout.readline()
            yield socket, process.pid
            process.communicate()


@asynccontextmanager
async def echo() -> AsyncIterator[Echo]:
    with served() as (socket, pid):
        async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
            yield Echo(channel, pid)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
