"""Frames between the kernel and a cell: pure, bounded, and hostile until shown otherwise.

A frame is 4 bytes big-endian length of what follows, one byte kind, and a body of at most 8 MiB. From a cell come

* `W` (it waits for its run, no body), once and first,
* `I` (an invoke request), which must be answered before it says anything else,
* `E` (the end: a header line, then the run's reply) or `T` (a trap, as JSON), once and last.

To a cell go `S` (its start: the limits, packed, then the program), once, on which it loads the program; `K` (what this
run is to know), once, and maybe hours later, since a cell may hold a program that is expected to run; `G` (go), once,
before which nothing of the program is executed; and `R` (a reply). A cell speaks only when it is its turn, so bytes
beyond the frame that is due are already a breach: a second result, a request within a request. Any breach is a
BadFrame, and costs the cell its life.
"""

from __future__ import annotations

import struct
from typing import Final

MAX_BODY: Final = 8 << 20
HEAD_BYTES: Final = 5
# What a zygote says of a cell that ended: x, pid, wait status, user and system CPU (µs), peak memory (KiB).
EXITED: Final = struct.Struct(">cIIQQI")
# At the head of a start: the guest's memory in bytes, the cell's CPU in seconds.
LIMITS: Final = struct.Struct(">QI")


class BadFrame(ValueError):
    """The peer sent what no honest peer sends: end it."""


def pack(kind: bytes, body: bytes) -> bytes:
    """One frame. Raises BadFrame for a body that is too large to send."""
    if len(body) > MAX_BODY:
        raise BadFrame("too large")
    return (len(body) + 1).to_bytes(4, "big") + kind + body


def header(head: bytes | bytearray, kinds: bytes) -> int:
    """The body's length, from a frame's first five bytes."""
    length = int.from_bytes(head[:4], "big")
    if not 1 <= length <= MAX_BODY + 1 or head[4] not in kinds:
        raise BadFrame("no such frame")
    return length - 1


class Conversation:
    """The kernel's ear: bytes in, at most one frame out, then nothing until it is the cell's turn again.

    It holds no more than one frame. `due` is the kinds that may come now; the caller sets it by `expect`.
    """

    def __init__(self) -> None:
        self._due = b"W"
        self._held = bytearray()

    def expect(self, kinds: bytes) -> None:
        """It is the cell's turn: these kinds of frame may come."""
        self._due = kinds

    def feed(self, portion: bytes) -> tuple[bytes, bytes] | None:
        """The frame that is whole now, if it is. Raises BadFrame as soon as anything else is certain."""
        self._held += portion
        if len(self._held) < HEAD_BYTES:
            return None
        length = header(self._held, self._due)
        if len(self._held) < HEAD_BYTES + length:
            return None
        if len(self._held) > HEAD_BYTES + length:
            raise BadFrame("more than was due")
        kind, body = bytes(self._held[4:HEAD_BYTES]), bytes(memoryview(self._held)[HEAD_BYTES:])
        self._held = bytearray()
        self._due = b""
        return kind, body
