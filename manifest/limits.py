"""How much a run may use: safe defaults, what a manifest may ask for, and how it writes that."""

from __future__ import annotations

import re

import msgspec

from agentos.manifest.lines import Limits
from agentos.manifest.toml import Document, shown
from agentos.v1.names import BadName
from agentos.v1.patterns import amount

DAY_MS = 24 * 60 * 60 * 1000
_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


class _Range(msgspec.Struct, frozen=True):
    """One key of `limits`: the field it sets, in which unit it is written, and the least and the most it may be."""

    field: str
    unit: str
    least: int
    most: int


# The least memory is what the Python guest needs to begin; processor time is limited in whole seconds.
RANGES = {
    "memory": _Range("memory_bytes", "bytes", 64 << 20, 2 << 30),
    "cpu": _Range("cpu_ms", "time", 1000, 600_000),
    "wall": _Range("wall_ms", "time", 100, DAY_MS),
    "calls": _Range("calls", "", 1, 1_000_000),
    "output": _Range("output_bytes", "bytes", 1 << 10, 12 << 20),
}
_EXAMPLE = 'limits = { memory = "128MiB", cpu = "5s", wall = "2m", calls = 1000, output = "1MiB" }'


def read(document: Document, table: dict[str, object], place: tuple[str, ...]) -> Limits:
    """The limits a manifest asks for; defaults where it says nothing. Raises ManifestError."""
    asked: dict[str, int] = {}
    for key, value in table.items():
        here = (*place, key)
        if key not in RANGES:
            raise document.wrong(here, f"there is no limit {shown(key)}", "limits are " + ", ".join(RANGES))
        limit = RANGES[key]
        count = _count(value, limit)
        if count is None:
            raise document.wrong(here, f"{key} cannot be that", f"write {_EXAMPLE}")
        if not limit.least <= count <= limit.most:
            few, many = written(limit.least, limit.unit), written(limit.most, limit.unit)
            raise document.wrong(here, f"{key} is out of range", f"{key} may be {few} to {many}")
        asked[limit.field] = count
    if asked.get("cpu_ms", 0) % 1000:
        raise document.wrong((*place, "cpu"), "cpu is counted in whole seconds", f"write {_EXAMPLE}")
    return msgspec.convert(asked, Limits)


def _count(value: object, limit: _Range) -> int | None:
    if limit.unit == "time":
        return _time_ms(value) if isinstance(value, str) else None
    try:
        return amount(str(value))  # of nothing but a number or a text does this make an amount
    except BadName:
        return None


def _time_ms(text: str) -> int | None:
    found = re.fullmatch(r"([0-9]{1,9}) ?(ms|s|m|h)", text)
    return int(found[1]) * _UNITS_MS[found[2]] if found else None


def written(count: int, unit: str) -> str:
    """A count as a manifest writes it, in the largest unit that fits evenly."""
    units = {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10} if unit == "bytes" else {}
    units = {name: _UNITS_MS[name] for name in ("h", "m", "s", "ms")} if unit == "time" else units
    return next((f"{count // size}{name}" for name, size in units.items() if count % size == 0), str(count))


def block(limits: Limits) -> str:
    """The line that asks for these limits; empty where they are the defaults."""
    default = Limits()
    parts = []
    for key, limit in RANGES.items():
        count: int = getattr(limits, limit.field)
        if count != getattr(default, limit.field):
            text = written(count, limit.unit)
            parts.append(f"{key} = {text}" if text.isdigit() else f'{key} = "{text}"')
    return f"limits = {{ {', '.join(parts)} }}" if parts else ""
