"""How far something has come, on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from agentos.shell.paint import width_of

LONG = 30


@contextmanager
def bar(verb: str) -> Iterator[Callable[[int, int], None]]:
    """Gone when it is done. What it gives is told how much is done, and of how much; nothing shows off a terminal."""
    shown = width_of(sys.stderr) > 0

    def draw(done: int, of: int) -> None:
        full = done * LONG // max(of, 1)
        if shown:
            sys.stderr.write(f"\r  {verb} {'█' * full}{'░' * (LONG - full)} {done * 100 // max(of, 1)} %")
            sys.stderr.flush()

    try:
        yield draw
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
