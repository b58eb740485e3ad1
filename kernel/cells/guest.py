"""What our own guest is asked, as it reads it: guests/python/app.py is the other side."""

from __future__ import annotations

import json
import marshal
from base64 import b64decode

# What marshal writes before a tuple of two.
PAIR = ")\x02"
# It has no references yet, which would be counted together with those of the code object.
MARSHAL = 2


def to_compile(source: str, name: str) -> str:
    return json.dumps({"compile": {"source": source, "name": name}})


def letters(code: str) -> str:
    """The code object that a compilation gave in base64, each byte a letter."""
    return b64decode(code).decode("latin-1")


def to_run(told: dict[str, str | list[str]], code: str, source: bytes) -> str:
    """Run a program: what it is told and its code object, as Python marshals the two, then its source.

    Each byte is a letter, and a line before it says how many are marshalled. The guest reads a code object in any case;
    JSON would be another page or two of code that nobody has looked at for a while.
    """
    pair = PAIR + marshal.dumps(told, MARSHAL).decode("latin-1") + code
    return f"{len(pair)}\n{pair}{source.decode('latin-1')}"
