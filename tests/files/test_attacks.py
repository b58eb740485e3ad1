"""Attacks on files, each against a real server behind its walls: refused, typed, without effect, telling nothing."""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentos.kernel.cells.servers import CallFailed
from agentos.v1 import error_pb2, files_pb2
from tests.servers.world import Bounds, World, context, world

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRIES = int(os.environ.get("AGENTOS_RACES", "2000"))  # the long form is 40000
CALLS: dict[str, dict[str, object]] = {
    "files.list": {}, "files.stat": {}, "files.read": {}, "files.write": {"text": "evil"},
    "files.append": {"text": "evil"}, "files.mkdir": {}, "files.trash": {}, "files.move": {"to": "moved"},
}  # fmt: skip


@pytest.fixture
def secret(me: World) -> Iterator[Path]:
    """A folder of the person that is not granted to the calls here."""
    folder = me.folder.parent / f"{me.folder.name}-evil"
    folder.mkdir()
    (folder / "key").write_text("secret")
    yield folder
    assert {file.name: file.read_text() for file in folder.iterdir()} == {"key": "secret"}


async def everything(me: World, path: str, **options: object) -> set[tuple[int, str]]:
    """Every action at this path; the codes and details of their refusals."""
    found: set[tuple[int, str]] = set()
    for action, fields in CALLS.items():
        error = await me.refused(action, path=path, **(fields | options))
        assert "secret" not in error.reason + error.hint
        found.add((error.code, error.detail))
    return found


NAMES = {
    "parent": "../x", "parent within": "a/../b", "dot": "a/./b", "double slash": "a//b", "trailing slash": "a/",
    "trailing dot": "a/.", "NUL": "a\0b", "256 bytes": "n" * 256, "4096 bytes": "/".join(["n" * 100] * 41),
    "bidi": "a\u202eb", "zero width": "a\u200bb", "control": "a\x1bb", "newline": "a\nb", "deep": "d/" * 300 + "d",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
async def test_a_name_with_more_than_one_reading_is_refused(me: World, name: str) -> None:
    assert await everything(me, name) == {(error_pb2.CODE_INVALID, "bad_name")}
    assert not list(me.folder.iterdir())


@pytest.mark.parametrize("path", ["", "relative", "~/x"])
async def test_a_path_that_is_not_absolute_is_refused(me: World, path: str) -> None:
    context_ = context({"path": [me.path("**")]})
    raw = files_pb2.FilesReadRequest(path=path).SerializeToString()
    with pytest.raises(CallFailed) as caught:
        await me.servers.call("files", "/agentos.v1.FilesService/Read", raw, context_)
    assert caught.value.error.detail == "bad_name"


@pytest.mark.parametrize("raw", [b"\x0a\x03/\xff\xfe", b"\x0a\xff\xff\xff\xff\x07", b"\xff" * 64, b"\x0a\x7f/"])
async def test_bytes_that_are_not_a_message_are_refused(me: World, raw: bytes) -> None:
    with pytest.raises(CallFailed) as caught:
        await me.servers.call("files", "/agentos.v1.FilesService/Read", raw, context({"path": [me.path("**")]}))
    assert caught.value.error.code == error_pb2.CODE_INVALID


async def test_a_sibling_that_shares_a_prefix_is_outside(me: World, secret: Path) -> None:
    assert await everything(me, f"{secret}/key") == {(error_pb2.CODE_DENIED, "")}


async def test_without_bounds_nothing_is_covered(me: World) -> None:
    (me.folder / "a").write_text("")
    bounds: Bounds
    for bounds in ({"path": []}, {"to": [me.path("**")]}):
        error = await me.refused("files.read", bounds, path="a")
        assert error.code == error_pb2.CODE_DENIED


async def test_a_move_needs_both_ends_in_the_grant(me: World, secret: Path) -> None:
    (me.folder / "a").write_text("mine")
    bounds = {"path": [me.path("**")], "to": [me.path("**")]}
    assert (await me.refused("files.move", bounds, path="a", to=f"{secret}/a")).code == error_pb2.CODE_DENIED
    assert (await me.refused("files.move", bounds, path=f"{secret}/key", to="b")).code == error_pb2.CODE_DENIED


async def test_links_are_refused_by_name_wherever_they_stand(me: World, secret: Path) -> None:
    (me.folder / "file").symlink_to(secret / "key")
    (me.folder / "folder").symlink_to(secret)
    (me.folder / "dangling").symlink_to(secret / "new")
    (me.folder / "loop").symlink_to("loop")
    for path, link in (("file", "file"), ("folder/key", "folder"), ("dangling", "dangling"), ("loop", "loop")):
        for action in ("files.read", "files.write", "files.append", "files.trash", "files.move"):
            error = await me.refused(action, path=path, **CALLS[action])
            assert error.detail == "link", (path, action)
            assert me.path(link) in error.reason
    for path in ("folder", "folder/x"):
        assert (await me.refused("files.list", path=path)).detail == "link"
    assert (await me.refused("files.mkdir", path="folder/x")).detail == "link"
    assert (await me.call("files.stat", path="file")).entry.kind == files_pb2.FILE_KIND_LINK


async def test_nothing_is_moved_or_replaced_through_a_link(me: World, secret: Path) -> None:
    (me.folder / "a").write_text("mine")
    (me.folder / "link").symlink_to(secret)
    assert (await me.refused("files.move", path="a", to="link/key", replace=True)).detail == "link"
    assert (await me.refused("files.move", path="a", to="link", replace=True)).detail == "link"
    assert (me.folder / "a").read_text() == "mine"


async def test_a_link_above_the_grants_root_is_refused(me: World, secret: Path) -> None:
    (me.folder / "door").symlink_to(secret)
    under = [me.path("door/**")]
    for action in ("files.read", "files.write", "files.list"):
        assert (await me.refused(action, under, path="door/key", **CALLS[action])).detail == "link"


async def test_devices_pipes_and_sockets_are_never_opened(me: World) -> None:
    os.mkfifo(me.folder / "pipe")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(me.folder / "sock"))
    nodes = ["pipe", "sock"]
    if os.geteuid() == 0:
        os.mknod(me.folder / "null", 0o20666, os.makedev(1, 3))
        nodes.append("null")
    for node in nodes:
        for action in ("files.read", "files.write", "files.append", "files.trash", "files.move"):
            assert (await me.refused(action, path=node, **CALLS[action])).detail == "not_regular", (node, action)
        assert (await me.refused("files.list", path=node)).detail == "not_folder"
        assert (await me.call("files.stat", path=node)).entry.kind == files_pb2.FILE_KIND_OTHER
    listening.close()


