"""The README does what it says: its program runs, its commands exist, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from agentos.shell import main
from tests.shell.conftest import Shell

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
NAMES = {name for _, name, _, _ in main.COMMANDS}


def test_its_first_program_runs_by_its_own_commands(shell: Shell) -> None:
    (program,) = [text for language, text in BLOCKS if language == "python"]
    (shell.folder / "links.py").write_text(program)
    (shell.folder / "notes" / "deep").mkdir(parents=True)
    (shell.folder / "notes" / "deep" / "a.md").write_text("see https://example.org/a and (https://example.org/b)")
    assert shell("run", "links.py", "--grant", "manifest").out == "2 links\n"
    assert (shell.folder / "links.md").read_text() == "* https://example.org/a\n* https://example.org/b\n"
    lines = [line for language, text in BLOCKS if language == "sh" for line in text.splitlines()]
    commands = [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("agentos ")]
    assert len(commands) == 4
    for command in commands:
        assert shell(*command).code == 0, command


def test_every_command_it_names_is_there() -> None:
    for page in ("README.md", "docs/cli.md"):
        named = re.findall(r"`agentos (\w+)", (ROOT / page).read_text())
        assert set(named) <= NAMES, page


def test_its_make_targets_are_there() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make (demo|test|\w+)\b(?=\s+#)", README)) <= targets


def test_its_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", README):
        assert (ROOT / link).exists(), link
