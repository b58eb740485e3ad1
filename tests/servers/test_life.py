"""Servers start on first use, end with their kernel, come back, and never have a call sent twice."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from agentos.kernel.cells import launch
from agentos.kernel.cells.servers import STARTS, CallFailed, Seat, covers, delay, nearest_folder
from agentos.manifest.catalog import load
from agentos.v1 import error_pb2
from tests.servers.world import FILES, World, context, world

HOSTILE, UNARY = Path(__file__).parent / "hostile", Path(__file__).parent / "unary"


@pytest_asyncio.fixture
async def me() -> AsyncIterator[World]:
    async with world() as made:
        yield made


@pytest_asyncio.fixture
async def hostile() -> AsyncIterator[World]:
    async with world(HOSTILE) as made:
        yield made


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(2000):
        if holds():
            return
        await asyncio.sleep(0.005)
    pytest.fail("it did not come to hold within 10 s")


async def until_gone(pid: int) -> None:
    await until(lambda: not psutil.pid_exists(pid))


async def test_a_server_starts_with_the_first_call(me: World) -> None:
    assert me.servers.states()["files"].state == "stopped"
    await me.call("files.write", path="a", text="one")
    state = me.servers.states()["files"]
    assert (state.state, state.restarts) == ("ready", 0)
    assert str(me.folder) in state.folders
    assert psutil.pid_exists(state.pid)


async def test_many_first_calls_start_one_server(me: World) -> None:
    await asyncio.gather(*(me.call("files.mkdir", path=str(number)) for number in range(50)))
    assert len(list((me.folder.parent / "run").iterdir())) == 1
    assert len(list(me.folder.iterdir())) == 50


async def test_a_thousand_calls_at_once_all_end(me: World) -> None:
    (me.folder / "a").write_text("mine")
    replies = await asyncio.gather(*(me.call("files.read", path="a") for _ in range(1000)))
    assert {reply.data for reply in replies} == {b"mine"}


async def test_a_call_under_way_when_its_server_dies_is_interrupted_and_not_sent_again(hostile: World) -> None:
    error = await hostile.refused("files.read", path="crash")
    assert (error.code, error.detail) == (error_pb2.CODE_UNAVAILABLE, "interrupted")
    await until_restarts(hostile, 1)
    assert hostile.servers.states()["files"].state == "failed"
    assert (await hostile.refused("files.read", path="nothing")).code == error_pb2.CODE_NOT_FOUND


async def until_restarts(there: World, count: int) -> None:
    await until(lambda: there.servers.states()["files"].restarts >= count)


async def test_a_server_killed_in_mid_call_interrupts_all_its_calls(hostile: World) -> None:
    calls = [asyncio.create_task(hostile.call("files.read", path="remain")) for _ in range(5)]
    await hostile.call("files.mkdir", path="awake")
    pid = hostile.servers.states()["files"].pid
    os.kill(pid, signal.SIGKILL)
    for failed in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(failed, CallFailed)
        assert failed.error.detail == "interrupted"
    await until_gone(pid)
    await hostile.call("files.mkdir", path="again")
    assert not [place for place in (hostile.folder.parent / "run").iterdir() if not (place / "s").exists()]


async def test_a_write_that_is_killed_leaves_the_old_or_the_new_and_nothing_else(me: World) -> None:
    old, new = b"old" * 2**20, b"new" * 2**20
    for after_s in (0, 0.001, 0.003, 0.006, 0.012):  # so that some of them meet it in its middle
        (me.folder / "a").write_bytes(old)
        await me.call("files.stat", path="a")
        call = asyncio.create_task(me.call("files.write", path="a", data=new))
        await asyncio.sleep(after_s)
        pid = me.servers.states()["files"].pid
        os.kill(pid, signal.SIGKILL)
        await asyncio.gather(call, return_exceptions=True)
        await until_gone(pid)
        assert (me.folder / "a").read_bytes() in (old, new)
        # Between the link and the rename there is one moment in which a second name is left.
        assert len(os.listdir(me.folder)) <= 2


async def test_a_deadline_ends_a_call_that_hangs(hostile: World) -> None:
    await hostile.call("files.mkdir", path="awake")
    rule = hostile.catalog.actions["files.read"]
    made_under = context({"path": [hostile.path("**")]})
    made_under.deadline_unix_ms = int((time.time() + 0.2) * 1000)
    began = time.monotonic()
    raw = rule.request(path=hostile.path("remain")).SerializeToString()
    with pytest.raises(CallFailed) as caught:
        await hostile.servers.call("files", rule.method, raw, made_under)
    assert time.monotonic() - began < 5
    assert caught.value.error.detail == "interrupted"


async def test_an_answer_that_comes_too_late_is_nobody_elses(hostile: World) -> None:
    await hostile.call("files.mkdir", path="awake")
    rule = hostile.catalog.actions["files.list"]
    made_under = context({"path": [hostile.path("**")]})
    made_under.deadline_unix_ms = int((time.time() + 0.1) * 1000)
    raw = rule.request(path=hostile.path("late")).SerializeToString()
    with pytest.raises(CallFailed):
        await hostile.servers.call("files", rule.method, raw, made_under)
    assert (await hostile.refused("files.read", path="nothing")).reason == "no such attack"


def test_restarts_back_off_and_begin_anew_after_a_healthy_minute(me_rule: Seat) -> None:
    assert [delay(n) for n in range(9)] == [0, 0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0]
    for now in range(4):
        me_rule.failed(now=now, began=now - 1)
    assert (me_rule.failures, me_rule.not_before) == (4, 3 + delay(4))
    me_rule.failed(now=100, began=40)
    assert (me_rule.failures, me_rule.not_before) == (1, 100)


@pytest.fixture
def me_rule() -> Seat:
    return Seat(load([FILES]).capabilities["files"])


async def test_a_server_that_crashes_again_and_again_is_not_started_in_a_loop(hostile: World) -> None:
    began = time.monotonic()
    for count in range(1, 5):
        assert (await hostile.refused("files.read", path="crash")).detail == "interrupted"
        await until_restarts(hostile, count)
    assert time.monotonic() - began >= delay(2) + delay(3)


async def test_a_wider_grant_brings_a_new_server_while_calls_of_the_old_finish(hostile: World) -> None:
    other = hostile.folder.parent / "other"
    other.mkdir()
    (other / "a").write_text("")
    slow = asyncio.create_task(hostile.call("files.read", path="remain"))
    await hostile.call("files.mkdir", path="awake")
    first = hostile.servers.states()["files"].pid
    await hostile.call("files.list", [f"{other}/**"], path=str(other))
    second = hostile.servers.states()["files"]
    assert second.pid != first
    assert {str(other), str(hostile.folder)} <= set(second.folders)
    assert psutil.pid_exists(first)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(CallFailed):
        await slow
    await until_gone(first)
    assert hostile.servers.states()["files"].pid == second.pid
    assert second.restarts == 0


async def test_the_old_server_stops_when_its_calls_have_finished(me: World) -> None:
    await me.call("files.mkdir", path="awake")
    first = me.servers.states()["files"].pid
    other = me.folder.parent / "other"
    other.mkdir()
    await me.call("files.list", [f"{other}/**"], path=str(other))
    await until_gone(first)


async def test_a_folder_that_is_asked_for_while_its_server_starts_is_reached_all_the_same(me: World) -> None:
    other = me.folder.parent / "other"
    other.mkdir()
    first = asyncio.ensure_future(me.call("files.list", path=str(me.folder)))
    await until(
        lambda: me.servers.states().get("files") is not None and me.servers.states()["files"].state == "starting"
    )
    await me.call("files.write", [f"{other}/**"], path=str(other / "a"), text="one")
    await first
    assert (other / "a").read_text() == "one"


async def test_forbidden_folders_and_links_are_never_in_a_profile(me: World) -> None:
    (me.folder / "door").symlink_to("/etc")
    for root in (me.folder.parent / "kernel", me.folder.parent / "kernel" / "sub", me.folder / "door"):
        await me.servers.allow("files", {str(root): "write"})
    await me.call("files.mkdir", path="awake")
    assert set(me.servers.states()["files"].folders) == {str(me.folder), str(me.folder.parent / "share" / "Trash")}


def test_a_missing_root_stands_for_the_nearest_folder_above(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert nearest_folder(str(tmp_path / "a" / "b")) == str(tmp_path)
    assert nearest_folder(str(tmp_path / "file")) == str(tmp_path)


def test_a_folder_is_covered_by_one_above_with_the_same_right() -> None:
    assert covers({"/a": "write"}, {"/a/b": "read", "/a": "write"})
    assert not covers({"/a": "read"}, {"/a/b": "write"})
    assert not covers({"/a": "write"}, {"/ab": "read"})
    assert covers({"/": "read"}, {"/x": "read"})


async def test_a_root_that_is_no_longer_asked_for_is_left_out(me_rule: Seat) -> None:
    me_rule.roots = {"/old": ("read", 0.0), "/new": ("read", 500.0)}
    assert me_rule.folders(now=700.0) == {"/new": "read"}
    me_rule.roots = {f"/{number}": ("read", 700.0 + number) for number in range(500)}
    assert len(me_rule.folders(now=1200.0)) == 128


async def test_a_server_that_was_stopped_starts_again_with_the_next_call(me: World) -> None:
    await me.call("files.mkdir", path="one")
    pid = me.servers.states()["files"].pid
    await me.servers.stop("files")
    assert not psutil.pid_exists(pid)
    await me.call("files.mkdir", path="two")


async def test_closing_leaves_no_process_and_no_socket(me: World) -> None:
    await me.call("files.mkdir", path="one")
    pid = me.servers.states()["files"].pid
    await me.servers.close()
    assert not psutil.pid_exists(pid)
    assert not list((me.folder.parent / "run").iterdir())


async def test_closing_ends_a_server_that_is_still_finishing_its_calls(hostile: World) -> None:
    slow = asyncio.create_task(hostile.call("files.read", path="remain"))
    await hostile.call("files.mkdir", path="awake")
    first = hostile.servers.states()["files"].pid
    other = hostile.folder.parent / "other"
    other.mkdir()
    await hostile.call("files.list", [f"{other}/**"], path=str(other))
    await hostile.servers.close()
    assert not psutil.pid_exists(first)
    with pytest.raises(CallFailed):
        await slow


async def test_an_unknown_capability_and_the_kernels_own_have_no_server(me: World) -> None:
    for name in ("nothing", "clock"):
        with pytest.raises(CallFailed):
            await me.servers.call(name, "/x/Y", b"", context({}))


async def test_a_server_that_cannot_start_is_a_typed_failure(me: World, tmp_path: Path) -> None:
    (tmp_path / "capability.toml").write_text((HOSTILE / "capability.toml").read_text())
    async with world(tmp_path) as broken:
        error = await broken.refused("files.read", path="a")
        assert (error.code, error.reason) == (error_pb2.CODE_UNAVAILABLE, "files did not start")
        assert broken.servers.states()["files"].state == "failed"
        assert not list((broken.folder.parent / "run").iterdir())


async def test_a_server_that_never_says_that_it_is_ready_is_a_typed_failure_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "capability.toml").write_text((HOSTILE / "capability.toml").read_text())
    (tmp_path / "hostile.py").write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setattr(launch, "READY_WITHIN_S", 0.2)
    async with world(tmp_path) as silent:
        error = await silent.refused("files.read", path="a")
        assert (error.code, error.reason) == (error_pb2.CODE_UNAVAILABLE, "files did not start")


async def test_a_server_that_others_kill_as_it_starts_is_started_more_often_than_one_that_dies_of_itself(
    me: World,
) -> None:
    call = asyncio.create_task(me.call("files.mkdir", path="one"))
    killed: set[int] = set()
    async with asyncio.timeout(30):
        while len(killed) <= STARTS:
            for server in list(me.servers._alive):
                if server.pid and server.pid not in killed:
                    killed.add(server.pid)
                    os.kill(server.pid, signal.SIGKILL)
            await asyncio.sleep(0.001)
        await call
    assert (me.folder / "one").is_dir()


NEVER_READY = """
import os, time
os.close(4)
print("not ready", flush=True)
time.sleep(60)
"""
HANGS_UP = """
import json, os, socket
told = json.loads(os.fdopen(3, "rb").read())
door = socket.socket(socket.AF_UNIX)
door.bind(told["socket"])
door.listen()
os.write(4, b"ready\\n")
os.close(4)
while True:
    door.accept()[0].close()
