"""What was made lately and may be wanted again: results of pure functions, by what they were made of."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Lately(Generic[K, V]):
    """At most so many; the one that was not wanted for longest makes room."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        found = self._held.pop(key, None)
        if found is not None:
            self._held[key] = found  # the last in the order of use
        return found

    def put(self, key: K, value: V) -> V:
        self._held[key] = value
        if len(self._held) > self._most:
            del self._held[next(iter(self._held))]
        return value
