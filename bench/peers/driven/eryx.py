"""pyeryx: CPython as Wasm in the caller's own process; its wheels want CPython 3.12 or newer."""

from __future__ import annotations

import time
from importlib import import_module

from bench.peers.driven.orders import MARK, between_us, calling, take, watch

eryx = import_module("eryx")
held: list[object] = []


def run(order: dict[str, object]) -> dict[str, object]:
    with watch() as seen:
        eryx.Sandbox().execute(order["source"])
    return {"ms": seen.ns / 1e6}


def first(order: dict[str, object]) -> dict[str, object]:
    moments = [time.perf_counter_ns()]

    def mark() -> dict[str, str]:
        moments.append(time.perf_counter_ns())
        return {}

    callbacks = [{"name": "mark", "fn": mark, "description": "mark"}]
    eryx.Sandbox(callbacks=callbacks).execute(f"await {MARK}{order['source']}")
    return {"ms": (moments[1] - moments[0]) / 1e6}


def calls(order: dict[str, object]) -> dict[str, object]:
    moments: list[int] = []

    def echo(text: str) -> dict[str, str]:
        moments.append(time.perf_counter_ns())
        return {"text": text}

    source = calling(int(str(order["count"])), str(order["text"])).replace("echo(text)", "await echo(text=text)")
    eryx.Sandbox(callbacks=[{"name": "echo", "fn": echo, "description": "echo"}]).execute(source)
    return {"us": between_us(moments)}


def hold(_: dict[str, object]) -> dict[str, object]:
    sandbox = eryx.Sandbox()
    sandbox.execute("1")
    held.append(sandbox)
    return {}


if __name__ == "__main__":
    take({"run": run, "first": first, "calls": calls, "hold": hold})
