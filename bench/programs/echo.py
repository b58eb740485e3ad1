# /// script
# [tool.agentos]
# name = "echo"
# limits = { calls = 100_000, cpu = "2m", wall = "10m" }
# [tool.agentos.grants]
# "echo.say" = {}
# "echo.heard" = {}
# ///
"""Calls an echo over and over, and brings back when each call reached it."""

from typing import Any

from agentos.sdk.calls import Call


def main(input: Any) -> object:
    say = Call("echo.say", {"text": "x" * input["size"]}, dict)
    heard = Call("echo.heard", {}, dict)
    heard()
    for _ in range(input["count"] + 1):
        say()
    return [int(at) for at in heard().get("at_ns", [])]
