"""What a name stands for when it is used: races that cannot be lost on purpose, each made to happen here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentos.capabilities.failure import Denied, Unavailable
from agentos.capabilities.files import syscalls, writing
from agentos.capabilities.files.entries import version
from agentos.capabilities.files.places import Places
from agentos.capabilities.files.server import Files
from agentos.capabilities.files.trash import Trash


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    opened = os.open(tmp_path, os.O_RDONLY)
    yield opened
    os.close(opened)


def identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def test_what_was_opened_must_be_where_it_was_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    (tmp_path / "b").write_text("another")
    with (tmp_path / "a").open() as file:
        Places(())._check_place(file.fileno(), str(tmp_path / "a"))
        with pytest.raises(Unavailable):
            Places(())._check_place(file.fileno(), str(tmp_path / "b"))


def test_what_was_opened_must_not_be_in_a_forbidden_place(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    with (tmp_path / "a").open() as file, pytest.raises(Denied):
        Places((str(tmp_path),))._check_place(file.fileno(), str(tmp_path / "a"))


def test_another_thing_of_the_same_name_is_put_back(tmp_path: Path, folder: int) -> None:
    (tmp_path / "shown").write_text("shown")
    (tmp_path / "a").write_text("another")
    with pytest.raises(Unavailable):
        writing.rename_pinned(folder, "a", folder, "b", identity(tmp_path / "shown"), "a")
    assert sorted(os.listdir(tmp_path)) == ["a", "shown"]
    writing.rename_pinned(folder, "a", folder, "b", identity(tmp_path / "a"), "a")
    assert sorted(os.listdir(tmp_path)) == ["b", "shown"]


def test_another_thing_of_the_same_name_comes_back_from_the_trash(tmp_path: Path, folder: int) -> None:
    trash = Trash(str(tmp_path / "trash"))
    (tmp_path / "shown").write_text("shown")
    (tmp_path / "a").write_text("another")
    with pytest.raises(Unavailable):
        trash.take(folder, "a", str(tmp_path / "a"), identity(tmp_path / "shown"))
    assert (tmp_path / "a").read_text() == "another"
    assert not os.listdir(tmp_path / "trash" / "files")
    trash.take(folder, "a", str(tmp_path / "a"), identity(tmp_path / "a"))
    assert not (tmp_path / "a").exists()


def test_a_rename_never_replaces(tmp_path: Path, folder: int) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    with pytest.raises(FileExistsError):
        syscalls.rename_exclusive(folder, "a", folder, "b")
    assert (tmp_path / "b").read_text() == "b"


def test_what_is_replaced_must_be_what_was_shown(tmp_path: Path, folder: int) -> None:
    files = Files()
    files._trash = Trash(str(tmp_path / "trash"))
    (tmp_path / "a").write_text("old")
    shown = f"{tmp_path}/a, 3 bytes, version {version((tmp_path / 'a').stat())}"
    with pytest.raises(Unavailable):
        files._clear(folder, "a", str(tmp_path / "a"), shown[:-1])
    assert (tmp_path / "a").read_text() == "old"
    assert files._clear(folder, "a", str(tmp_path / "a"), shown) == "a"
    assert not (tmp_path / "a").exists()
