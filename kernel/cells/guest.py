"""What our own guest is asked, as it reads it: guests/python/app.py is the other side."""

from __future__ import annotations

import json
import marshal
from base64 import b64decode


def to_compile(source: str, name: str) -> str:
    return json.dumps({"compile": {"source": source, "name": name}})


def letters(code: str) -> str:
    """The code object that a compilation gave in base64, each byte a letter."""
    return b64decode(code).decode("latin-1")


def to_load(code: str, source: bytes) -> str:
    """Load a program: how long its code object is, a line, the code object, its source. Each byte is a letter."""
    return f"{len(code)}\n{code}{source.decode('latin-1')}"


def to_tell(told: dict[str, str | list[str]]) -> str:
    """What is for one run of it, as Python marshals it, each byte a letter.

    The guest has read a code object just so; JSON would be another page or two of code that nobody has looked at for a
    while.
    """
    return marshal.dumps(told).decode("latin-1")
