"""`python -m bench.journal [--sizes N,N,…] [--keep FOLDER]`: what a long history costs a start and an event.

A history as runs make it (began, pinned, call, reply, ended; one grant) grows to each size. At each: how long it takes
to open the home's journal and fold it from its snapshot, without one, and what one durable event costs, alone and among
a hundred at once, with what is signed and without.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median

from agentos.home.heads import Signer, Witness
from agentos.home.history import Pinned, Record, RunBegan, RunEnded
from agentos.home.journal import Journal
from agentos.home.places import File
from agentos.home.records import CallMade, CallSettled, Grant, Terms
from agentos.kernel.ledger import FOLD, Ledger
from agentos.v1 import control_pb2 as pb

KEY, ROUNDS = b"k" * 32, 200
MANY = 100


def opened(folder: Path, signed: bool = True, fold: bool = True) -> Journal:
    witness = Witness(Signer("bench", b"s" * 32), File(folder / "head")) if signed else None
    return Journal.open(folder / "j", KEY, witness, (FOLD,) if fold else ())


def records(number: int) -> list[Record]:
    """What one small run leaves: five records."""
    run = f"r{number}"
    return [
        RunBegan(run, "links", "/home/me/links.py", "d" * 64, "/home/me", "/home/me", (), '"an input"', 900),
        Pinned(run, "c" * 64, "e" * 64),
        CallMade(run, 1, "files.read", '{"path":"/home/me/notes/a.md"}', (("path", "/home/me/notes/a.md"),), "f" * 64,
                 1, 1_700_000_000_000, grant="g1"),
        CallSettled(run, 1, 800, '{"data":"aGVsbG8gd29ybGQ="}'),
        RunEnded(run, 2, "", "12 links\n", False, 1, 0, 3000, 4000, 5000),
    ]  # fmt: skip


async def grow(folder: Path, to: int) -> None:
    journal = opened(folder)
    ledger = Ledger(journal)
    if not ledger.table.held:
        terms = Terms(pb.CHOICE_VERSION)
        grant = Grant("g1", "r0", "links", "/home/me/links.py", "d" * 64, "files.read", (("path", ("/x",)),), terms, 0)
        ledger.record(grant)
    number = journal.head[0] // 5
    while journal.head[0] < to:
        number += 1
        seq = ledger.record(*records(number))
        if number % 2000 == 0:
            await ledger.durable(seq)
    ledger.keep()
    await ledger.durable(journal.head[0])
    await journal.close()


async def opening(folder: Path, fold: bool, rounds: int) -> float:
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        journal = opened(folder, fold=fold)
        Ledger(journal)
        took.append(time.perf_counter() - began)
        await journal.close()
    return median(took) * 1000


async def event(folder: Path, signed: bool) -> tuple[float, float]:
    """One durable event alone, in µs; and each of a hundred that wait together."""
    os.sync()  # a copy of a large file that is still on its way to the disk would be measured instead
    journal = opened(folder, signed)
    while journal.statistics()["to_recheck"]:  # noqa: ASYNC110  a thread of its own, that tells nobody
        await asyncio.sleep(0.1)
    body = os.urandom(200)

    async def one() -> None:
        await journal.durable(journal.append(("event", "", body)))

    alone, together = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await one()
        alone.append(time.perf_counter() - began)
    for _ in range(ROUNDS // 4):
        began = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(MANY)))
        together.append((time.perf_counter() - began) / MANY)
    await journal.close()
    return median(alone) * 1e6, median(together) * 1e6


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.journal")
    parser.add_argument("--sizes", default="1000,100000,1000000")
    parser.add_argument("--keep", type=Path, help="a folder to grow in, and to find grown the next time")
    asked = parser.parse_args()
    folder = asked.keep or Path(tempfile.mkdtemp())
    print(
        "records | open, from the snapshot ms | open, from the first record ms | one event µs | of 100 µs", flush=True
    )
    for size in map(int, asked.sizes.split(",")):
        here = folder / str(size)
        if not here.exists():
            here.mkdir(parents=True)
            await grow(here, size)
        quick = await opening(here, True, 15)
        whole = await opening(here, False, 1)
        # On a copy, so that what was grown stays what it is.
        copy = Path(shutil.copytree(here, folder / "copy"))
        alone, together = await event(copy, True)
        shutil.rmtree(copy)
        print(f"{size:9} | {quick:8.1f} | {whole:10.1f} | {alone:6.0f} | {together:6.1f}", flush=True)
    bare = folder / "bare"
    shutil.rmtree(bare, ignore_errors=True)
    bare.mkdir()
    print("unsigned  |          |            | {:6.0f} | {:6.1f}".format(*await event(bare, False)))
    if asked.keep is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    asyncio.run(main())
