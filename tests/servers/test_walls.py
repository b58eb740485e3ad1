"""A capability server in an attacker's hands reaches only what its profile says."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from agentos.kernel.cells.spawn import ALLOCATOR
from tests.servers.world import World, world

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(sys.platform != "linux", reason="the walls are Landlock and seccomp"),
]
HOSTILE = Path(__file__).parent / "hostile"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def taken() -> AsyncIterator[World]:
    async with world(HOSTILE) as made:
        yield made


async def attempt(taken: World, act: str, argument: str = "") -> str:
    text: str = (await taken.call("files.read", path=act, if_version=argument)).text
    return text


@pytest.mark.parametrize("act", ["udp", "tcp", "execute", "fork", "become_dumpable"])
async def test_it_cannot(taken: World, act: str) -> None:
    assert (await attempt(taken, act)).startswith("refused")


async def test_it_cannot_speak_to_other_sockets(taken: World) -> None:
    control = taken.folder / "control.sock"
    with socket.socket(socket.AF_UNIX) as stream, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        stream.bind(str(control))
        stream.listen()
        datagrams.bind(f"{control}.d")
        assert (await attempt(taken, "connect_to_a_path", str(control))).startswith("refused")
        assert (await attempt(taken, "datagram_to_a_path", f"{control}.d")).startswith("refused")


async def test_it_cannot_open_what_is_not_granted(taken: World) -> None:
    place = taken.folder.parent
    for path in (f"{place}/kernel/key", "/etc/passwd", "/proc/version", f"/proc/{os.getpid()}/maps"):
        assert (await attempt(taken, "open_outside", path)).startswith("refused"), path
    for path in ("/", str(place), "/proc", str(place / "run")):
        assert (await attempt(taken, "list_outside", path)).startswith("refused"), path
    (taken.folder / "mine").write_text("")
    assert await attempt(taken, "open_outside", str(taken.folder / "mine")) == "it worked"


async def test_it_cannot_touch_the_kernels_process(taken: World) -> None:
    assert (await attempt(taken, "look_into", str(os.getpid()))).startswith("refused")
    assert (await attempt(taken, "end", str(os.getpid()))).startswith("refused")


async def test_it_cannot_take_another_servers_place(taken: World) -> None:
    other = taken.folder.parent / "run" / "other"
    other.mkdir()
    (other / "s").write_text("")
    assert (await attempt(taken, "remove", str(other / "s"))).startswith("refused")
    assert (await attempt(taken, "sit_in_anothers_place", str(other / "t"))).startswith("refused")


async def test_what_it_raises_tells_nothing_of_the_host(taken: World) -> None:
    error = await taken.refused("files.read", path="speak_of_the_host")
    assert error.reason == "the capability failed"
    assert "passwd" not in error.reason + error.hint + error.detail
    assert "RuntimeError: /etc/passwd says" in taken.servers.states()["files"].output


async def test_it_inherits_no_descriptor_and_no_environment_of_the_kernel(taken: World) -> None:
    await attempt(taken, "list_outside", str(taken.folder))
    pid = taken.servers.states()["files"].pid
    if os.geteuid() == 0:
        held = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        assert not [name for name in held if name.startswith("/") and "Trash" not in name and name != "/dev/null"]
        assert psutil.Process(pid).environ() == ALLOCATOR
