"""What our own guest is asked, as it reads it: guests/python/app.py is the other side."""

from __future__ import annotations

import json
from base64 import b64decode


def to_compile(source: str, name: str) -> str:
    return json.dumps({"compile": {"source": source, "name": name}})


def letters(code: str) -> str:
    """The code object that a compilation gave in base64, each byte a letter."""
    return b64decode(code).decode("latin-1")


def to_run(told: str, code: str, source: bytes) -> str:
    """Run a program: what it is told as one line of JSON, then its code object and its source, each byte a letter."""
    return f'{{"run":{told},"code":{len(code)}}}\n{code}{source.decode("latin-1")}'