async def test_a_writer_that_waits_at_a_pipe_is_not_woken(me: World) -> None:
    os.mkfifo(me.folder / "pipe")
    woken = threading.Event()

    def write() -> None:
        os.close(os.open(me.folder / "pipe", os.O_WRONLY))
        woken.set()

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(50):
        assert (await me.refused("files.read", path="pipe")).detail == "not_regular"
    assert not woken.is_set()
    os.close(os.open(me.folder / "pipe", os.O_RDONLY))
    writer.join()


async def test_a_folder_is_no_file_and_a_file_no_folder(me: World) -> None:
    (me.folder / "folder").mkdir()
    (me.folder / "file").write_text("")
    for action in ("files.read", "files.write", "files.append"):
        assert (await me.refused(action, path="folder", **CALLS[action])).detail == "is_folder"
    assert (await me.refused("files.list", path="file")).detail == "not_folder"
    assert (await me.refused("files.read", path="file/x")).detail == "not_folder"


@contextmanager
def swapping(one: Path, other: Path) -> Iterator[None]:
    """Exchange two names for one another without pause, each time in one step."""
    libc, stop = ctypes.CDLL(None), threading.Event()
    first, second = os.fsencode(one), os.fsencode(other)

    def swap() -> None:
        while not stop.is_set():
            libc.renameat2(-100, first, -100, second, 2)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