"""


@asynccontextmanager
async def broken(folder: Path, code: str) -> AsyncIterator[World]:
    """A files server of which this is the code."""
    (folder / "capability.toml").write_text((HOSTILE / "capability.toml").read_text())
    (folder / "hostile.py").write_text(code)
    async with world(folder) as made:
        yield made


async def test_a_call_that_is_given_up_while_it_is_seen_how_its_server_ends_leaves_none(tmp_path: Path) -> None:
    async with broken(tmp_path, NEVER_READY) as there:
        call = asyncio.create_task(there.call("files.read", path="a"))
        await until(lambda: any(server.output for server in there.servers._alive))
        for _ in range(3):
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert not there.servers._alive


async def test_a_server_that_is_killed_for_what_it_does_as_it_starts_died_of_itself(tmp_path: Path) -> None:
    async with broken(tmp_path, HANGS_UP) as there:
        failed: list[int] = []
        there.servers.told = lambda event, name, pid, restarts: failed.append(pid)
        await there.refused("files.read", path="a")
        assert len(failed) == STARTS


def test_a_server_dies_with_its_kernel() -> None:
    code = """
import asyncio, os
from tests.servers.world import world
async def main():
    async with world() as me:
        await me.call("files.mkdir", path="awake")
        print(me.servers.states()["files"].pid, me.folder.parent, flush=True)
        os.kill(os.getpid(), 9)
asyncio.run(main())
"""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    pid, place = ran.stdout.split()
    asyncio.run(until_gone(int(pid)))
    shutil.rmtree(place)


async def test_a_server_that_says_it_was_interrupted_lives_on_and_one_that_breaks_off_does_not() -> None:
    async with world(UNARY) as plain:
        pid = (await plain.call("files.read", path="who")).text
        said = await plain.refused("files.read", path="interrupted")
        assert (said.reason, said.hint, said.happened) == ("it may have happened", "look first", True)
        assert (await plain.call("files.read", path="who")).text == pid, "its own word is no broken connection"
        broke = await plain.refused("files.read", path="crash")
        assert (broke.detail, broke.hint) == ("interrupted", "see what it did before you repeat it")
        assert (await plain.call("files.read", path="who")).text != pid
