"""The peer of a durable write: the same steps, straight to the disk, with nobody asked and nothing recorded."""

from __future__ import annotations

import os
import time
from pathlib import Path


def each_us(folder: Path, count: int, size: int) -> float:
    """The mean of so many whole-file writes: a new file, synced, renamed over the old one, the folder synced."""
    content = bytes(size)
    began = time.perf_counter_ns()
    for _ in range(count):
        _replace(folder, content)
    return (time.perf_counter_ns() - began) / count / 1e3


def _replace(folder: Path, content: bytes) -> None:
    new = folder / ".new"
    descriptor = os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    os.write(descriptor, content)
    os.fsync(descriptor)
    os.close(descriptor)
    new.replace(folder / "kept")
    place = os.open(folder, os.O_RDONLY)
    os.fsync(place)
    os.close(place)
