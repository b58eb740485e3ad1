"""The page on the command line says what the commands say."""

from __future__ import annotations

from pathlib import Path

from agentos.shell import manual

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_page_is_the_commands_own_help() -> None:
    assert PAGE.read_text() == manual.page(), "write it again: python -m agentos.shell.manual > docs/cli.md"
