"""What a program may ask, as nouns: its lines, its limits, and the manifest they make up."""

from __future__ import annotations

import msgspec

Bounds = tuple[tuple[str, tuple[str, ...]], ...]


class Limits(msgspec.Struct, frozen=True):
    """The limits of one run."""

    memory_bytes: int = 256 << 20
    cpu_ms: int = 30_000
    wall_ms: int = 600_000
    calls: int = 10_000
    output_bytes: int = 1 << 20


class ManifestLine(msgspec.Struct, frozen=True):
    """One thing a program wants. Bounds are canonical and sorted; `written` has them as the author did."""

    action: str
    bounds: Bounds
    ask_always: bool
    where: str
    written: str


class Manifest(msgspec.Struct, frozen=True):
    """All that a program may ask. Not `present`: a script without one, which has no ceiling and asks for each thing."""

    name: str
    lines: tuple[ManifestLine, ...]
    limits: Limits
    present: bool
    file: str
    # What starts it, each entry as JSON (`trigger.py`): no call depends on it.
    on: tuple[str, ...] = ()
