"""Calls one by one: an echo that is a capability, which knows when each call reached it.

A program has no clock that would do. From one call's arrival to the next one's is one whole round trip, though, so the
server's clock times each: reply, guest, frames, decision, record, server. It is the whole path, with nothing in it but
the path.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

from bench.person import Person

PROGRAM = Path(__file__).parent / "programs" / "echo.py"
ABOUT = "1 kB there and back, each call timed on its own: from its arrival at the capability to the next one's"
CAPABILITY = Path(__file__).resolve().parent / "capability"


async def prepare(person: Person, size: int) -> None:
    """Register the echo, grant the program its calls, start the server."""
    await person.add("echo", CAPABILITY)
    await each_us(person, 50, size)


async def each_us(person: Person, count: int, size: int) -> list[float]:
    await person.still()
    ran = await person.run(PROGRAM, {"count": count, "size": size}, grant=True)
    if not ran.done or not isinstance(ran.result, list) or len(ran.result) != count + 1:
        sys.exit(f"the echo failed: {ran.why}")
    moments = [int(each) for each in ran.result]
    return [(later - earlier) / 1e3 for earlier, later in pairwise(moments)]
