"""Processes are killed at random under runs with outside effects; an oracle outside counts. Long form: `make crash`.

Each time with a seed of its own, which is printed: `python -m bench.crash --seed N` makes the same choices.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bench.crash import storm

pytestmark = pytest.mark.slow


def test_whatever_is_killed_nothing_is_done_twice_and_nothing_is_lost(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    made = storm(tmp_path.resolve(), seed, kills=20, seconds=5.0)
    assert made.wrong == [], f"seed {seed}: {made.wrong}\n{(tmp_path / 'log').read_text()[-3000:]}"
    assert made.counts["done"] > 0
    print(f"seed {seed}: {dict(made.counts)}")
