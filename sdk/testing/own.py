"""The kernel's own small calls, so that every test sees the same: a clock that stands still, bytes from a seed."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agentos.sdk.errors import Invalid, LimitExceeded
from agentos.v1 import own_pb2 as pb

Bounds = Mapping[str, Sequence[str]]

DAY_MS = 24 * 60 * 60 * 1000
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}(\.[a-z0-9_]{1,40}){0,3}")
MOST_DATA = 1 << 20


class Clock:
    """Moves only while the program sleeps, and then at once."""

    def __init__(self, unix_ms: int) -> None:
        self.began = self.unix_ms = unix_ms

    def now(self, request: pb.ClockNowRequest, bounds: Bounds) -> pb.ClockNowResponse:
        since = self.unix_ms - self.began
        return pb.ClockNowResponse(unix_ms=self.unix_ms, monotonic_ms=since, zone="UTC")

    def sleep(self, request: pb.ClockSleepRequest, bounds: Bounds) -> pb.ClockSleepResponse:
        if not 0 <= request.ms <= DAY_MS:
            raise Invalid("sleep from 0 to a day")
        self.unix_ms += request.ms
        return pb.ClockSleepResponse()


class Random:
    def __init__(self, seed: int) -> None:
        self._source = random.Random(seed)  # noqa: S311  (a test wants the same bytes each time)

    def bytes(self, request: pb.RandomBytesRequest, bounds: Bounds) -> pb.RandomBytesResponse:
        if not 1 <= request.count <= 65536:
            raise Invalid("draw from 1 to 65536 bytes")
        return pb.RandomBytesResponse(data=self._source.randbytes(request.count))


class Events:
    """Keeps what a program sends, in order: names and data."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []

    def send(self, request: pb.EventSendRequest, bounds: Bounds) -> pb.EventSendResponse:
        if not NAME.fullmatch(request.name):
            raise Invalid("this cannot be the name of an event", "small letters, digits, _ and dots: invoice.arrived")
        if len(request.data.encode()) > MOST_DATA:
            raise LimitExceeded("the event is larger than 1 MiB", "write it to a file, and send its name", "too_large")
        self.sent.append((request.name, json.loads(request.data or "null")))
        return pb.EventSendResponse(id=f"r1:{len(self.sent)}")


class Console:
    """Types the lines it was given, then is at its end."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)

    def read_line(self, request: pb.ConsoleReadLineRequest, bounds: Bounds) -> pb.ConsoleReadLineResponse:
        line = next(self._lines, None)
        return pb.ConsoleReadLineResponse(text=line or "", end=line is None)
