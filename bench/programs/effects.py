# /// script
# [tool.agentos]
# name = "effects"
# limits = { calls = 100_000, cpu = "2m", wall = "10m" }
# [tool.agentos.grants]
# "echo.note" = {}
# "files.write" = { path = ["calls/**"] }
# ///
"""Makes one effect over and over: each is on disk before it is made, and its answer before that is heard."""

from typing import Any

from agentos.sdk import files
from agentos.sdk.calls import Call

TEXT = "x" * 1024


def main(input: Any) -> object:
    count, what = input["count"], input["what"]
    if what == "echo.note":
        note = Call("echo.note", {"text": TEXT}, dict)
        for _ in range(count):
            note()
    elif what == "files.append":
        for _ in range(count):
            files.append("calls/log.txt", text=TEXT)
    elif what == "files.write":
        for _ in range(count):
            files.write("calls/kept.txt", text=TEXT)
    return count
