"""What stands under the standard library in the guest: each way to the outside is a call of the kernel, or an error."""

from __future__ import annotations

from agentos.guests.python.shims import (
    audits,
    chance,
    clock,
    console,
    database,
    dates,
    descriptors,
    imports,
    library,
    locks,
    loop,
    memory,
    opening,
    outside,
    posix,
    replace,
    trace,
    tree,
    web,
    zones,
)

PARTS = (
    zones, clock, dates, chance, console, opening, posix, tree, locks, loop, outside, web, database, trace, library,
    audits, imports,
)  # fmt: skip


def install() -> None:
    """Put all of them in place. After this nothing can be imported that was not."""
    zones.load()
    for part in PARTS:
        part.install()
    replace.everywhere()


def fresh() -> None:
    """The state of a run that has not begun: no open file, no seed, no time zone, an empty temporary folder.

    It is put in place while the guest is built, after whatever ran there, and each instance runs one program.
    """
    for part in (clock, chance, memory, console, descriptors, outside):
        part.begin()
