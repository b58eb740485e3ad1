"""Every random source: one call for 32 bytes, stretched in the guest, so that a recorded run draws the same again.

SHAKE-256 over the seed and a counter is the generator: who does not know the seed learns nothing from what was drawn.
The seed is asked for at the first draw, never before; a program that draws nothing makes no call.
"""

from __future__ import annotations

import _random
import hashlib
import random
from base64 import b64decode
from typing import Any

from agentos.guests.python.shims.failure import ask

_SEED = 32
_BLOCK = 1024

_seed = b""
_counter = 0
_left = b""
_shared: Any = random._inst  # type: ignore[attr-defined]
_seed_of = random.Random.seed


def begin() -> None:
    """Forget all randomness: the next draw asks for a new seed."""
    global _seed, _counter, _left
    _seed, _counter, _left = b"", 0, b""
    _shared.__dict__.update(_LAZY)
    _shared.gauss_next = None


def draw(count: int) -> bytes:
    """`count` random bytes."""
    global _counter, _left
    if count < 0:
        raise ValueError("negative argument not allowed")
    if not count:
        return b""
    while len(_left) < count:
        _left += _block(max(_BLOCK, count - len(_left)))
    drawn, _left = _left[:count], _left[count:]
    return drawn


def _block(size: int) -> bytes:
    global _seed, _counter
    if not _seed:
        _seed = b64decode(ask("random.bytes", count=_SEED)["data"])
    _counter += 1
    return hashlib.shake_256(_seed + _counter.to_bytes(8, "big")).digest(size)


def _seeded(self: Any, a: Any = None, version: int = 2) -> None:
    """`Random.seed`: without a value of the program's own, from the kernel."""
    _seed_of(self, int.from_bytes(draw(64), "big") if a is None else a, version)
    self.gauss_next = None


def _wake() -> None:
    """Let go of the lazy methods of the shared generator: from now on it is an ordinary one."""
    for name in _LAZY:
        _shared.__dict__.pop(name, None)


def _awake(name: str) -> Any:
    """A method of the shared generator that seeds it on its first use."""

    def first(*args: Any, **kwargs: Any) -> Any:
        if name in _shared.__dict__:
            _wake()
            if name not in ("seed", "setstate"):
                _shared.seed()
        return getattr(_shared, name)(*args, **kwargs)

    first.__name__ = name
    return first


_LAZY = {name: _awake(name) for name in ("random", "getrandbits", "getstate", "seed", "setstate")}


def install() -> None:
    random.Random.seed = _seeded  # type: ignore[method-assign]
    for name, method in _LAZY.items():
        setattr(random, name, method)
    _random.Random = random.Random
    begin()
