"""The pictures show what one sees: each scene is played again, and compared but for times and digests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The script itself, but for the guest, which was compiled before.
PLAYED = """
import sys
sys.path.insert(0, "docs/shown")
import pictures, played
from tests import compiled
played.Person.made = lambda self, home: compiled.keep_in(home)
sys.exit(pictures.main())
"""


@pytest.mark.slow
def test_the_pictures_are_what_one_sees() -> None:
    made = [sys.executable, "-c", PLAYED, "--check"]
    done = subprocess.run(made, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
