"""What each of them understands: a line of JSON on standard input is an order, a line on standard output its answer.

    run    source         a fresh sandbox, the program, the sandbox away: {"ms"}
    first  source         the same, until a program that calls `mark` first has done so: {"ms"}
    calls  count, text    one sandbox, so many calls out of it, each timed on its own: {"us": [...]}
    grow   source, count  one sandbox, its main(count), then main(2 * count): {"ms"} of processor time that the second
                          took more, of all its processes
    hold                  one sandbox that has run something and stays: {}

What the peer cannot do it answers with {"error": why}. It times itself, so the pipe to it is in none of its figures.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

Order = Callable[[dict[str, object]], dict[str, object]]
WIDE = 200


def take(orders: dict[str, Order]) -> None:
    """Until the other side hangs up."""
    told = sys.stdout
    sys.stdout = sys.stderr  # what a program prints is no answer
    print("{}", file=told, flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        try:
            able = orders.get(order["do"])
            answer = able(order) if able else {"error": "it has no such thing"}
        except Exception as wrong:  # noqa: BLE001 (each sandbox has errors of its own; all are answers)
            answer = {"error": f"{type(wrong).__name__}: {' '.join(str(wrong).split())}"[-WIDE:]}
        print(json.dumps(answer), file=told, flush=True)


class Watch:
    ns = 0


@contextmanager
def watch() -> Iterator[Watch]:
    seen, began = Watch(), time.perf_counter_ns()
    yield seen
    seen.ns = time.perf_counter_ns() - began


def growth_ms(run: Callable[[str], object], order: dict[str, object]) -> dict[str, object]:
    """The answer to `grow`, of a sandbox that keeps what a program defined."""
    count = int(str(order["count"]))
    run(str(order["source"]))
    moments = [spent_ns()]
    for times in (count, 2 * count):
        run(f"main({times})")
        moments.append(spent_ns())
    once, twice = (later - earlier for earlier, later in pairwise(moments))
    return {"ms": (twice - once) / 1e6}


def spent_ns() -> int:
    """What this process, and those that it has started and that wait now, have spent on a core."""
    pids, spent = [os.getpid()], time.process_time_ns()
    for pid in pids:  # it grows meanwhile
        for thread in Path(f"/proc/{pid}/task").iterdir():
            # Of who runs, the scheduler's count lags behind: that is this process alone, which has a better clock.
            if pid != pids[0]:
                spent += int((thread / "schedstat").read_text(encoding="ascii").split()[0])
            pids += map(int, (thread / "children").read_text(encoding="ascii").split())
    return spent


# What a program of the order `first` begins with.
MARK = "mark()\n"


def calling(count: int, text: str) -> str:
    """A program that calls `echo` so often. The other side of `echo` knows when."""
    return f"text = {text!r}\nfor _ in range({count + 1}):\n    echo(text)\n"


def between_us(moments: list[int]) -> list[float]:
    """From one call's arrival to the next one's is one whole round trip."""
    return [(later - earlier) / 1e3 for earlier, later in pairwise(moments)]
