"""The programs that the guest has run before it is put into the image, and before any program of a person's.

CPython writes to what it runs: a call site notes what it saw, a class what was looked up in it, a pattern is compiled
and kept. A cell pays for each page that it is the first to write to, so this happens once, while the guest is built.
What the programs do is what most programs do; nothing they do comes through to a run but that it begins sooner.
"""

from __future__ import annotations

import json
import marshal
from base64 import b64decode
from typing import Any

from agentos.guests.python import program, shims

TIMES = 4
NAME = "warmup.py"

PROGRAM = '''
"""A report on a folder of tables, as an agent would write it."""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import re
import statistics
import sys
import textwrap
from collections import Counter, defaultdict, namedtuple
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import Enum
from functools import lru_cache, partial
from itertools import chain, groupby
from pathlib import Path
from typing import Any, Iterable

WORD = re.compile(r"[a-z]+", re.IGNORECASE)
DAY = re.compile(r"(?P<year>\\d{4})-(?P<month>\\d\\d)-(?P<day>\\d\\d)")
Point = namedtuple("Point", "x y")


class Kind(Enum):
    FOOD = "food"
    HOME = "home"


class Unreadable(ValueError):
    """A row that is no entry."""


@dataclass(frozen=True)
class Entry:
    day: date
    what: str
    amount: Decimal

    @property
    def month(self) -> str:
        return f"{self.day:%Y-%m}"

    def shown(self, width: int = 12) -> str:
        return f"{self.what:<{width}} {self.amount:>8.2f}"


@dataclass
class Month:
    name: str
    total: Decimal = Decimal(0)
    kinds: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def add(self, entry: Entry) -> None:
        self.total += entry.amount
        self.kinds[kind_of(entry.what).value] += entry.amount


@lru_cache(maxsize=None)
def kind_of(what: str) -> Kind:
    return Kind.HOME if re.search("rent|power", what, re.IGNORECASE) else Kind.FOOD


def entry_of(row: dict[str, str]) -> Entry:
    try:
        return Entry(date.fromisoformat(row["day"].strip()), row["what"], Decimal(row["amount"]))
    except (KeyError, ArithmeticError, ValueError) as wrong:
        raise Unreadable(f"not an entry: {row}") from wrong


def entries(text: str) -> Iterable[Entry]:
    for row in csv.DictReader(io.StringIO(text)):
        try:
            yield entry_of(row)
        except Unreadable:
            continue


def words(text: str) -> Counter[str]:
    return Counter(word.lower() for word in WORD.findall(text))


def months(found: list[Entry]) -> dict[str, Month]:
    made: dict[str, Month] = {}
    for entry in found:
        made.setdefault(entry.month, Month(entry.month)).add(entry)
    return made


def written(path: str, rows: list[dict[str, Any]]) -> None:
    with open(path, "w", newline="") as out:
        writer = csv.DictWriter(out, fieldnames=sorted(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def tried(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as refused:
        return str(refused)


def later(text: str) -> str:
    found = DAY.search(text)
    assert found
    day = datetime(*(int(part) for part in found.groups())) + timedelta(days=40, hours=3)
    return day.strftime("%Y-%m-%d %H:%M")


def main() -> dict[str, Any]:
    options = argparse.ArgumentParser()
    options.add_argument("--folder", default="books")
    folder = options.parse_args([]).folder
    text = Path(folder, "table.csv").read_text()
    with open(os.path.join(folder, "table.csv")) as table:
        lines = [line.rstrip() for line in table]
    found = sorted(entries("\\n".join(lines)), key=lambda entry: (-entry.amount, entry.day))
    by_month = months(found)
    names = [path.name for path in Path(folder).glob("*.csv")] + os.listdir(folder)
    nested = json.loads(json.dumps({"a": [1, 2.5, None, True], "b": {"c": "d \\u00e9"}}))
    print(f"{len(found)} entries", *(entry.shown() for entry in found[:3]), sep="\\n")
    print(json.dumps(nested, indent=2, sort_keys=True))
    print(textwrap.shorten(text, 40), file=sys.stderr)
    written("report.csv", [asdict(entry) for entry in found])
    Path("report.json").write_text(json.dumps({name: str(month.total) for name, month in by_month.items()}))
    cents = [entry.amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP) for entry in found]
    groups = {key: len(list(group)) for key, group in groupby(sorted(names), key=len)}
    add = partial(max, Point(1, 2).x)
    return {
        "words": words(text).most_common(3), "refused": tried("/elsewhere/secret"), "later": later("on 2026-01-03"),
        "mean": statistics.mean(map(float, cents)), "groups": groups, "most": add(3, *chain([1], [2])),
        "now": datetime.now().isoformat()[:4], "parts": "a,b;c".replace(";", ",").split(","), "names": sorted(names),
    }


result = main()
'''

_TABLE = "day,what,amount\n2026-01-03,Corner market,23.40\n2026-01-05,Rent,810.00\nno day,nothing,x\n"
_ENTRY = {"name": "table.csv", "kind": "FILE_KIND_FILE", "size": str(len(_TABLE)), "modified_ms": "1", "version": "1"}
_REPLIES: dict[str, Any] = {
    "files.read": {"value": {"text": _TABLE, "size": str(len(_TABLE)), "version": "1"}},
    "files.list": {"value": {"entries": [_ENTRY]}},
    "files.stat": {"value": {"entry": _ENTRY}},
    "files.write": {"value": {"entry": _ENTRY}},
    "clock.now": {"value": {"unix_ms": "1767225600000", "monotonic_ms": "1000", "zone": "UTC"}},
}
_REFUSED = {"error": {"code": "denied", "reason": "no grant covers it", "hint": "add a line", "detail": "not_granted"}}
_TOLD = {"arguments": [], "input": "", "start_folder": "/home/me", "home_folder": "/home/me"}


def _invoke(request: str) -> str:
    """A kernel that allows what the program needs, and refuses one thing."""
    if not request:
        return marshal.dumps(_TOLD).decode("latin-1")
    calls = json.loads(request)["calls"]
    refused = [call["args"].get("path", "").startswith("/elsewhere") for call in calls]
    results = [_REFUSED if no else _REPLIES[call["action"]] for no, call in zip(refused, calls, strict=True)]
    return json.dumps({"results": results})


def play() -> None:
    """Run the program a few times, by the way that all programs come in."""
    for _ in range(TIMES):
        code = b64decode(program.compiled(PROGRAM, NAME)["code"]).decode("latin-1")
        answer = json.loads(program.run(code, PROGRAM, _invoke))
        if answer["status"] != "done":
            raise RuntimeError(f"the warm-up failed: {answer}")
        shims.fresh()
