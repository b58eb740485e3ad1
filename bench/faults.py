"""`python -m bench.faults [--count N] [--seed N]`: thousands of fetches that meet every fault there is.

The real path: programs in cells call `net.fetch` of a real kernel's real net server, which meets servers and a name
server that are slow, endless, packed, framed wrongly, cut, silent or not what they say (tests/net/kinds.py). Each fetch
must end as its kind does, and in its time (tests/net/storm.py); and afterwards nothing may be held that was not before.

Descriptors and memory are looked at when all is still: after the first fifth, in which allocators, pools and the
kernel's memory of recent runs fill up, and after each further tenth. Exit status 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median

import psutil
import trustme
from rich.console import Console
from rich.table import Table

from bench import machine
from bench.figures import percentile
from bench.processes import descriptors, servers, weight
from tests.kernel.person import Person, Up, eventually, kernel_on, warm_home
from tests.net.internet import Internet, internet
from tests.net.kinds import KINDS, LEFT_OPEN
from tests.net.storm import Storm, Tally
from tests.net.world import Names, closing

COUNT = 10_000
PARTS, WARM_UP = 10, 2  # so many of them warm up
STILL_WITHIN_S = 60.0  # an answer that nobody reads on is closed after half a minute
# What memory may grow by, for each 1,000 fetches: a KiB each. While it is under way one fetch holds tens of them.
GROWS_AT_MOST_KIB = 1024.0
WIDTH = 120


@dataclass(frozen=True)
class Held:
    """What the kernel and its servers hold at a still moment. What may not be seen by this user is None."""

    servers: tuple[int, ...]
    processes: int
    kernel_descriptors: int | None
    server_descriptors: int | None
    kernel_uss: int | None
    server_uss: int | None

    def __str__(self) -> str:
        descriptors = f"{self.kernel_descriptors} and {self.server_descriptors} descriptors"
        return f"{self.processes} processes, {descriptors}, {_mib(self.kernel_uss)} and {_mib(self.server_uss)} MiB"


def held(up: Up) -> Held:
    """Only net is called here, so that the servers are the net server, and whatever was there before."""
    pids = tuple(sorted(servers(up.pid)))
    count = 1 + len(psutil.Process(up.pid).children(recursive=True))
    return Held(pids, count, descriptors(up.pid), _sum(map(descriptors, pids)), _uss(up.pid), _sum(map(_uss, pids)))


def _mib(size: int | None) -> str:
    return "unseen" if size is None else f"{size / 2**20:.1f}"


def _uss(pid: int) -> int | None:
    found = weight(pid)
    return found.uss if found else None


def _sum(each: Iterable[int | None]) -> int | None:
    known = list(each)
    return None if None in known else sum(one or 0 for one in known)


def main() -> int:
    options = _options()
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    told = machine.described()
    console.print(f"[dim]{told['processor']}; {told['system']}; python {told['python']}; load {told['load']}[/dim]")
    console.print(f"{options.count:,} fetches, seed {options.seed}", highlight=False)
    with _place() as (up, person, names, authority), internet(names, authority) as outside:
        storm = Storm(person, names, outside.ports, options.seed)
        began, done, at_rest = time.monotonic(), 0, []
        for number in range(PARTS):
            # Those that are left open delay the rest by half a minute: at the beginning and at the end is enough.
            without = "" if number in (0, PARTS - 1) else LEFT_OPEN
            storm.fetch((storm.each() if number == 0 else []) + storm.some(options.count // PARTS, without))
            if not eventually(lambda: _still(person, outside), STILL_WITHIN_S):
                sys.exit(f"it does not come to rest: {outside.open} connections are open, {person.status()}")
            at_rest.append(held(up))
            done = sum(tally.count for tally in storm.tallies.values())
            console.print(f"{done:>7,} after {time.monotonic() - began:>4.0f} s: {at_rest[-1]}", highlight=False)
    _show(storm.tallies, console)
    wrong = [f"{name}: {each}" for name, tally in storm.tallies.items() for each in tally.wrong]
    wrong += grown(at_rest[WARM_UP - 1 :], options.count // PARTS, console)
    for each in wrong[:50]:
        console.print(f"[red]{each}[/red]", highlight=False)
    console.print(f"{len(wrong)} things wrong" if wrong else "each ended as it must, and nothing is left")
    return int(bool(wrong))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.faults", description="Fetches that meet faults of all kinds."
    )
    parser.add_argument("--count", type=int, default=COUNT, metavar="N", help=f"how many ({COUNT})")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="to have a run again")
    return parser.parse_args()


@contextmanager
def _place() -> Iterator[tuple[Up, Person, Names, trustme.CA]]:
    """A kernel on a new home, whose net server knows our name server and trusts our certificates."""
    names, authority = Names(), trustme.CA()
    with tempfile.TemporaryDirectory(prefix="agentos-faults-") as folder, closing(names):
        place = Path(folder).resolve()
        authority.cert_pem.write_to_path(str(place / "ca.pem"))
        settings = {"AGENTOS_NET_RESOLVER": names.where, "AGENTOS_NET_CA": str(place / "ca.pem")}
        (place / "programs").mkdir()
        with kernel_on(warm_home(place), place / "log", **settings) as up:
            person = Person(up.socket, up.credential, place / "programs")
            yield up, person, names, authority
            person.close()


def _still(person: Person, outside: Internet) -> bool:
    status = person.status()
    return not (outside.open or status.runs_active or status.cells_busy) and status.cells_ready > 0


def _show(tallies: Mapping[str, Tally], console: Console) -> None:
    table = Table("what it met", "fetches", "calls", "p50 ms", "p99 ms", "max ms", "ends as", "wrong")
    for name, tally in sorted(tallies.items(), key=lambda each: list(KINDS).index(each[0])):
        times = [f"{percentile(tally.times_ms, percent):,.0f}" for percent in (50, 99, 100)] if tally.times_ms else []
        ends = KINDS[name].ends
        table.add_row(name, str(tally.count), str(len(tally.times_ms)), *times, ends, str(len(tally.wrong)))
    console.print(table)


def grown(at_rest: Sequence[Held], fetches: int, console: Console) -> list[str]:
    """What grew over these still moments, so many fetches apart, and must not."""
    first, last = at_rest[0], at_rest[-1]
    wrong = [] if last.servers == first.servers else ["the net server did not live through it"]
    for name in ("processes", "kernel_descriptors", "server_descriptors"):
        then, now = getattr(first, name), getattr(last, name)
        console.print(f"{name.replace('_', ' ')}: {then} → {now}", highlight=False)
        if then is not None and now > then:
            wrong.append(f"{name.replace('_', ' ')} grew from {then} to {now}")
    for name in ("kernel_uss", "server_uss"):
        then, now = getattr(first, name), getattr(last, name)
        if then is None or now is None:
            console.print(f"{name.partition('_')[0]}: its memory cannot be read here: needs root")
            continue
        sizes = [getattr(each, name) for each in at_rest]
        kib = slope(sizes) / 1024 / fetches * 1000
        console.print(f"memory of the {name.partition('_')[0]}: {then / 2**20:.1f} → {now / 2**20:.1f} MiB, "
                      f"{kib:+.0f} KiB per 1,000 fetches", highlight=False)  # fmt: skip
        if kib > GROWS_AT_MOST_KIB:
            wrong.append(f"memory of the {name.partition('_')[0]} grows by {kib:.0f} KiB per 1,000 fetches")
    return wrong


def slope(values: Sequence[float]) -> float:
    """From one value to the next, as the median of all pairs has it: what a large answer left in an allocator at one
    still moment, and gave back by the next, does not count."""
    pairs = [(later - then) / (at - was) for (was, then), (at, later) in combinations(enumerate(values), 2)]
    return median(pairs)


if __name__ == "__main__":
    sys.exit(main())
