# /// script
# [tool.agentos]
# name = "csv_rows"
# limits = { cpu = "1m", wall = "2m" }
# ///
"""Reads a table and adds up its columns."""

import csv
import io

TABLE = "day,what,amount\n" + "".join(f"2026-01-{day % 28 + 1:02},shop {day % 7},{day}.50\n" for day in range(1000))


def main(input: int) -> dict[str, float]:
    totals: dict[str, float] = {}
    for _ in range(input):
        for row in csv.DictReader(io.StringIO(TABLE)):
            totals[row["what"]] = totals.get(row["what"], 0.0) + float(row["amount"])
    return totals
