# /// script
# [tool.agentos]
# name = "patterns"
# limits = { cpu = "1m", wall = "2m" }
# ///
"""Regular expressions over a page of text."""

import re

TEXT = "On 2026-03-14 ann@example.org wrote to bob@example.net: call +49 30 1234567, see page 12. " * 100


def main(input: int) -> int:
    found = 0
    for _ in range(input):
        found += len(re.findall(r"[a-z]+@[a-z]+\.[a-z]{2,}", TEXT))
        found += len(re.findall(r"(\d{4})-(\d\d)-(\d\d)", TEXT))
        found += len(re.sub(r"\s+", " ", TEXT))
    return found
