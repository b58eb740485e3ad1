"""`python -m bench [PART]... [--quick] [--json] [--write] [--row N]`: measure and tell."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Awaitable, Callable

import uvloop
from rich.console import Console

from bench import call, cpu, durable, machine, many, memory, others, page, start, table
from bench.figures import Part
from bench.peers.python import Python, python
from bench.person import Person, Up, kernel, person

READY = 8
WIDTH = 120
PARTS = ("start", "call", "many", "memory", "cpu", "others", "durable")


def main() -> int:
    options = _options()
    console = Console(stderr=options.json)
    if not console.is_terminal:
        console.width = WIDTH
    told = machine.described()
    console.print(f"[dim]{told['processor']}; {told['system']}; load {told['load']}[/dim]")
    console.print("[dim]starting a kernel on a new home; it compiles its guest, some seconds[/dim]")
    with kernel(READY) as up, python() as peer:
        parts = uvloop.run(_measure(up, peer, options, console))
    if options.json:
        found = {"machine": told, "quick": options.quick, "parts": [part.as_json() for part in parts]}
        print(json.dumps(found, ensure_ascii=False, indent=1))
    if options.write:
        console.print(f"written: {page.write(parts, told, options.quick)}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="How long a run and a call take, as ratios.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)}; none means all")
    parser.add_argument("--quick", action="store_true", help="short forms, which only indicate")
    parser.add_argument("--json", action="store_true", help="JSON on standard output, tables on standard error")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md; wants all parts")
    parser.add_argument("--row", type=int, default=0, metavar="N", help="how many runs in a row (5000)")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    options.parts = [part for part in PARTS if part in (options.parts or PARTS)]
    if options.write and tuple(options.parts) != PARTS:
        parser.error("--write wants all parts, so that the page is from one run")
    return options


async def _measure(up: Up, peer: Python, options: argparse.Namespace, console: Console) -> list[Part]:
    measures: dict[str, Callable[[Person], Awaitable[Part]]] = {
        "start": lambda who: start.measure(who, peer, options.quick),
        "call": lambda who: call.measure(who, options.quick),
        "many": lambda who: many.measure(who, peer, options.quick, options.row),
        "memory": lambda who: memory.measure(who, peer),
        "cpu": lambda who: cpu.measure(who, quick=options.quick),
        "others": lambda who: others.measure(who, options.quick),
        "durable": lambda who: durable.measure(who, options.quick),
    }
    found = []
    async with person(up) as who:
        for name in options.parts:
            part = await measures[name](who)
            table.show(part, console)
            found.append(part)
    return found


if __name__ == "__main__":
    sys.exit(main())