async def race(me: World, action: str, **fields: object) -> tuple[set[bytes], set[str]]:
    """Make a call again and again; what was read, and the details of what was refused."""
    read, refused = set(), set()

    async def attempt() -> None:
        for _ in range(TRIES // 20):
            try:
                reply = await me.call(action, **fields)
                read.add(reply.data if action == "files.read" else b"")
            except CallFailed as failed:
                refused.add(failed.error.detail)

    await asyncio.gather(*(attempt() for _ in range(20)))
    return read, refused


async def test_a_file_that_is_swapped_for_a_link_never_leaks(me: World, secret: Path) -> None:
    (me.folder / "f").write_text("mine")
    (me.folder / "link").symlink_to(secret / "key")
    with swapping(me.folder / "f", me.folder / "link"):
        read, refused = await race(me, "files.read", path=me.path("f"))
    assert read == {b"mine"}
    assert "link" in refused <= {"link", "changed"}


async def test_a_folder_that_is_swapped_for_a_link_never_leaks(me: World, secret: Path) -> None:
    (me.folder / "d").mkdir()
    (me.folder / "d" / "key").write_text("mine")
    (me.folder / "link").symlink_to(secret)
    with swapping(me.folder / "d", me.folder / "link"):
        read, refused = await race(me, "files.read", path=me.path("d/key"))
    assert read == {b"mine"}
    assert "link" in refused <= {"link", "changed"}


async def test_a_write_never_goes_through_a_folder_that_is_swapped_for_a_link(me: World, secret: Path) -> None:
    (me.folder / "d").mkdir()
    (me.folder / "link").symlink_to(secret)
    with swapping(me.folder / "d", me.folder / "link"):
        written, refused = await race(me, "files.write", path=me.path("d/new"), text="evil")
    assert written == {b""}
    assert "link" in refused <= {"link", "changed"}


async def test_the_forbidden_place_is_not_nameable_under_any_grant() -> None:
    async with world() as me:
        kernel = me.folder.parent / "kernel"
        (me.folder / "a").write_text("mine")
        everywhere = ["/**"]
        for path in (f"{kernel}/key", str(kernel)):
            for action, fields in CALLS.items():
                error = await me.refused(action, everywhere, path=path, **fields)
                assert error.code == error_pb2.CODE_DENIED, action
        names = [entry.name for entry in (await me.call("files.list", everywhere, path=str(kernel.parent))).entries]
        assert "me" in names
        assert "kernel" not in names
        moves: list[tuple[str, dict[str, object]]] = [
            ("files.trash", {"path": str(kernel.parent)}),
            ("files.move", {"path": str(kernel.parent), "to": "x"}),
            ("files.move", {"path": "a", "to": str(kernel), "replace": True}),
        ]
        for action, fields in moves:
            assert (await me.refused(action, everywhere, **fields)).code == error_pb2.CODE_DENIED
        assert (kernel / "key").read_text() == "the kernel's own"


async def test_places_that_are_never_reached_stay_closed_at_the_server_too() -> None:
    async with world() as me:
        for path in ("/proc/self/environ", "/proc/version", "/sys/kernel", "/dev/null", "/run/x"):
            assert (await me.refused("files.read", ["/**"], path=path)).code == error_pb2.CODE_DENIED
        names = {entry.name for entry in (await me.call("files.list", ["/**"], path="/")).entries}
        assert "etc" in names
        assert not names & {"proc", "sys", "dev", "run"}


async def test_more_than_eight_mebibytes_in_one_call_are_refused(me: World) -> None:
    assert (await me.refused("files.write", path="a", data=bytes(8 * 2**20 + 1))).detail == "too_large"
    assert (await me.refused("files.write", path="a", data=bytes(9 * 2**20))).detail == "too_large"
    await me.call("files.write", path="a", data=bytes(8 * 2**20))
    assert (me.folder / "a").stat().st_size == 8 * 2**20


async def test_a_folder_with_too_many_entries_is_refused_as_a_whole(me: World) -> None:
    for number in range(10_001):
        os.close(os.open(me.folder / str(number), os.O_CREAT))
    error = await me.refused("files.list", path="")
    assert (error.code, error.detail) == (error_pb2.CODE_LIMIT, "too_large")
    os.unlink(me.folder / "0")
    assert len((await me.call("files.list", path="")).entries) == 10_000


async def test_a_write_under_a_read_grant_fails_at_the_wall() -> None:
    async with world() as me:
        outside = me.folder.parent / "readonly"
        outside.mkdir()
        (outside / "a").write_text("mine")
        under = [f"{outside}/**"]
        await me.call("files.read", under, path=f"{outside}/a")
        raw = files_pb2.FilesWriteRequest(path=f"{outside}/a", text="evil").SerializeToString()
        with pytest.raises(CallFailed) as caught:
            await me.servers.call("files", "/agentos.v1.FilesService/Write", raw, context({"path": under}))
        assert caught.value.error.code == error_pb2.CODE_DENIED
        assert (outside / "a").read_text() == "mine"
        assert os.listdir(outside) == ["a"]


@pytest.fixture
def small_disk(me: World) -> Iterator[Path]:
    """A disk of 256 KiB within the folder."""
    folder = me.folder / "disk"
    folder.mkdir()
    made = os.geteuid() == 0 and shutil.which("mount")
    if not made or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "x", folder], check=False).returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield folder
    subprocess.run(["umount", folder], check=True)


async def test_a_full_disk_leaves_the_old_content(me: World, small_disk: Path) -> None:
    (small_disk / "a").write_text("the old content")
    for action in ("files.write", "files.append"):
        error = await me.refused(action, path="disk/a", data=bytes(2**20))
        assert (error.code, error.detail) == (error_pb2.CODE_UNAVAILABLE, "disk_full")
        assert (small_disk / "a").read_text() == "the old content"
    assert (await me.refused("files.write", path="disk/new", data=bytes(2**20))).detail == "disk_full"
    assert os.listdir(small_disk) == ["a"]
    await me.call("files.write", path="disk/a", text="fits")


async def test_an_append_that_does_not_fit_takes_no_other_back(me: World, small_disk: Path) -> None:
    async def added(word: str) -> str:
        try:
            await me.call("files.append", path="disk/log", text=word + ";")
        except CallFailed as failed:
            return failed.error.detail
        return word

    for _ in range(80):
        (small_disk / "log").write_text("")
        words = [f"{number}:" + "x" * (number % 2 * 150_000) for number in range(16)]
        told = await asyncio.gather(*map(added, words))
        assert set(told) <= {*words, "disk_full"}
        assert "disk_full" in told
        kept = (small_disk / "log").read_text().split(";")
        assert sorted(kept) == sorted(["", *(word for word in told if word != "disk_full")])


async def test_what_lies_on_another_disk_is_not_half_moved(me: World, small_disk: Path) -> None:
    (small_disk / "a").write_text("mine")
    assert "another disk" in (await me.refused("files.move", path="disk/a", to="a")).reason
    assert "another disk" in (await me.refused("files.trash", path="disk/a")).reason
    assert (small_disk / "a").read_text() == "mine"
    assert not (me.folder / "a").exists()
