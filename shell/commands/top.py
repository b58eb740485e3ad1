"""How much a kernel has to do, while it does it."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from typing import Annotated

from agentos.shell import gauges, render
from agentos.shell.connect import Kernel
from agentos.shell.failure import Failure
from agentos.shell.paint import emit
from agentos.shell.session import DEFAULTS, Common, Optional
from agentos.v1 import statistics_pb2 as pb

LEAST_S, MOST_S = 0.1, 3600.0
Pair = tuple[pb.SampleResponse, pb.SampleResponse | None]


def top(
    *, every: Annotated[float | None, Optional] = None, count: Annotated[int, Optional] = 0, common: Common = DEFAULTS
) -> int:
    """Show how much the kernel has to do: runs, cells, calls, events, and what is written to the disk.

    On a terminal it goes on until Ctrl-C; elsewhere, and with --json, it shows one
    sample, or with --every one after the other until it is stopped. What each
    number means: docs/statistics.md.

    Parameters
    ----------
    every
        Seconds from one sample to the next; 1 as it is without it.
    count
        So many samples, and no more.
    """
    pause = 1.0 if every is None else every
    if not LEAST_S <= pause <= MOST_S:
        raise Failure(f"--every takes {LEAST_S} to {MOST_S:.0f} seconds", "see: agentos top --help")
    if count < 0:
        raise Failure("--count takes 1 or more; without it there is no end", "see: agentos top --help")
    live = sys.stdout.isatty() and not common.json
    with common.kernel(start=False) as kernel, contextlib.suppress(KeyboardInterrupt):
        samples = _samples(kernel, pause, count or (1 if every is None and not live else 0))
        if live:
            _drawn(samples)
        for now, before in samples:
            if common.json:
                emit(json.dumps(gauges.fields(now, before)))
            else:
                emit("\n".join(gauges.lines(now, before)))
    return 0


def _samples(kernel: Kernel, every: float, count: int) -> Iterator[Pair]:
    """Samples, each with the one before; `count` of them, or without end."""
    before, due, left = None, time.monotonic(), count
    while True:
        now = kernel.call(kernel.statistics.Sample, pb.SampleRequest())
        yield now, before
        before, left, due = now, left - 1, max(due + every, time.monotonic())
        if left == 0:
            return
        time.sleep(max(due - time.monotonic(), 0))


def _drawn(samples: Iterator[Pair]) -> None:
    """One page that is drawn over; the last one stays."""
    from rich.live import Live
    from rich.text import Text

    with Live(console=render.console(), auto_refresh=False) as page:
        for now, before in samples:
            page.update(Text("\n".join(gauges.lines(now, before)), no_wrap=True, overflow="ellipsis"), refresh=True)
