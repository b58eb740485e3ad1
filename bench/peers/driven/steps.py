"""DBOS on SQLite, as it comes: its own database, its own queue, a step that says what it was told.

ahead    count         one workflow of so many steps, then one of twice as many: {"ms"} that the second took longer
single   count         so many workflows of one step, one after the other: {"ms": [each]}
queued   count         so many of them put into a queue at once: {"ms"} until the last is done, and to be "taken_ms"
heard    count         so many put into the queue one by one, each from there to its first line: {"ms": [each]}
"""

from __future__ import annotations

import tempfile
import time
from importlib import import_module
from pathlib import Path

from bench.peers.driven.orders import take, watch

dbos = import_module("dbos")
DBOS = dbos.DBOS
TEXT = "x" * 1024
QUEUE = "bench"


@DBOS.step()  # type: ignore[untyped-decorator]  # it has no types here
def say(text: str) -> str:
    return text


@DBOS.workflow()  # type: ignore[untyped-decorator]  # it has no types here
def said(count: int) -> int:
    began_ns = time.time_ns()
    for _ in range(count):
        say(TEXT)
    return began_ns


def long(order: dict[str, object]) -> dict[str, object]:
    with watch() as seen:
        said(int(str(order["count"])))
    return {"ms": seen.ns / 1e6}


def single(order: dict[str, object]) -> dict[str, object]:
    took = []
    for _ in range(int(str(order["count"]))):
        with watch() as seen:
            said(1)
        took.append(seen.ns / 1e6)
    return {"ms": took}


def queued(order: dict[str, object]) -> dict[str, object]:
    with watch() as seen:
        with watch() as taken:
            handles = [DBOS.enqueue_workflow(QUEUE, said, 1) for _ in range(int(str(order["count"])))]
        for handle in handles:
            handle.get_result(polling_interval_sec=0.01)
    return {"ms": seen.ns / 1e6, "taken_ms": taken.ns / 1e6}


def heard(order: dict[str, object]) -> dict[str, object]:
    took = []
    for _ in range(int(str(order["count"]))):
        asked_ns = time.time_ns()
        began_ns = DBOS.enqueue_workflow(QUEUE, said, 1).get_result(polling_interval_sec=0.01)
        took.append((int(began_ns) - asked_ns) / 1e6)
    return {"ms": took}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="agentos-bench-dbos-") as place:
        database = f"sqlite:///{Path(place) / 'dbos.sqlite'}"
        DBOS(config={"name": "bench", "system_database_url": database, "log_level": "ERROR"})
        DBOS.launch()
        DBOS.register_queue(QUEUE)
        said(1)
        take({"long": long, "single": single, "queued": queued, "heard": heard})
        DBOS.destroy()


if __name__ == "__main__":
    main()
