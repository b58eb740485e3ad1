"""Modules of the standard library that look for files of the machine, or count its time, where no program asked."""

from __future__ import annotations

import builtins
import cProfile
import inspect
import mimetypes
import pdb  # noqa: T100  (to quieten it)
import sys
import uuid
from typing import Any, NoReturn

from agentos.guests.python.shims import trace
from agentos.guests.python.shims.console import no_debugger
from agentos.guests.python.shims.failure import refuse
from agentos.guests.python.shims.replace import instead

DEEPEST = 50_000


def _sourcefile(thing: Any) -> str | None:
    """`inspect.getsourcefile`: only the program's own source is at hand, and it is in memory."""
    name = inspect.getfile(thing)
    return name if trace.has(name) else None


_pdb = pdb.Pdb.__init__


def _debugger(self: Any, *args: Any, **kwargs: Any) -> None:
    """`doctest` makes one for nothing; its settings are not looked for."""
    _pdb(self, *args[:5], **{**kwargs, "readrc": False})


def _no_profile(*_: Any, **__: Any) -> NoReturn:
    raise RuntimeError("there is no clock in a cell that is fine enough to profile by: time what you want to compare")


def _no_other(*_: Any, **__: Any) -> NoReturn:
    refuse("a program reaches no other process")


_set_recursion_limit = sys.setrecursionlimit


def _recursion_limit(limit: Any, /) -> None:
    """As deep as the stack is sure to hold: Python knows only of a part of it, and a deeper program would break."""
    _set_recursion_limit(min(limit, DEEPEST) if isinstance(limit, int) else limit)


def _nothing(*_: Any, **__: Any) -> None:
    """What would be written to the machine's own output, or loaded from its disk."""


def install() -> None:
    mimetypes.knownfiles.clear()
    uuid._GETTERS[:] = []  # type: ignore[attr-defined]
    pdb.Pdb.__init__ = _debugger  # type: ignore[method-assign]
    for name in ("set_trace", "post_mortem", "pm", "run", "runeval", "runcall"):
        instead(pdb, name, no_debugger)
    cProfile.Profile.__init__ = _no_profile  # type: ignore[method-assign]
    inspect.getsourcefile = _sourcefile
    for name in ("license", "credits", "copyright"):
        vars(builtins)[name]._Printer__filenames = []
    instead(sys, "remote_exec", _no_other)
    instead(sys, "setrecursionlimit", _recursion_limit)
    for name in ("_baserepl", "_debugmallocstats", "_dump_tracelets", "activate_stack_trampoline"):
        instead(sys, name, _nothing)
