"""A real kernel on a home of its own, shared by the tests of the shell, and the command line that talks to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import compiled

SECONDS = 100.0


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> object:
        return json.loads(self.out)


@dataclass(frozen=True)
class Shell:
    """The command line on one home, started from one folder."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "agentos.shell.main", *arguments]

    def __call__(self, *arguments: str, typed: str | None = None) -> Said:
        done = subprocess.run(
            self.command(*arguments), cwd=self.folder, env=self.environment, capture_output=True, text=True,
            check=False, timeout=SECONDS, stdin=subprocess.DEVNULL if typed is None else None, input=typed,
        )  # fmt: skip
        return Said(done.returncode, done.stdout, done.stderr)

    def made(self) -> None:
        """Make the home, under a key file, with the guest compiled."""
        made = self("init", "--key-file", "key")
        assert made.code == 0, made.err
        compiled.keep_in(Path(self.environment["AGENTOS_HOME"]))

    def write(self, name: str, *lines: str, grants: str = "") -> str:
        """A program in the folder; `grants` are lines of its manifest."""
        block = ["# /// script", "# [tool.agentos.grants]", *(f"# {line}" for line in grants.splitlines()), "# ///"]
        (self.folder / name).write_text("\n".join([*(block if grants else []), *lines]) + "\n")
        return name


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AGENTOS_")}
    state = str(home.with_name("state"))
    return kept | {"AGENTOS_HOME": str(home), "AGENTOS_STATE": state, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}


def begun(shell: Shell, *arguments: str) -> subprocess.Popen[str]:
    """A command that has said its first line."""
    running = subprocess.Popen(
        shell.command(*arguments), cwd=shell.folder, env=shell.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert running.stdout is not None
    assert running.stdout.readline()
    return running


def until(true: Callable[[], object], said: str, every_s: float = 0.02) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, said
        time.sleep(every_s)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home that a kernel serves, for the whole session."""
    place = tmp_path_factory.mktemp("served")
    shell = Shell(place, environment(place / "home"))
    shell.made()
    up = shell("up", "--detach")
    assert up.code == 0, up.err
    yield place / "home"
    assert shell("down").code == 0


@pytest.fixture
def shell(served: Path, tmp_path: Path) -> Shell:
    """The command line in an empty folder, with a kernel that is up."""
    return Shell(tmp_path, environment(served))


@pytest.fixture
def homeless(tmp_path: Path) -> Shell:
    """The command line where there is no home yet."""
    return Shell(tmp_path, environment(tmp_path / "home"))
