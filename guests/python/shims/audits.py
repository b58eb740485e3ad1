"""The last line before a stub: what C code does without asking a function that has a shim.

The interpreter tells an audit hook before it opens a file, whoever wants it: for a SyntaxError it would look for the
source on a disk, and `_sqlite3` opens databases. A program's own `open` does not come this way.
"""

from __future__ import annotations

import sys
from typing import Any

from agentos.guests.python.shims import database


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        raise OSError("files are opened by open()")
    if event == "sqlite3.connect":
        database.checked(arguments[0])


def install() -> None:
    sys.addaudithook(_heard)
