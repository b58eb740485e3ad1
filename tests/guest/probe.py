"""A probe: a few lines of an ordinary program, and all that may come of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ANY: Any = object()


@dataclass(frozen=True)
class Probe:
    """What a snippet does. `calls` are the actions it makes, in order: no other is made, refused or not."""

    source: str
    result: Any = ANY
    calls: str = ""
    status: str = "done"
    says: str = ""
    """Part of the error's line, with its hint."""
    output: str = ANY
    typed: tuple[str, ...] = ()


def works(source: str, result: Any = True, calls: str = "", **more: Any) -> Probe:
    """It ends well. A source of one expression is its own result."""
    if "\n" not in source and "result" not in source:
        source = f"result = {source}"
    return Probe(source, result, calls, **more)


def refused(source: str, says: str, calls: str = "") -> Probe:
    """It ends with a refusal that nobody caught."""
    return Probe(source, None, calls, "refused", says)


def fails(source: str, says: str, calls: str = "", **more: Any) -> Probe:
    """It ends with an exception that nobody caught."""
    return Probe(source, None, calls, "failed", says, **more)
