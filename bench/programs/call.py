# /// script
# [tool.agentos]
# name = "call"
# limits = { calls = 100_000, cpu = "2m", wall = "10m" }
# [tool.agentos.grants]
# "files.read" = { path = ["calls/**"] }
# "files.write" = { path = ["calls/**"] }
# ///
"""Makes one call over and over: what a call costs is what a longer run takes longer."""

from typing import Any

from agentos.sdk import clock, files

PATH = "calls/kept.txt"
TEXT = "x" * 1024


def main(input: Any) -> object:
    count, what = input["count"], input["what"]
    if what == "clock.now":
        for _ in range(count):
            clock.now()
    elif what == "files.stat":
        for _ in range(count):
            files.stat(PATH)
    elif what == "files.read":
        for _ in range(count):
            files.read(PATH, as_text=True)
    elif what == "files.write":
        for _ in range(count):
            files.write(PATH, text=TEXT)
    return count
