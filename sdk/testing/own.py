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

YEAR_MS = 366 * 24 * 60 * 60 * 1000
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}(\.[a-z0-9_]{1,40}){0,3}")
MOST_DATA = 1 << 20
MOST_FIELDS, MOST_WHERE = 16, 4096


class Clock:
    """Moves only while the program sleeps, and then at once."""

    def __init__(self, unix_ms: int) -> None:
        self.began = self.unix_ms = unix_ms

    def now(self, request: pb.ClockNowRequest, bounds: Bounds) -> pb.ClockNowResponse:
        since = self.unix_ms - self.began
        return pb.ClockNowResponse(unix_ms=self.unix_ms, monotonic_ms=since, zone="UTC")

    def sleep(self, request: pb.ClockSleepRequest, bounds: Bounds) -> pb.ClockSleepResponse:
        if not 0 <= request.ms <= YEAR_MS:
            raise Invalid("a sleep is 0 ms to 366 days long")
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
    """Keeps what a program sends, in order: names and data. What it waits for is among that, or comes from outside."""

    def __init__(self, clock: Clock, coming: Iterable[tuple[str, Any]]) -> None:
        self.sent: list[tuple[str, Any]] = []
        self._clock = clock
        self._came = [(name, data, f"e{number}") for number, (name, data) in enumerate(coming, 1)]

    def send(self, request: pb.EventSendRequest, bounds: Bounds) -> pb.EventSendResponse:
        if not NAME.fullmatch(request.name):
            raise Invalid("this cannot be the name of an event", "small letters, digits, _ and dots: invoice.arrived")
        if len(request.data.encode()) > MOST_DATA:
            raise LimitExceeded("the event is larger than 1 MiB", "write it to a file, and send its name", "too_large")
        self.sent.append((request.name, json.loads(request.data or "null")))
        self._came.append((*self.sent[-1], f"r1:{len(self.sent)}"))
        return pb.EventSendResponse(id=f"r1:{len(self.sent)}")

    def wait_for(self, request: pb.EventWaitForRequest, bounds: Bounds) -> pb.EventWaitForResponse:
        """The first that fits; where nothing does, the time passes at once."""
        wanted = _wanted(request.where)
        timeout_ms = request.timeout_ms or YEAR_MS
        if not 1 <= timeout_ms <= YEAR_MS:
            raise Invalid("an event has a name like report.ready, and is waited for from 1 ms to 366 days")
        for name, data, id_ in self._came:
            if name == request.name and _has(data, wanted):
                self._came.remove((name, data, id_))
                at_ms = self._clock.unix_ms
                return pb.EventWaitForResponse(came=True, id=id_, at_ms=at_ms, data=json.dumps(data))
        self._clock.sleep(pb.ClockSleepRequest(ms=timeout_ms), bounds)
        return pb.EventWaitForResponse()


def _wanted(where: str) -> dict[str, Any]:
    """The fields that an event must have."""
    try:
        found = json.loads(where or "{}") if len(where.encode()) <= MOST_WHERE else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or len(found) > MOST_FIELDS:
        raise Invalid(f"what an event must have is an object of at most {MOST_FIELDS} fields and {MOST_WHERE} bytes")
    return found


def _has(data: Any, wanted: dict[str, Any]) -> bool:
    return not wanted or (
        isinstance(data, dict)
        and all(type(data.get(name)) is type(value) and data[name] == value for name, value in wanted.items())
    )


class Console:
    """Types the lines it was given, then is at its end."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)

    def read_line(self, request: pb.ConsoleReadLineRequest, bounds: Bounds) -> pb.ConsoleReadLineResponse:
        line = next(self._lines, None)
        return pb.ConsoleReadLineResponse(text=line or "", end=line is None)
