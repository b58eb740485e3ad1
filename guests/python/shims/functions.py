"""The table of what stands for `posix`, by name; each module of shims that has some adds its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

table: dict[str, Callable[..., Any]] = {}


def shim(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function stand for the one of `posix` that has its name."""
    table[function.__name__] = function
    return function


def only_paths(dir_fd: int | None) -> None:
    """There is no folder by number to start from."""
    if dir_fd is not None:
        raise NotImplementedError("dir_fd unavailable on this platform")
