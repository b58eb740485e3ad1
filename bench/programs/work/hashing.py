# /// script
# [tool.agentos]
# name = "hashing"
# limits = { cpu = "1m", wall = "2m" }
# ///
"""Digests of many small texts and some long ones."""

import hashlib

LONG = b"x" * 65536


def main(input: int) -> str:
    seen = ""
    for _ in range(input):
        for number in range(500):
            seen = hashlib.sha256(f"{number} {seen}".encode()).hexdigest()
        seen = hashlib.sha256(LONG + seen.encode()).hexdigest()
    return seen
