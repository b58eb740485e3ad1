"""Which objects last: all that are there when the component is built, and so in the image of every cell.

CPython counts references in the object itself: whoever only looks at a function writes to it, and a cell pays for each
page that it is the first to write to. A count beyond a certain number is left alone: the object is immortal. All of
these live as long as their cell anyway, so `snapshot.py` gives each such a count, in the component that was built. Here
they are only found and written down: a list of objects *is* a list of addresses.
"""

from __future__ import annotations

import gc
from types import CodeType

MARK = b"agentos lasting:"
MEMORY, ALIGNED = 64 * 1024 * 1024, 8

_all: list[object] = []
where = b""


def note() -> None:
    """List all objects that can be reached, and leave word in memory of where the list and None are."""
    global where
    gc.collect()
    seen = _Seen()
    for passing in (_all, seen, seen.bits):
        seen.first(passing)
    waiting = list(filter(seen.first, [*gc.get_objects(), *map(vars, _kinds())]))
    while waiting:
        each = waiting.pop()
        _all.append(each)
        waiting += filter(seen.first, gc.get_referents(each))
        if type(each) is CodeType:
            waiting += filter(seen.first, _parts(each))
    del seen, waiting
    where = MARK + b"".join(number.to_bytes(4, "little") for number in (id(_all), len(_all), id(None)))
    gc.collect()
    gc.freeze()


class _Seen:
    """Which objects were met: a bit for each place, since a set of them all would leave a great hole in the heap."""

    __slots__ = ("bits",)

    def __init__(self) -> None:
        self.bits = bytearray(MEMORY // 8 // ALIGNED)

    def first(self, each: object) -> bool:
        """Whether this one is met for the first time."""
        place, bit = divmod(id(each) // ALIGNED, 8)
        new = not self.bits[place] >> bit & 1
        self.bits[place] |= 1 << bit
        return new


def _kinds() -> list[type]:
    """Every class: what those of C hold is not in the reach of the collector."""
    found: list[type] = [object]
    for kind in found:
        found += type.__subclasses__(kind)
    return found


def _parts(code: CodeType) -> list[object]:
    """What a code object holds, which the collector does not know either."""
    return [
        code.co_consts, code.co_names, code.co_filename, code.co_name, code.co_qualname, code.co_linetable,
        code.co_exceptiontable, *code.co_varnames, *code.co_cellvars, *code.co_freevars,
    ]  # fmt: skip
