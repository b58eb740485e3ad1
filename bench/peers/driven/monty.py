"""pydantic-monty: a small Python of its own, in worker processes of a pool that stays."""

from __future__ import annotations

import time
from importlib import import_module

from bench.peers.driven.orders import between_us, calling, growth_ms, take, watch

monty = import_module("pydantic_monty").Monty


def main() -> None:
    held: list[object] = []
    with monty() as pool:

        def run(order: dict[str, object]) -> dict[str, object]:
            with watch() as seen, pool.checkout() as session:
                session.feed_run(order["source"])
            return {"ms": seen.ns / 1e6}

        def calls(order: dict[str, object]) -> dict[str, object]:
            moments: list[int] = []

            def echo(text: str) -> str:
                moments.append(time.perf_counter_ns())
                return text

            with pool.checkout() as session:
                source = calling(int(str(order["count"])), str(order["text"]))
                session.feed_run(source, external_lookup={"echo": echo})
            return {"us": between_us(moments)}

        def grow(order: dict[str, object]) -> dict[str, object]:
            with pool.checkout() as session:
                return growth_ms(session.feed_run, order)

        def hold(_: dict[str, object]) -> dict[str, object]:
            session = pool.checkout()
            session.__enter__().feed_run("1")
            held.append(session)
            return {}

        take({"run": run, "calls": calls, "grow": grow, "hold": hold})


if __name__ == "__main__":
    main()
