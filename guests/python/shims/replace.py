"""Put a shim wherever the original is referred to, so that `from os import urandom` of another module is covered too.

A module of the standard library that was imported before the shims keeps its own references: in its globals, in its
classes, in the defaults of its functions. They are found by identity, in one walk over all objects, at build time.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

_pairs: dict[int, tuple[object, object]] = {}


def instead(module: ModuleType, name: str, new: object) -> None:
    """From `everywhere` on, `new` stands for what `module.name` was; a name that is not there is simply added."""
    old = module.__dict__.get(name)
    if isinstance(old, Callable) and old is not new:  # type: ignore[arg-type]
        _pairs[id(old)] = (old, new)
    if callable(new) and not isinstance(new, type):
        _dress(new, module.__name__, name)
    setattr(module, name, new)


def _dress(function: Any, module: str, name: str) -> None:
    """Let a shim go by the name of what it stands for, in `repr` and in messages."""
    try:
        function.__name__ = function.__qualname__ = name
        function.__module__ = module
    except AttributeError:
        pass


def everywhere() -> None:
    """Replace each remaining reference to an original."""
    for holder in gc.get_objects():
        if isinstance(holder, ModuleType) and not holder.__name__.startswith("agentos."):
            _sweep(holder.__dict__, holder.__dict__.__setitem__)
        elif isinstance(holder, type) and holder.__flags__ & 1 << 9:  # a heap type: the others cannot be changed
            _sweep(dict(holder.__dict__), lambda name, new, holder=holder: _set(holder, name, new))
        elif isinstance(holder, FunctionType) and not (holder.__module__ or "").startswith("agentos."):
            _sweep_defaults(holder)
    _pairs.clear()


def _sweep(names: dict[str, Any], put: Callable[[str, object], None]) -> None:
    for name, value in list(names.items()):
        plain = value.__func__ if isinstance(value, staticmethod) else value
        pair = _pairs.get(id(plain))
        if pair is not None and pair[0] is plain:
            put(name, pair[1])


def _set(holder: type, name: str, new: Any) -> None:
    """As a class attribute: a function of C is no method there (`converter = time.localtime`), so ours may not be."""
    if not holder.__module__.startswith("agentos."):
        try:
            setattr(holder, name, new if isinstance(new, type) else staticmethod(new))
        except TypeError:  # an immutable type of an extension module
            pass


def _sweep_defaults(function: FunctionType) -> None:
    defaults = function.__defaults__
    if defaults and any(id(value) in _pairs for value in defaults):
        function.__defaults__ = tuple(_pairs.get(id(value), (None, value))[1] for value in defaults)
    if function.__kwdefaults__:
        _sweep(function.__kwdefaults__, function.__kwdefaults__.__setitem__)
    for cell in function.__closure__ or ():
        try:
            pair = _pairs.get(id(cell.cell_contents))
        except ValueError:  # an empty cell
            continue
        if pair is not None:
            cell.cell_contents = pair[1]


def type_dict(kind: type) -> dict[str, Any]:
    """The real dictionary of a type written in C, whose attributes cannot be set the ordinary way."""
    return gc.get_referents(kind.__dict__)[0]  # type: ignore[no-any-return]
