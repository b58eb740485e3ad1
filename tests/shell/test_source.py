"""What the shell reads from disk before a kernel sees it: bounded, and never anything but a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentos.shell import source
from agentos.shell.failure import Exit, Failure


def test_a_script_is_read_with_the_manifest_beside_it(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("pass")
    (tmp_path / "agent.toml").write_text("name = 'x'")
    read = source.read(str(tmp_path / "x.py"))
    assert (read.content, read.manifest) == (b"pass", b"name = 'x'")
    assert read.manifest_path == str(tmp_path / "agent.toml")


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    for name, said in ((tmp_path / "pipe.py", "is not a file"), ("/dev/zero", "is not a file"), (tmp_path, "a folder")):
        with pytest.raises(Failure, match=said):
            source.read(str(name))


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_a_name_that_no_file_can_have_is_wrong_usage(name: str) -> None:
    with pytest.raises(Failure, match="cannot be read") as failed:
        source.read(name)
    assert failed.value.exit_code == Exit.USAGE


def test_a_program_larger_than_any_is_not_read_whole(tmp_path: Path) -> None:
    (tmp_path / "sparse.py").touch()
    os.truncate(tmp_path / "sparse.py", source.LARGEST + 1)
    with pytest.raises(Failure, match="larger than 64 MiB"):
        source.read(str(tmp_path / "sparse.py"))


def test_an_input_is_json_itself_or_the_text_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text('{"a": "ä"}', encoding="utf-8")
    assert source.given(None) == ""
    assert source.given("[1]") == "[1]"
    assert source.given(f"@{tmp_path / 'in.json'}") == '{"a": "ä"}'


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("/dev/zero", "larger than 4 MiB"),
        ("/nowhere", "No such file"),
        ("/", "Is a directory"),
        ("/proc/self/exe", "not UTF-8|larger"),
    ],
)
def test_an_input_that_cannot_be_is_explained(name: str, said: str) -> None:
    with pytest.raises(Failure, match=said) as failed:
        source.given(f"@{name}")
    assert failed.value.exit_code == Exit.USAGE
