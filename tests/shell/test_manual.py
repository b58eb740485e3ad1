"""The page on the command line says what the commands say."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

from agentos.shell import main, manual

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_page_is_the_commands_own_help() -> None:
    assert PAGE.read_text() == manual.page(), "write it again: python -m agentos.shell.manual > docs/cli.md"


def test_the_help_is_laid_out_for_a_narrow_terminal() -> None:
    """A line that is longer than a terminal is wide leaves a word alone on the next."""
    for _, name, where, _ in main.COMMANDS:
        module, function = where.split(":")
        about = inspect.getdoc(getattr(importlib.import_module(f"agentos.shell.commands.{module}"), function)) or ""
        _, *said = about.partition("\nParameters\n")[0].splitlines()
        assert [line for line in said if len(line) > 80] == [], name
