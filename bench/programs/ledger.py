# /// script
# [tool.agentos]
# name = "ledger"
# limits = { memory = "128MiB", cpu = "5s", wall = "2m", calls = 1000 }
# [tool.agentos.grants]
# "files.read" = { path = ["books/**/*.csv"] }
# "files.write" = { path = ["reports/**"] }
# ///
"""Adds up what a household spent, by month and by kind: 120 lines, as agents write them."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

CENT = Decimal("0.01")
KINDS = {
    "food": re.compile(r"market|bakery|grocer|butcher", re.IGNORECASE),
    "home": re.compile(r"rent|power|water|repair", re.IGNORECASE),
    "ways": re.compile(r"train|bus|fuel|bicycle", re.IGNORECASE),
    "else": re.compile(r""),
}
SAMPLE = """\
day,what,amount
2026-01-03,Corner market,23.40
2026-01-05,Rent January,810.00
2026-01-09,Train to the lake,18.90
2026-02-02,Bakery,7.25
2026-02-05,Rent February,810.00
2026-02-14,Flowers,31.00
"""


class Unreadable(ValueError):
    """A line that is no entry."""


@dataclass(frozen=True)
class Entry:
    day: date
    what: str
    amount: Decimal

    @property
    def month(self) -> str:
        return f"{self.day:%Y-%m}"

    @property
    def kind(self) -> str:
        return next(name for name, pattern in KINDS.items() if pattern.search(self.what))


@dataclass
class Month:
    name: str
    total: Decimal = Decimal(0)
    kinds: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def add(self, entry: Entry) -> None:
        self.total += entry.amount
        self.kinds[entry.kind] += entry.amount

    def shown(self) -> dict[str, object]:
        return {
            "month": self.name,
            "total": str(rounded(self.total)),
            "kinds": {kind: str(rounded(amount)) for kind, amount in sorted(self.kinds.items())},
        }


def rounded(amount: Decimal) -> Decimal:
    """To the cent, half to even."""
    return amount.quantize(CENT, rounding=ROUND_HALF_EVEN)


def entry(row: dict[str, str]) -> Entry:
    try:
        day = date.fromisoformat(row["day"].strip())
        return Entry(day, row["what"].strip(), Decimal(row["amount"].strip()))
    except (KeyError, ArithmeticError, ValueError) as wrong:
        raise Unreadable(f"not an entry: {row}") from wrong


def entries(text: str) -> list[Entry]:
    found = []
    for row in csv.DictReader(io.StringIO(text)):
        try:
            found.append(entry(row))
        except Unreadable:
            continue
    return found


def by_month(found: list[Entry]) -> dict[str, Month]:
    months: dict[str, Month] = {}
    for each in found:
        months.setdefault(each.month, Month(each.month)).add(each)
    return months


def dearest(found: list[Entry]) -> Entry:
    """The entry that cost most; of several, the latest."""
    return max(found, key=lambda each: (each.amount, each.day))


def report(months: dict[str, Month]) -> list[dict[str, object]]:
    return [months[name].shown() for name in sorted(months)]


def main() -> dict[str, object]:
    found = entries(SAMPLE)
    return {"months": report(by_month(found)), "dearest": dearest(found).what}


result = main()
