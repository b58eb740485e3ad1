"""The kernel's end of a lane to a capability server: calls go out by number, answers come back in any order.

The server may be in anybody's hands. What it can cost is bounded: less than one frame is held of what it says; an
answer that nobody asked for, a second one and a frame that is none end it, and so do a thousand answers that it owes.
Where it does not read, calls are held back in front of the lane, and one that stays there was never made.

No call has a timer. While any is waited for, all are looked at a few dozen times a second: a deadline is a matter of
seconds, and a call of a tenth of a millisecond.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from agentos.v1 import lane

LOOKS_EVERY_S = 0.025
# What the system has not taken yet: beyond this nothing more is written.
MOST_UNREAD = 1 << 20
# Answers that came to nobody's turn: calls that were given up or whose time was up.
MOST_OWED = 1024


class Unsent(Exception):
    """The lane ended, or the call's time was up, before the call was sent."""


class Cut(Exception):
    """The lane ended between the call and its answer."""


class Lane(asyncio.Protocol):
    """`over` is called when it ended, for whatever reason; the server is of no more use then."""

    _line: asyncio.Transport

    def __init__(self, over: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = over
        self._frames = lane.Frames(*lane.ANSWERS)
        # By number, what was not answered, and until when that is waited for. One that is done: nobody waits any more.
        self._asked: dict[int, tuple[asyncio.Future[tuple[int, bytes]], float]] = {}
        self._room = asyncio.Event()
        self._room.set()
        self._looks = False
        self._ended = False

    async def ask(self, number: int, call: bytes, seconds: float) -> tuple[int, bytes]:
        """The kind and the body of the answer to a call. Raises Unsent, Cut, or TimeoutError after it was sent."""
        until = self._loop.time() + seconds
        if not self._room.is_set():
            await self._wait_for_room(until)
        if self._ended:
            raise Unsent
        answer: asyncio.Future[tuple[int, bytes]] = self._loop.create_future()
        self._asked[number] = answer, until
        self._line.write(call)
        if not self._looks:
            self._look()
        try:
            return await answer
        except asyncio.CancelledError:
            if number in self._asked:
                self._line.write(lane.given_up(number))
            raise

    def end(self) -> None:
        """End it now; what was asked is cut off."""
        if not self._ended:
            self._ended = True
            self._line.abort()
            self._room.set()
            for answer, _ in self._asked.values():
                if not answer.done():
                    answer.set_exception(Cut())
            self._asked.clear()
            self._over()

    async def _wait_for_room(self, until: float) -> None:
        try:
            async with asyncio.timeout_at(until):
                while not self._room.is_set():
                    await self._room.wait()
        except TimeoutError:
            raise Unsent from None

    def _look(self) -> None:
        """End the waiting of those whose time is up, and look again while there are others."""
        now, waited_for = self._loop.time(), 0
        for answer, until in self._asked.values():
            if not answer.done():
                if until <= now:
                    answer.set_exception(TimeoutError())
                else:
                    waited_for += 1
        if len(self._asked) - waited_for > MOST_OWED:
            self.end()
        self._looks = bool(waited_for)
        if self._looks:
            self._loop.call_later(LOOKS_EVERY_S, self._look)

    # ---- what the line says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._line = cast(asyncio.Transport, transport)  # uvloop's are, and do not say so
        self._line.set_write_buffer_limits(MOST_UNREAD)

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._frames.feed(data):
                number, kind, body = lane.read_answer(frame)
                asked = self._asked.pop(number, None)
                if asked is None:
                    raise lane.BadFrame("nobody asked")
                if not asked[0].done():
                    asked[0].set_result((kind, body))
        except lane.BadFrame:
            self.end()

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def eof_received(self) -> None:
        self.end()

    def connection_lost(self, exc: Exception | None) -> None:
        self.end()


async def open_lane(line: socket.socket, over: Callable[[], None]) -> Lane:
    """Speak over this end of a pair, which is the lane's from now on."""
    _, made = await asyncio.get_running_loop().create_unix_connection(lambda: Lane(over), sock=line)
    return made
