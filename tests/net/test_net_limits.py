"""How much and how long: buckets and places by a clock that the test turns, and what ends an answer nobody reads on."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agentos.capabilities.context import Context
from agentos.capabilities.failure import Failure, Limit
from agentos.capabilities.net import limits
from agentos.capabilities.net.limits import HOME, PROGRAM, Lease, Limits, Share
from agentos.capabilities.net.server import Net
from agentos.capabilities.server import Boot
from agentos.v1 import net_pb2 as pb
from tests.net.world import Asked, Names, Server, answer, closing

MIB = 2**20
# Far from where anything waits, so that a wait that should not be would be noticed.
LONG = 60.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def taken(held: Limits, program: str, count: int) -> list[Lease]:
    return [await held.lease(program, LONG) for _ in range(count)]


async def refused(held: Limits, program: str, within_s: float = LONG) -> tuple[str, str]:
    with pytest.raises(Limit) as caught:
        await held.lease(program, within_s)
    assert caught.value.error.hint
    return caught.value.error.detail, caught.value.error.reason


async def burst(held: Limits, program: str, count: int) -> None:
    for _ in range(count):
        (await held.lease(program, LONG)).release()


async def test_a_program_has_a_burst_and_then_its_rate() -> None:
    clock = Clock()
    held = Limits(clock)
    await burst(held, "p", PROGRAM.at_once)
    assert await refused(held, "p") == ("rate", "more than 50 requests a second by this program")
    await burst(held, "another", 1)
    clock.now += 0.5
    await burst(held, "p", int(PROGRAM.a_second / 2))
    assert (await refused(held, "p"))[0] == "rate"
    clock.now += 3600
    await burst(held, "p", PROGRAM.at_once)
    assert (await refused(held, "p"))[0] == "rate", "a long rest gives no more than one burst"


async def test_all_programs_together_have_a_rate_of_the_home() -> None:
    clock = Clock()
    held = Limits(clock)
    for number in range(HOME.at_once // PROGRAM.at_once):
        await burst(held, f"p{number}", PROGRAM.at_once)
    assert await refused(held, "the next") == ("rate", "all programs together make too many requests")
    clock.now += 1
    await burst(held, "the next", int(HOME.a_second))
    assert (await refused(held, "one more"))[0] == "rate"


async def test_a_new_run_and_a_thousand_names_give_a_program_no_new_bucket() -> None:
    held = Limits(Clock(), home=Share(open=9, waiting=9, handles=9, a_second=1e9, at_once=10**9))
    await burst(held, "p", PROGRAM.at_once)
    for number in range(limits.PROGRAMS_KNOWN + 1):
        await burst(held, f"p{number}", 1)
    assert (await refused(held, "p"))[0] == "rate", "only who is at rest is forgotten"


async def test_a_program_has_so_many_connections_and_the_next_waits_for_one() -> None:
    held = Limits(Clock())
    leases = await taken(held, "p", PROGRAM.open)
    waits = asyncio.ensure_future(held.lease("p", LONG))
    await asyncio.sleep(0)
    assert not waits.done()
    await taken(held, "another", 1)
    leases[0].release()
    leases[0].release()
    (await waits).release()
    assert await refused(await _full(), "p", 0.01) == ("connections", "24 connections of this program are in use")


async def _full() -> Limits:
    held = Limits(Clock())
    await taken(held, "p", PROGRAM.open)
    return held


async def test_who_waits_for_a_connection_is_one_of_so_many() -> None:
    held = await _full()
    waiting = [asyncio.ensure_future(held.lease("p", LONG)) for _ in range(PROGRAM.waiting)]
    await asyncio.sleep(0)
    assert (await refused(held, "p", 0.01))[1] == "more than 64 requests of this program at once"
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (await refused(held, "p", 0.01))[1] == "24 connections of this program are in use", "whoever gave up is gone"


async def test_the_home_has_so_many_connections_and_none_is_lost() -> None:
    held = Limits(Clock())
    leases = [lease for number in range(HOME.open // PROGRAM.open) for lease in await taken(held, f"p{number}", 24)]
    waiting = [asyncio.ensure_future(held.lease(f"q{number}", LONG)) for number in range(HOME.waiting)]
    await asyncio.sleep(0)
    assert await refused(held, "r") == ("connections", "all programs together have too many requests open")
    for lease in leases:
        lease.release()
    for lease in await asyncio.gather(*waiting):
        lease.release()
    assert len(await taken(held, "p0", PROGRAM.open)) == PROGRAM.open


async def test_open_answers_of_all_programs_are_counted_together() -> None:
    held = Limits(Clock())
    leases = [lease for number in range(HOME.handles // 16) for lease in await taken(held, f"p{number}", 16)]
    for lease in leases:
        lease.keep()
    (more,) = await taken(held, "q", 1)
    with pytest.raises(Limit, match="64 answers of all programs are open"):
        more.keep()
    leases[0].release()
    more.keep()


# ---- the server, on a loop whose clock can be turned


class Turned(asyncio.SelectorEventLoop):
    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


def on_a_turned_clock(work: Callable[[Turned], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=Turned) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, Turned)
        runner.run(work(loop))


async def served(**settings: str) -> Net:
    net = Net()
    net.boot = Boot("", b"", (), {}, settings)
    await net.start()
    return net


def asked(server: Server, path: str = "/", **more: Any) -> pb.NetFetchRequest:
    parts: dict[str, Any] = {"method": "GET", "scheme": "http", "host": "127.0.0.1", "port": server.port, "path": path}
    return pb.NetFetchRequest(**(parts | more))


def context() -> Context:
    return Context({"network": ("loopback",)}, {}, "", time.time() + LONG, run="r1", program="p")


async def left_open(server: Server, count: int) -> None:
    for _ in range(4000):
        if server.open <= count:
            return
        await asyncio.sleep(0.005)
    pytest.fail(f"{server.open} connections are open after 20 s")


async def failure(net: Net, request: pb.NetFetchRequest) -> Failure:
    with pytest.raises(Failure) as caught:
        await net.fetch(request, context())
    return caught.value


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    made.says["/"] = answer(b"x" * 8 * MIB)
    with closing(made):
        yield made


def test_an_answer_that_nobody_reads_on_is_closed_after_its_time(server: Server) -> None:
    async def work(loop: Turned) -> None:
        net = await served()
        left = await net.fetch(asked(server), context())
        read = await net.fetch(asked(server), context())
        loop.ahead += limits.IDLE_S - 1
        await net.read(pb.NetReadRequest(handle=read.handle), context())
        loop.ahead += 2
        await left_open(server, 1)
        with pytest.raises(Failure, match="no such answer"):
            await net.read(pb.NetReadRequest(handle=left.handle), context())
        assert (await net.read(pb.NetReadRequest(handle=read.handle), context())).data, "a read begins its time anew"
        loop.ahead += limits.IDLE_S + 1
        await left_open(server, 0)
        assert len([await net.fetch(asked(server), context()) for _ in range(PROGRAM.handles)]) == PROGRAM.handles

    on_a_turned_clock(work)


async def test_an_exchange_that_goes_on_for_too_long_is_cut(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits.WHOLE_S == 300

    def trickles(line: socket.socket, request: Asked) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        with suppress(OSError):
            while True:
                line.sendall(b"x")
                time.sleep(0.01)

    server.says["/slow"] = trickles
    monkeypatch.setattr(limits, "WHOLE_S", 0.3)
    net = await served()
    reply = await net.fetch(asked(server, "/slow"), context())
    assert (reply.cut, reply.handle) == (True, "")
    assert 0 < len(reply.body) < 1000
    await left_open(server, 0)


# ---- settings that are wrong


@pytest.mark.parametrize("setting", ["nonsense", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:0", "dns.example:53", ":53"])
async def test_a_name_server_that_cannot_be_one_is_named_with_its_setting(server: Server, setting: str) -> None:
    net = await served(resolver=setting)
    error = (await failure(net, asked(server, host="a.example"))).error
    assert (error.reason, error.detail) == ("AGENTOS_NET_RESOLVER is not HOST:PORT", "no_name")
    assert error.hint == "start the kernel with an address and a port, or without"
    reply = await net.fetch(asked(server), context())
    assert reply.status == 200, "an address needs no name server"


async def test_a_name_server_that_does_not_answer_is_no_host_that_is_not_there(names: Names, server: Server) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{silent.getsockname()[1]}"
        net = await served(resolver=where)
        net._resolve._resolver.lifetime = 0.2  # type: ignore[attr-defined]
        error = (await failure(net, asked(server, host="a.example"))).error
    assert (error.reason, error.detail) == ("the address of a.example could not be found out", "no_name")


@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAA\n"])
async def test_a_file_of_certificates_that_is_none_is_named_with_its_setting(
    server: Server, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    error = (await failure(await served(ca=str(file)), asked(server))).error
    assert (error.reason, error.detail) == ("AGENTOS_NET_CA names no file of certificates", "tls")
    assert error.hint == "start the kernel with a PEM file that it may read, or without"
    assert str(tmp_path) not in error.reason + error.hint
