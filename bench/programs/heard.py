# /// script
# [tool.agentos]
# name = "heard"
# on = [{ event = "event.bench", concurrency = { parallel = 64 } }]
# limits = { memory = "128MiB", cpu = "5s", wall = "2m", calls = 1000 }
# [tool.agentos.grants]
# "echo.note" = {}
# ///
"""Begins with an event, and has one effect: a workflow of one durable step."""

from typing import Any

from agentos.sdk.calls import Call


def main(input: Any) -> object:
    Call("echo.note", {"text": input["data"]}, dict)()
    return None
