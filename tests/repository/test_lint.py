"""The rules of style do refuse what they are there to refuse."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.repository.source import ROOT

RUFF = str(Path(sys.executable).parent / "ruff")


def codes(where: str, source: str) -> str:
    command = [RUFF, "check", "--no-cache", "--output-format=concise", f"--stdin-filename={where}", "-"]
    done = subprocess.run(command, cwd=ROOT, input=source, capture_output=True, text=True, check=False)
    return done.stdout


@pytest.mark.parametrize("room", ["kernel", "capabilities", "guests", "sdk", "shell"])
def test_a_bare_import_of_a_room_is_refused(room: str) -> None:
    assert "TID251" in codes("kernel/made_up.py", f"import {room}.wire\n\nprint({room})\n")


def test_wasmtime_is_refused_everywhere_but_in_one_module() -> None:
    source = "import wasmtime\n\nwasmtime.Engine()\n"
    assert "TID251" in codes("kernel/cells/pool.py", source)
    assert "TID251" not in codes("kernel/cells/runtime.py", source)


def test_a_task_that_nobody_keeps_is_refused() -> None:
    source = "import asyncio\n\n\nasync def go() -> None:\n    asyncio.create_task(go())\n"
    assert "RUF006" in codes("kernel/made_up.py", source)


def test_an_error_that_is_caught_blindly_is_refused() -> None:
    assert "BLE001" in codes("kernel/made_up.py", "try:\n    open\nexcept Exception:\n    open\n")


def test_each_ignored_rule_says_why() -> None:
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    start = lines.index("ignore = [") + 1
    ignored = lines[start : lines.index("]", start)]
    # RUF002 and RUF003 are RUF001 elsewhere, and stand below its reason.
    assert [line for line in ignored if "#" not in line and "RUF00" not in line] == []


def test_pyright_looks_at_every_room_and_at_what_tries_them() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pyright"]
    rooms = {f"dev/agentos/{link.name}" for link in (ROOT / "dev/agentos").iterdir()}
    assert set(settings["include"]) == {*rooms, "tests", "bench"}
