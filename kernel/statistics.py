"""Statistics: what each part of the kernel has counted, gathered when somebody asks.

A part counts for itself, and says so with `statistics()`; nothing is counted twice or kept over time. Rates are made by
whoever asks twice. Calls are counted here, from the records as they are made: a call that is answered from the record
of an earlier attempt is none. How long they took is kept as a histogram whose steps grow with the time, four to each
doubling: a quantile is within a fifth of the true one, costs an addition to keep, and no memory.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from agentos.home.happenings import Delivered, Happened
from agentos.home.history import PromptAnswered, Record, RunBegan, RunEnded
from agentos.home.records import CallMade, CallSettled
from agentos.v1 import control_pb2, statistics_pb2_grpc
from agentos.v1 import statistics_pb2 as pb

if TYPE_CHECKING:
    from agentos.kernel.serve import Kernel
    from agentos.v1.statistics_pb2_grpc import _ServicerContext as Context

STEPS = 4 * 48  # up to 2^49 µs: years
QUANTILES = (("p50_us", 0.5), ("p90_us", 0.9), ("p99_us", 0.99))


# Records that are counted as they are made, and as what.
COUNTED = {
    RunBegan: "began", RunEnded: "ended", Happened: "taken", Delivered: "given", PromptAnswered: "answered",
}  # fmt: skip


class Counted:
    """Records by what they say, and how long the calls took that were carried out."""

    def __init__(self) -> None:
        self._of, self._took = Counter[str](), [0] * STEPS

    def note(self, record: Record) -> None:
        if isinstance(record, CallMade):
            self._of["made"] += 1
            self._of["refused"] += record.decision == control_pb2.CALL_DECISION_REFUSED
        elif isinstance(record, CallSettled):
            self._of["failed" if record.fault else "done"] += 1
            self._took[step(record.took_us)] += 1
        elif name := COUNTED.get(type(record)):
            self._of[name] += 1

    def some(self, *names: str) -> dict[str, int]:
        return {name: self._of[name] for name in names}

    def calls(self) -> dict[str, int]:
        took = {name: quantile(self._took, part) for name, part in QUANTILES}
        return self.some("made", "refused", "done", "failed") | took


def step(took_us: int) -> int:
    """Which step of the histogram a time belongs to."""
    if took_us < 4:
        return max(took_us, 0)
    power = took_us.bit_length() - 3
    return min(4 * power + (took_us >> power), STEPS - 1)


def quantile(counts: Sequence[int], part: float) -> int:
    """The middle of the step below which this part of all lies; 0 where there are none."""
    left = part * sum(counts)
    for at, count in enumerate(counts):
        left -= count
        if count and left <= 0:
            power = at // 4 - 1
            return at if at < 4 else ((at - 4 * power) << power) + ((1 << power) >> 1)
    return 0


class Statistics(statistics_pb2_grpc.StatisticsServiceServicer):
    """The service of statistics of this kernel."""

    def __init__(self, kernel: Kernel, log: Callable[[], dict[str, int]]) -> None:
        self._kernel = kernel
        self._log = log
        self._counted = Counted()
        kernel.ledger.listeners.append(self._counted.note)

    async def Sample(self, request: pb.SampleRequest, context: Context) -> pb.SampleResponse:
        kernel = self._kernel
        sample = pb.SampleResponse(at_ms=time.time_ns() // 1_000_000, started_ms=kernel.started_ms)
        for part, counts in self._parts().items():
            sample.parts[part].counts.update(counts)
        for name, counts in kernel.servers.statistics().items():
            sample.parts[f"server {name}"].counts.update(counts)
        return sample

    def _parts(self) -> dict[str, dict[str, int]]:
        runs, ledger = self._kernel.runs, self._kernel.ledger
        active = len(runs.active)
        unknown = sum(map(len, ledger.unknown.values()))
        there = {"active": active, "waiting": len(ledger.open) - active, "unknown": unknown}
        return {
            "calls": self._counted.calls(), "cells": self._kernel.loader.statistics(),
            "journal": ledger.journal.statistics() | {"bytes": ledger.journal.size()}, "log": self._log(),
            "process": {"cpu_us": time.process_time_ns() // 1000},
            "prompts": {"open": len(self._kernel.desk.open)} | self._counted.some("answered"),
            "queue": ledger.queue.statistics() | self._counted.some("taken", "given"),
            "runs": there | self._counted.some("began", "ended"), "watching": self._kernel.watching.statistics(),
        }  # fmt: skip
