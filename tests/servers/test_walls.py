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
from tests.servers.world import ROOT, World, context, world

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


@pytest.mark.parametrize("act", ["udp", "tcp", "execute", "fork", "become_dumpable", "move_pages"])
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def abroad() -> AsyncIterator[World]:
    """One that may connect to the internet."""
    async with world(Path(__file__).parent / "abroad") as made:
        yield made


@pytest.mark.parametrize(
    "act",
    [
        "connect_to_a_path", "connect_from_another_thread", "connect_a_used_socket", "connect_a_socket_that_listens",
        "address_a_path_from_the_internet", "pair", "listen", "serve_on_a_port",
    ],
)  # fmt: skip
async def test_one_with_a_network_reaches_no_socket_here_and_serves_nobody(abroad: World, act: str) -> None:
    agent = abroad.folder / "agent.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(agent))
        listening.listen()
        assert (await attempt(abroad, act, str(agent))).startswith("refused")
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()
    agent.unlink()


async def test_one_with_a_network_connects_to_an_address(abroad: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert await attempt(abroad, "connect_abroad", str(listening.getsockname()[1])) == "it worked"


def filters(pid: int) -> list[str]:
    """How many filters each thread of a process is under."""
    said = [(thread / "status").read_text() for thread in Path(f"/proc/{pid}/task").iterdir()]
    return [text.partition("Seccomp_filters:")[2].split()[0] for text in said]


@pytest.mark.parametrize("capability", ["files", "net", "pages"])
async def test_what_a_server_needed_to_begin_is_closed_in_all_its_threads(capability: str) -> None:
    """Two filters on each: the first, and the one that it put on when it listened."""
    async with world(ROOT / "capabilities" / capability) as made:
        await made.servers.call(capability, "/agentos.v1.CapabilityService/Health", b"", context({}))
        pid = made.servers.states()[capability].pid
        assert set(filters(pid)) == {"2"}
