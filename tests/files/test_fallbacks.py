"""Where the system lacks openat2 or O_TMPFILE: the same refusals and the same atomic writes by other means."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from agentos.capabilities.actions import Boot
from agentos.capabilities.context import Context
from agentos.capabilities.failure import Failure
from agentos.capabilities.files import syscalls, writing
from agentos.capabilities.files.server import Files
from agentos.v1 import files_pb2 as pb


@pytest.fixture
async def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.setattr(syscalls, "HAS_OPENAT2", False)
    monkeypatch.setattr(writing, "_TMPFILE", 0)
    made = Files()
    made.boot = Boot("", b"", (), {"trash": str(tmp_path / "trash")})
    await made.start()
    return made


@pytest.fixture
def context(tmp_path: Path) -> Context:
    (tmp_path / "a" / "b").mkdir(parents=True)
    return Context({"path": (f"{tmp_path}/a/**",)}, {}, "", time.time() + 60)


def test_reads_and_writes_in_folders(files: Files, context: Context, tmp_path: Path) -> None:
    for text in ("one", "two"):
        files.write(pb.FilesWriteRequest(path=f"{tmp_path}/a/b/c", text=text), context)
        assert files.read(pb.FilesReadRequest(path=f"{tmp_path}/a/b/c", as_text=True), context).text == text
    assert os.listdir(tmp_path / "a" / "b") == ["c"]
    assert [entry.name for entry in files.list(pb.FilesListRequest(path=f"{tmp_path}/a"), context).entries] == ["b"]


def test_links_are_refused_wherever_they_stand(files: Files, context: Context, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("secret")
    (tmp_path / "a" / "folder").symlink_to(tmp_path / "secret")
    (tmp_path / "a" / "file").symlink_to(tmp_path / "secret" / "key")
    for name, link in (("folder/key", "folder"), ("file", "file")):
        with pytest.raises(Failure) as caught:
            files.read(pb.FilesReadRequest(path=f"{tmp_path}/a/{name}"), context)
        assert caught.value.error.detail == "link"
        assert f"{tmp_path}/a/{link} is a link" == caught.value.error.reason
    stat = files.stat(pb.FilesStatRequest(path=f"{tmp_path}/a/file"), context)
    assert stat.entry.kind == pb.FILE_KIND_LINK


def test_a_write_that_fails_leaves_the_old_content_and_no_other_name(
    files: Files, context: Context, tmp_path: Path
) -> None:
    (tmp_path / "a" / "c").write_text("old")
    with pytest.raises(Failure):
        files.write(pb.FilesWriteRequest(path=f"{tmp_path}/a/c", text="new", if_version="other"), context)
    with pytest.raises(Failure):
        files.write(pb.FilesWriteRequest(path=f"{tmp_path}/a/b", text="new"), context)
    assert (tmp_path / "a" / "c").read_text() == "old"
    assert sorted(os.listdir(tmp_path / "a")) == ["b", "c"]
