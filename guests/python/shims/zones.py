"""The time zones of the world, held in memory: the guest has no zone files to look into."""

from __future__ import annotations

import importlib.resources
import io
import zoneinfo
from typing import Any
from zoneinfo import _common, _tzpath  # type: ignore[attr-defined]

_zones: dict[str, bytes] = {}


def load() -> None:
    """Read every zone of the tzdata package, while the guest is built and can still read files."""
    folder = importlib.resources.files("tzdata")
    for name in (folder / "zones").read_text().split():
        whole = folder / "zoneinfo"
        for part in name.split("/"):
            whole = whole / part
        _zones[name] = whole.read_bytes()


def _load(key: str) -> Any:
    if key not in _zones:
        raise zoneinfo.ZoneInfoNotFoundError(f"No time zone found with key {key}")
    return io.BytesIO(_zones[key])


def install() -> None:
    zoneinfo.reset_tzpath(to=())
    _common.load_tzdata = _load
    zoneinfo.available_timezones = _tzpath.available_timezones = lambda: set(_zones)
