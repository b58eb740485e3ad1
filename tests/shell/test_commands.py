"""The command line itself: help, usage errors, exit codes, and what it costs to start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agentos.shell import main, remote
from agentos.shell.failure import Failure
from tests.shell.conftest import Shell

# What a command that looks at runs has no use for, of ours and of others.
NOT_TO_LOOK = {
    *(f"agentos.shell.{each}" for each in ("pages", "armed", "follow", "prompt", "source", "remote")),
    "agentos.v1.events_pb2", "agentos.v1.statistics_pb2", "rich.live", "rich.progress", "rich.markdown", "keyring",
    "cryptography", "apsw", "nacl", "msgspec", "wasmtime", "email", "http", "multiprocessing", "unittest", "pydoc",
}  # fmt: skip
NAMES = [name for _, name, _, _ in main.COMMANDS]


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--help"]) == 0
    shown = capsys.readouterr().out
    for _, name, _, about in main.COMMANDS:
        assert name in shown
        assert about in shown


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"agentos {name}" in shown
    for option in ("--json", "--on", "--home"):
        assert option in shown


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["rum"], "did you mean: agentos run"),
        (["nonsense"], "there is no command nonsense"),
        (["run"], "see: agentos run --help"),
        (["run", "x.py", "--grant", "all"], '"manifest"'),
        (["run", "no-such-file.py"], "there is no program no-such-file.py"),
        (["run", "."], "is a folder, not a program"),
        (["capabilities", "add"], "agentos capabilities add FOLDER"),
        (["init", "--keyring", "--passphrase"], "a key is kept in one way"),
        (["settle", "r1", "x", "--happened"], "SEQ is a whole number, and x is none"),
        (["top", "--every", "x"], "--every is a number, and x is none"),
        (["export", "r1", "--to", "-"], "--to needs a value"),
        (["init", "--key-file", ""], "--key-file needs a path"),
        (["init", "--home", "/proc/home", "--key-file", "/proc/key"], "cannot be"),
        (["ps", "--on", "http://host"], "ssh://[user@]host[:port]"),
    ],
)
def test_wrong_usage_is_explained_and_ends_with_2(
    line: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(line) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.out == ""


def test_with_json_an_error_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["run", "no-such-file.py", "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["status"] == "failed"
    assert told["error"]["message"] == "there is no program no-such-file.py"
    assert main.run(["why", "r1", "x", "--json"]) == 2
    assert set(json.loads(capsys.readouterr().out)["error"]) == {"code", "message", "hint"}


def test_global_options_may_stand_before_the_command() -> None:
    assert main.ordered(["--json", "--home", "/h", "ps", "--all"]) == ["ps", "--json", "--home", "/h", "--all"]
    assert main.ordered(["--on=ssh://host", "ps"]) == ["ps", "--on=ssh://host"]
    assert main.ordered(["run", "x.py", "--", "--json"]) == ["run", "x.py", "--", "--json"]


def test_the_shell_reads_a_command_without_what_only_a_kernel_needs() -> None:
    code = "import sys, agentos.shell.main as m; m.run(['--help']); print([n for n in sys.modules if n in HEAVY])"
    heavy = "HEAVY = {'grpc', 'google.protobuf', 'asyncio', 'agentos.kernel'}; "
    shown = subprocess.run([sys.executable, "-c", heavy + code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("address", "ends"),
    [
        ("ssh://box", ["--", "box"]),
        ("ssh://me@box.example", ["--", "me@box.example"]),
        ("ssh://me@box:2222", ["-p", "2222", "--", "me@box"]),
        ("ssh://[::1]:22", ["-p", "22", "--", "::1"]),
    ],
)
def test_an_address_becomes_an_ssh_command(address: str, ends: list[str]) -> None:
    assert remote.command(address)[-len(ends) :] == ends


@pytest.mark.parametrize(
    "address", ["ssh://-oProxyCommand=x", "ssh://a b", "ssh://-l@h", "box", "ssh://", "ssh://h:99;x"]
)
def test_an_address_is_never_an_option_of_ssh(address: str) -> None:
    with pytest.raises(Failure):
        remote.command(address)


def spoken(line: str, folder: Path) -> tuple[int, str]:
    """A command line as sh runs it, which may close or fill a stream: its exit code, and what it complained of."""
    command = ["sh", "-c", line.replace("agentos", f"{sys.executable} -m agentos.shell.main")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=folder)
    return done.returncode, done.stderr


@pytest.mark.parametrize("line", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_harms_nothing(line: str, tmp_path: Path) -> None:
    assert spoken(f"agentos --version {line}", tmp_path) == (0, "")


def test_a_full_disk_under_the_output_is_said(tmp_path: Path) -> None:
    code, said = spoken("agentos --version > /dev/full", tmp_path)
    assert code == 1
    assert said.startswith("agentos: No space left on device")


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    code, said = spoken("mkdir gone; cd gone; rmdir ../gone; agentos explain x.py", tmp_path)
    assert code == 2
    assert said.startswith("agentos: the folder you are in is not there any more")


def test_a_shell_leaves_no_core_and_lets_nobody_into_its_memory() -> None:
    code = """
import ctypes, resource
from agentos.shell import main
main.run = lambda tokens: print(ctypes.CDLL(None).prctl(3), resource.getrlimit(resource.RLIMIT_CORE))
main.main()
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert shown.stdout == "0 (0, 0)\n", shown.stderr


def test_looking_at_runs_loads_no_more_than_that_takes(shell: Shell) -> None:
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "agentos.shell.main", "ps"],
        cwd=shell.folder, env=shell.environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines() if line.startswith("import time:")}
    assert "agentos.shell.render" in loaded, "it looked at runs"
    assert loaded & NOT_TO_LOOK == set()
