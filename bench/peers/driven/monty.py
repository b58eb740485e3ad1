"""pydantic-monty: a small Python of its own, in worker processes of a pool that stays; `fresh`: of a new pool each."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Protocol

from bench.peers.driven.orders import MARK, Order, between_us, calling, growth_ms, take, watch

monty = import_module("pydantic_monty").Monty


class Session(Protocol):
    def feed_run(self, source: object, external_lookup: object = None) -> object: ...


def main(fresh: bool) -> None:
    held: list[object] = []
    with monty() as pool:

        @contextmanager
        def session() -> Iterator[Session]:
            if fresh:
                with monty() as new, new.checkout() as made:
                    yield made
            else:
                with pool.checkout() as made:
                    yield made

        def run(order: dict[str, object]) -> dict[str, object]:
            with watch() as seen, session() as made:
                made.feed_run(order["source"])
            return {"ms": seen.ns / 1e6}

        def first(order: dict[str, object]) -> dict[str, object]:
            moments = [time.perf_counter_ns()]
            with session() as made:
                mark = {"mark": lambda: moments.append(time.perf_counter_ns())}
                made.feed_run(f"{MARK}{order['source']}", external_lookup=mark)
            return {"ms": (moments[1] - moments[0]) / 1e6}

        def calls(order: dict[str, object]) -> dict[str, object]:
            moments: list[int] = []

            def echo(text: str) -> str:
                moments.append(time.perf_counter_ns())
                return text

            with session() as made:
                source = calling(int(str(order["count"])), str(order["text"]))
                made.feed_run(source, external_lookup={"echo": echo})
            return {"us": between_us(moments)}

        def grow(order: dict[str, object]) -> dict[str, object]:
            with session() as made:
                return growth_ms(made.feed_run, order)

        def hold(_: dict[str, object]) -> dict[str, object]:
            kept = pool.checkout()
            kept.__enter__().feed_run("1")
            held.append(kept)
            return {}

        orders: dict[str, Order] = {"run": run, "first": first}
        take(orders if fresh else {**orders, "calls": calls, "grow": grow, "hold": hold})


if __name__ == "__main__":
    main("fresh" in sys.argv)
