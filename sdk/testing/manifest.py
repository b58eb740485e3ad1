"""The grants that a program's own block asks for. The kernel reads a manifest strictly; this takes it as it is."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from agentos.sdk.testing.rules import Grant

BLOCK = re.compile(r"(?m)^# /// script$\s(?P<content>(^#(| .*)$\s)+)^# ///$")


def asked_by(source: str) -> tuple[list[Grant], list[Grant]]:
    """What a script asks for: what is granted with its manifest, and what it wants asked each time."""
    asked = list(lines(_table(source).get("grants", {})))
    return [grant for grant, always in asked if not always], [grant for grant, always in asked if always]


def named(source: str) -> str:
    """The name that a script gives itself; empty if it gives none."""
    return str(_table(source).get("name", ""))


def has_block(source: str) -> bool:
    """Whether a script has a manifest, which is the ceiling of what it may ask."""
    return bool(_table(source))


def _table(source: str) -> dict[str, Any]:
    block = BLOCK.search(source)
    if block is None:
        return {}
    text = "".join(line[2:] or "\n" for line in block["content"].splitlines(keepends=True))
    table: dict[str, Any] = tomllib.loads(text).get("tool", {}).get("agentos", {})
    return table


def lines(grants: dict[str, Any], before: str = "") -> Iterator[tuple[Grant, bool]]:
    """Each line of a table of grants, and whether it wants to be asked each time."""
    for name, value in grants.items():
        if not before and "." not in name:  # the bare spelling: files.read = {…}
            yield from lines(value, f"{name}.")
            continue
        for bounds in value if isinstance(value, list) else [value]:
            always = bounds.get("ask") == "always"
            yield Grant(before + name, **{key: each for key, each in bounds.items() if key != "ask"}), always
