# /// script
# [tool.agentos]
# name = "json_texts"
# limits = { cpu = "1m", wall = "2m" }
# ///
"""Reads a text of JSON, changes it, writes it again."""

import json

TEXT = json.dumps([{"id": number, "name": f"name {number}", "tags": ["a", "b"], "on": True} for number in range(300)])


def main(input: int) -> int:
    length = 0
    for _ in range(input):
        rows = json.loads(TEXT)
        for row in rows:
            row["id"] += 1
        length += len(json.dumps(rows))
    return length
