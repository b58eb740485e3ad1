"""make demo, as it runs where nobody is at a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The demo itself, but for the guest, which was compiled before.
SHOWN = """
from agentos.shell import demo
from tests import compiled
of_demo = demo.Demo.agentos
def agentos(self, *arguments):
    if arguments[0] == "up":
        compiled.keep_in(self._home)
    return of_demo(self, *arguments)
demo.Demo.agentos = agentos
demo.main()
"""


@pytest.mark.slow
def test_the_demo_shows_three_programs_and_leaves_nothing_running() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AGENTOS_")}
    done = subprocess.run(
        [sys.executable, "-c", SHOWN], cwd=ROOT, env=environment | {"NO_COLOR": "1"}, timeout=110,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True,
    )  # fmt: skip
    for told in (
        "report wants (new program, you started it):",
        "nobody is at a terminal, so the demo says: I have read it, --grant manifest",
        "pages, wrote build/report.md",
        "ordinary wants to list",
        "$ agentos approve p",
        "guests/programs/ordinary.py",
        '"files.write" = { path = ["build/lines.csv"] }',
        "weather (hostile.py) wants",
        "✗ call 1 refused: files.",
        "used more than its CPU limit",
        "ran out of memory",
        "the kernel is stopped",
        ".venv/bin/agentos run guests/programs/report.py",
    ):
        assert told in done.stdout, told
    assert "Traceback" not in done.stdout
    assert not list(Path("/tmp").glob("agentos-demo-*"))
