"""The pages server with a library that does not come to an end, in whichever way the page says; its times are short."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time

from agentos.capabilities.pages import reading, server, turns
from agentos.capabilities.pages.reading import Page
from agentos.capabilities.server import serve

loops: list[asyncio.AbstractEventLoop] = []
turns.INTERRUPT_S, turns.GIVE_UP_S, turns.KILL_S = 0.2, 0.5, 0.9


def python() -> None:
    while True:
        pass


def stubborn() -> None:
    """Goes on whatever is raised in it."""
    while True:
        try:
            python()
        except BaseException:  # noqa: BLE001, S110
            pass


def c() -> None:
    """In C, letting others run."""
    hashlib.pbkdf2_hmac("sha256", b"x", b"y", 1 << 30)


def c_alone() -> None:
    """In C, letting nobody run."""
    re.match(r"(a+)+$", "a" * 64 + "b")


def memory() -> None:
    held = []
    try:
        while True:
            held.append(bytearray(1 << 20))
    except MemoryError:  # as the real reader says it
        held.clear()
        raise turns.too_large() from None


def refused_to_who_waits() -> None:
    """The loop itself is refused memory, where nobody waits for what it was at."""
    loops[0].call_soon_threadsafe(refuse)


def refused_to_the_turn() -> None:
    """The loop is refused memory while it waits for this page."""
    time.process_time = refuse
    python()


def refuse() -> float:
    raise MemoryError


def bug() -> None:
    raise RecursionError("/etc/passwd")


def read(html: bytes, url: str, named: str) -> Page:
    act = globals().get(html.decode())
    if act is not None:
        act()
    return Page(title=html.decode())


reading.read = read


class Slow(server.Pages):
    async def start(self) -> None:
        await super().start()
        loops.append(asyncio.get_running_loop())


if __name__ == "__main__":
    serve(Slow())
