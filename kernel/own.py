"""The kernel's own small calls: clock, random, console. They need no grant and no process, only limits."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import msgspec
from google.protobuf.message import Message

from agentos.home.records import Fault
from agentos.kernel.call import Failed
from agentos.v1 import error_pb2, own_pb2

YEAR_MS = 366 * 86_400_000
MAX_RANDOM = 65_536
A_MOMENT_MS = 2_000
# When a run comes back that waits for the person, or for a child.
FAR_MS, JOIN_MS = 1 << 60, 1 << 59

ReadLine = Callable[[str], Awaitable[str | None]]


class Powers(msgspec.Struct, frozen=True):
    """What the own calls need of the world: the time, entropy, a way to wait, and who is at the console."""

    unix_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    monotonic_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000
    entropy: Callable[[int], bytes] = os.urandom
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Parted(Exception):
    """A run that waits for longer than a moment: it leaves memory, and comes back at this time (unix ms).

    With `asks` it waits for an answer, and a kernel that starts anew has to ask again.
    """

    def __init__(self, until_ms: int, asks: bool = False) -> None:
        super().__init__()
        self.until_ms, self.asks = until_ms, asks


async def serve(
    request: Message, powers: Powers, began_ms: int, read_line: ReadLine, asked_ms: int, part: bool
) -> Message:
    """The response to one of the kernel's own calls, recorded at `asked_ms`. Raises Failed.

    With `part`, a wait of more than a moment raises Parted instead of being waited for.
    """
    if isinstance(request, own_pb2.ClockNowRequest):
        return _now(powers, began_ms)
    if isinstance(request, own_pb2.ClockSleepRequest):
        if not 0 <= request.ms <= YEAR_MS:
            raise _invalid("a sleep is 0 ms to 366 days long")
        left_ms = asked_ms + request.ms - powers.unix_ms()
        if part and left_ms > A_MOMENT_MS:
            raise Parted(asked_ms + request.ms)
        await powers.sleep(max(left_ms, 0) / 1000)
        return own_pb2.ClockSleepResponse()
    if isinstance(request, own_pb2.RandomBytesRequest):
        if not 1 <= request.count <= MAX_RANDOM:
            raise _invalid(f"1 to {MAX_RANDOM} random bytes at a time")
        return own_pb2.RandomBytesResponse(data=powers.entropy(request.count))
    if isinstance(request, own_pb2.ConsoleReadLineRequest):
        text = await read_line(request.prompt)
        return own_pb2.ConsoleReadLineResponse(text=text or "", end=text is None)
    raise _invalid("the kernel does not serve this itself")


def _now(powers: Powers, began_ms: int) -> Message:
    unix_ms = powers.unix_ms()
    local = datetime.fromtimestamp(unix_ms / 1000).astimezone()
    since_ms, offset_s = powers.monotonic_ms() - began_ms, int((local.utcoffset() or timedelta()).total_seconds())
    zone = local.tzname() or ""
    return own_pb2.ClockNowResponse(unix_ms=unix_ms, monotonic_ms=since_ms, zone=zone, offset_s=offset_s)


def _invalid(reason: str) -> Failed:
    return Failed(Fault(error_pb2.CODE_INVALID, reason))
