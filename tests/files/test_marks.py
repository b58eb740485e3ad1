"""What was appended is marked on the file, so that it can be told later whether an append happened."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from agentos.capabilities.files import marks, writing
from agentos.v1 import capability_pb2, files_pb2
from tests.servers.world import World, context

HOUR_MS = 3_600_000
IN_ONE_LOOP = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.write_text("before\n")
    past = time.time() - 60
    os.utime(path, (past, past))
    return path


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def append(path: Path, text: str, key: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    writing.append(fd, text.encode(), key)
    os.close(fd)


def write(path: Path, text: str) -> None:
    """Somebody else's append."""
    with path.open("a") as file:
        file.write(text)


def happened(path: Path, text: str, key: str, since_ms: int) -> bool | None:
    fd = os.open(path, os.O_RDONLY)
    try:
        return marks.happened(fd, key, text.encode(), since_ms)
    finally:
        os.close(fd)


def mark(path: Path, key: str, before: int) -> None:
    """What a server leaves that is killed before it writes."""
    fd = os.open(path, os.O_WRONLY)
    kept = marks.begun(fd)
    kept.add(key, before)
    kept.write(fd)
    os.close(fd)


def test_what_was_appended_is_found_whatever_came_after_it(log: Path) -> None:
    since = now_ms()
    append(log, "one\n", "r1:1")
    append(log, "one\n", "r2:1")
    write(log, "by hand\n")
    assert happened(log, "one\n", "r1:1", since) is True
    assert happened(log, "one\n", "r2:1", since) is True


def test_what_was_not_appended_is_not_found_though_the_same_line_is_there(log: Path) -> None:
    append(log, "one\n", "r1:1")
    since = now_ms() + 2 * marks.TICK_MS
    append(log, "one\n", "r2:1")
    assert happened(log, "one\n", "r3:1", since) is False


def test_a_mark_without_what_it_announces_means_that_it_did_not_happen(log: Path) -> None:
    since = now_ms()
    mark(log, "r1:1", log.stat().st_size)
    assert happened(log, "one\n", "r1:1", since) is False
    append(log, "one\n", "r1:1")
    assert log.read_text() == "before\none\n"


def test_what_was_written_in_part_is_made_whole_and_not_twice(log: Path) -> None:
    since, size = now_ms(), log.stat().st_size
    mark(log, "r1:1", size)
    write(log, "a long li")
    assert happened(log, "a long line\n", "r1:1", since) is False
    append(log, "a long line\n", "r1:1")
    assert log.read_text() == "before\na long line\n"
    assert happened(log, "a long line\n", "r1:1", since) is True


@pytest.mark.parametrize("left", ["", "before\nsomething else"])
def test_what_somebody_took_away_or_wrote_over_cannot_be_told(log: Path, left: str) -> None:
    since = now_ms()
    append(log, "one\n", "r1:1")
    os.truncate(log, 0)
    write(log, left)
    assert happened(log, "one\n", "r1:1", since) is None


def test_a_file_that_was_replaced_since_cannot_be_told(log: Path) -> None:
    since = now_ms()
    append(log, "one\n", "r1:1")
    log.unlink()
    log.write_text("a new one\n")
    append(log, "two\n", "r2:1")
    assert happened(log, "one\n", "r1:1", since) is None


def test_more_appends_than_are_kept_are_not_taken_for_none(log: Path) -> None:
    since = now_ms()
    for number in range(marks.KEPT + 2):
        append(log, "one\n", f"r{number}:1")
    assert happened(log, "one\n", "r0:1", since) is None
    assert happened(log, "one\n", "r9:1", since) is True


def test_the_same_call_of_another_home_is_not_ours(log: Path) -> None:
    append(log, "one\n", "r1:1")
    assert happened(log, "one\n", "r1:1", now_ms() + 2 * HOUR_MS) is False


@IN_ONE_LOOP
async def test_the_server_marks_what_it_appends_and_finds_it(me: World) -> None:
    since, told = now_ms(), context({"path": [f"{me.folder}/**"]})
    told.idempotency_key = "r1:1:abc"
    request = files_pb2.FilesAppendRequest(path=me.path("log"), text="one\n")
    rule = me.catalog.actions["files.append"]
    asked = capability_pb2.LookUpRequest(action=rule.name, request=request.SerializeToString(), since_ms=since)
    assert (await me.servers.look_up("files", asked, told)).fate == capability_pb2.FATE_DID_NOT
    await me.servers.call("files", rule.method, request.SerializeToString(), told)
    found = await me.servers.look_up("files", asked, told)
    assert found.fate == capability_pb2.FATE_HAPPENED
    assert files_pb2.FilesAppendResponse.FromString(found.reply).entry.size == 4
    other = context({"path": [f"{me.folder}/**"]})
    other.idempotency_key = "r2:1:abc"
    asked.since_ms = since + 2 * marks.TICK_MS + 1_000
    assert (await me.servers.look_up("files", asked, other)).fate == capability_pb2.FATE_DID_NOT


@IN_ONE_LOOP
async def test_what_was_announced_to_the_trash_and_never_came_is_no_hindrance(me: World) -> None:
    """A server that is killed between the two leaves the name in `info` alone."""
    info = me.folder.parent.parent / "share" / "Trash" / "info"
    (me.folder / "half").write_text("half")
    info.mkdir(parents=True, exist_ok=True)
    (info / "half.trashinfo").write_text("[Trash Info]\nPath=x\nDeletionDate=2026-01-01T00:00:00\n")
    await me.call("files.trash", path="half")
    assert not (me.folder / "half").exists()
    assert len(list(info.glob("half*"))) == 2
