# /// script
# [tool.agentos]
# name = "one"
# [tool.agentos.grants]
# "files.read" = { path = ["calls/**"] }
# ///
"""A small run with one call in it, to be made many times."""

from typing import Any

from agentos.sdk import files


def main(input: Any) -> object:
    return [input, len(files.read("calls/kept.txt", as_text=True).text)]
