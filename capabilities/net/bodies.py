"""The body of an answer as pieces of a bounded size, at a bounded pace, up to a bounded end.

    the wire (64 KiB at a time) -> unpacked as far as somebody wants it -> searched for secrets -> pieces

Nothing is unpacked ahead: zlib is asked for no more than a piece still lacks, and keeps what it has not read. So a
bomb costs its own size and one piece. Only gzip and deflate are asked for, which zlib reads; another coding, or
several, are passed on as they came: each decoder is one more parser of what strangers send.

What ends a body early: the limit of its size and the limit of its time cut it (`cut`); a pause that is too long, a
connection that breaks and a packing that lies are failures.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Protocol

import httpcore2

from agentos.capabilities.net import faults, limits
from agentos.capabilities.net.scrub import Stream


class Unpacks(Protocol):
    """Takes what came on the wire and gives what it means, no more at once than is asked for."""

    def feed(self, raw: bytes) -> None: ...

    def take(self, most: int) -> bytes: ...

    def whole(self) -> bool:
        """Whether nothing is missing at its end."""
        ...

    def rest(self, most: int) -> bytes:
        """What was held back until its end, when nothing is missing."""
        ...


class Plain:
    def __init__(self) -> None:
        self._held = b""

    def feed(self, raw: bytes) -> None:
        self._held += raw

    def take(self, most: int) -> bytes:
        given, self._held = self._held[:most], self._held[most:]
        return given

    def whole(self) -> bool:
        return True

    def rest(self, most: int) -> bytes:
        return b""


class Packed:
    """gzip (several members too) or deflate (with the header of zlib, or without). Raises zlib.error, Bomb."""

    def __init__(self, coding: bytes) -> None:
        self._bits = 31 if coding == b"gzip" else 0
        self._zlib = zlib.decompressobj(self._bits) if self._bits else None
        self._held = b""
        self._read = self._made = 0

    def feed(self, raw: bytes) -> None:
        self._held += raw
        self._read += len(raw)

    def take(self, most: int) -> bytes:
        while self._held:
            if self._zlib is None:
                # RFC 1950: the low half of its first byte is 8; servers send what has no such header, too.
                self._zlib = zlib.decompressobj(15 if self._held[0] & 0x0F == 8 else -15)
            if self._zlib.eof:
                if self._bits != 31 or self._held[:1] != b"\x1f":
                    self._held = b""  # what stands behind the end
                    break
                self._zlib = zlib.decompressobj(31)
            given = self._zlib.decompress(self._held, most)
            self._held = self._zlib.unused_data if self._zlib.eof else self._zlib.unconsumed_tail
            self._made += len(given)
            if self._made > limits.RATIO_FROM and self._made > self._read * limits.RATIO:
                raise Bomb
            if given:
                return given
        return b""

    def whole(self) -> bool:
        return self._zlib is None or self._zlib.eof

    def rest(self, most: int) -> bytes:
        return b""


class Searched:
    """What another unpacks, with marks in place of secrets. What it holds back is lost where a body breaks off."""

    def __init__(self, unpacks: Unpacks, stream: Stream) -> None:
        self._unpacks, self._stream = unpacks, stream
        self._ready = b""
        self.feed, self.whole = unpacks.feed, unpacks.whole

    def take(self, most: int) -> bytes:
        while not self._ready and (taken := self._unpacks.take(limits.SEARCHED)):
            self._ready = self._stream.feed(taken)
        return self._given(most)

    def rest(self, most: int) -> bytes:
        self._ready += self._stream.end()
        return self._given(most)

    def _given(self, most: int) -> bytes:
        given, self._ready = self._ready[:most], self._ready[most:]
        return given


class Bomb(Exception):
    """It unpacks to far more than it is."""


class Body:
    """What is left of one body. `most` is its limit, `until` the time.monotonic() of its end, `patience` its longest
    pause."""

    def __init__(
        self, host: str, wire: AsyncIterator[bytes], unpacks: Unpacks, most: int, until: float, patience: float
    ) -> None:
        self._host, self._wire, self._unpacks = host, wire, unpacks
        self._left, self._until, self._patience = most, until, patience
        self._heard_at = time.monotonic()
        self._coming: asyncio.Future[bytes | None] | None = None
        self._wire_ended = False
        self.ended = False
        self.cut = False

    async def piece(self, size: int, within: float) -> bytes:
        """Up to `size` bytes; fewer where the body ends or pauses. Raises a Failure after a pause that is too long."""
        piece = bytearray()
        began = time.monotonic()
        while len(piece) < size and not self.ended:
            # One byte beyond the limit tells whether there was more.
            taken = self._take(min(size - len(piece), self._left + 1))
            if len(taken) > self._left:
                taken, self.cut, self.ended = taken[: self._left], True, True
            self._left -= len(taken)
            piece += taken
            if not taken and not self.ended and not await self._arrives(began, within, bool(piece)):
                break
        return bytes(piece)

    def _take(self, most: int) -> bytes:
        try:
            taken = self._unpacks.take(most)
            if not taken and self._wire_ended:
                if not self._unpacks.whole():
                    raise faults.reset(self._host)
                taken = self._unpacks.rest(most)
                self.ended = not taken
        except Bomb:
            raise faults.bomb(self._host) from None
        except zlib.error:
            raise faults.undecodable(self._host) from None
        return taken

    async def _arrives(self, began: float, within: float, some: bool) -> bool:
        """Wait for more on the wire; False where it is time to pass on what there is."""
        if self._wire_ended:
            return True
        now = time.monotonic()
        if now >= self._until:
            self.cut = self.ended = True
            return False
        if some and now - began >= within:
            return False
        pause = self._heard_at + self._patience - now
        waits = min(limits.GATHER_S if some else within - (now - began), pause, self._until - now)
        if self._coming is None:
            self._coming = asyncio.ensure_future(anext(self._wire, None))
        await asyncio.wait({self._coming}, timeout=max(waits, 0))
        if self._coming.done():
            self._heard(self._coming)
            return True
        if pause <= waits:
            raise faults.stalled(self._host)
        return time.monotonic() >= self._until

    def _heard(self, coming: asyncio.Future[bytes | None]) -> None:
        self._coming = None
        self._heard_at = time.monotonic()
        try:
            raw = coming.result()
        except (httpcore2.ProtocolError, httpcore2.NetworkError):
            raise faults.reset(self._host) from None
        self._wire_ended = raw is None
        self._unpacks.feed(raw or b"")

    async def close(self) -> None:
        self.ended = True
        if self._coming is not None:
            self._coming.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._coming
