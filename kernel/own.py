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
from agentos.v1 import error_pb2, own_pb2

DAY_MS = 86_400_000
MAX_RANDOM = 65_536

ReadLine = Callable[[str], Awaitable[str | None]]


class Failed(Exception):
    """A call that was admitted and did not succeed; `fault` is what the program is told.

    `released` says that the effect certainly did not happen, so the reserved use is given back.
    """

    def __init__(self, fault: Fault, released: bool = True) -> None:
        super().__init__(fault.reason)
        self.fault = fault
        self.released = released


class Powers(msgspec.Struct, frozen=True):
    """What the own calls need of the world: the time, entropy, a way to wait, and who is at the console."""

    unix_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    monotonic_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000
    entropy: Callable[[int], bytes] = os.urandom
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


async def serve(request: Message, powers: Powers, began_ms: int, read_line: ReadLine) -> Message:
    """The response to one of the kernel's own calls. Raises Failed."""
    if isinstance(request, own_pb2.ClockNowRequest):
        return _now(powers, began_ms)
    if isinstance(request, own_pb2.ClockSleepRequest):
        if not 0 <= request.ms <= DAY_MS:
            raise _invalid("a sleep is 0 ms to a day long")
        await powers.sleep(request.ms / 1000)
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
