"""`python -m bench.powercut [--cuts N] [--seed N]`: cut the power under the journal, again and again, and look.

A life: a journal is opened on what the last cut left, and for a while units of records are appended, waited for, folded
and forgotten, by several at once, while its database's log is moved into the database often. At random operations of
its disk, those of the opening and the closing among them, the disk is remembered as it is, and what had been
acknowledged. From each such moment several survivors are drawn. Each must open by itself, without an alarm, and hold

    every record that was acknowledged, word for word, and no other record than was appended, in order,
    no unit in part, no forgotten word once its forgetting was acknowledged, a fold of records that are there,

and go on: one more record, closed, opened again. The next life begins on one of the survivors.

`--normal` turns the journal's syncs down (synchronous=NORMAL), to show that this harness would notice.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from agentos.home import schema
from agentos.home.heads import Signer, Witness
from agentos.home.journal import Journal, JournalBroken, JournalFull
from agentos.home.places import File
from bench import owed
from bench.disk import HOWS, MEMORY, VFS, Cut, Disk, Head

KEY, FOLD = b"k" * 32, "sum 1"
SIGNER = Signer("abcdefghijklmnop", b"s" * 32)
TASKS, UNITS = 3, 14
KINDS = ("call",)
CUT_IN, DRAWN = 0.03, 4


@dataclass
class Story:
    """All that was ever appended, by number; how far it was acknowledged; which runs are acknowledged as forgotten."""

    bodies: list[tuple[str, bytes]] = field(default_factory=list)
    ends: set[int] = field(default_factory=lambda: {0})
    sure: int = 0
    forgotten: dict[str, int] = field(default_factory=dict)

    def known(self) -> tuple[int, dict[str, int]]:
        return self.sure, dict(self.forgotten)

    def append(self, journal: Journal, run: str, bodies: list[bytes], forget: str = "") -> int:
        made = [("call" if run else "forgotten", run or forget, body) for body in bodies]
        seq = journal.append(*made, erase=[(forget, KINDS)] if forget else ())
        self.bodies += [(made_run, body) for _, made_run, body in made]
        assert seq == len(self.bodies)
        self.ends.add(seq)
        return seq

    def cut_to(self, seq: int) -> None:
        """The next life begins here."""
        del self.bodies[seq:]
        self.ends = {each for each in self.ends if each <= seq}
        self.sure = seq
        self.forgotten = {run: at for run, at in self.forgotten.items() if at <= seq}


def born(folder: Path) -> Path:
    """A home's database as it is made: under another name, and renamed when it is whole."""
    folder.mkdir()
    schema.create(folder / "j", KEY)
    return folder


async def life(folder: Path, disk: Disk, story: Story, chance: random.Random, normal: bool, units: int = UNITS) -> None:
    """One life of a journal on this disk. Raises JournalFull or JournalBroken where the disk fails."""
    journal = Journal.open(folder / "j", KEY, Witness(SIGNER, Head(disk)), (FOLD,), VFS)
    writing = journal._writing  # noqa: SLF001  what no other caller may turn
    writing.wal_autocheckpoint(12)  # so that the log is moved into the database many times in a short life
    if normal:
        writing.pragma("synchronous", "NORMAL")

    async def one(task: int) -> None:
        for number in range(units):
            run = f"r{task}.{chance.randrange(4)}"
            bodies = [b"%d/%d/%d " % (task, number, part) + chance.randbytes(90) for part in range(3)]
            seq = story.append(journal, run, bodies)
            dice = chance.random()
            if dice < 0.1:
                journal.keep(FOLD, b"%d" % journal.head[0])
            elif dice < 0.2:
                seq = story.append(journal, "", [b"sum"], forget=run)
            if dice > 0.3:
                await journal.durable(seq)
                story.sure = max(story.sure, seq)
                if 0.1 <= dice < 0.2:
                    story.forgotten[run] = seq

    try:
        done = await asyncio.gather(*(one(task) for task in range(TASKS)), return_exceptions=True)
    finally:
        await journal.close()
    for wrong in done:
        if isinstance(wrong, BaseException):
            raise wrong


def wrong_with(folder: Path, story: Story, known: tuple[int, dict[str, int]]) -> str:
    """What is not as it must be on what a cut left; nothing where all is well. The journal goes on, one record."""
    try:
        return asyncio.run(_looked_at(folder, story, *known))
    except JournalBroken as broken:
        return f"alarm {broken.code}: {broken.reason}"


async def _looked_at(folder: Path, story: Story, sure: int, forgotten: dict[str, int]) -> str:
    witness = Witness(SIGNER, File(folder / "head"))
    journal = Journal.open(folder / "j", KEY, witness)  # without folds, the whole chain is checked at once
    try:
        seq = journal.head[0]
        if seq < sure:
            return f"lost: {sure - seq} acknowledged records"
        if seq not in story.ends:
            return "half a unit"
        for entry in journal.entries():
            if (entry.run, entry.body) != story.bodies[entry.seq - 1]:
                return "another record"
            if entry.kind == "call" and entry.seq < forgotten.get(entry.run, 0):
                return "a forgotten word"
        journal.append(("call", "after", b"the cut"))
    finally:
        await journal.close()
    again = Journal.open(folder / "j", KEY, witness, (FOLD,))
    fold = again.folds.get(FOLD)
    good = again.head[0] == seq + 1 and (fold is None or int(fold.state) == fold.point[0])
    await again.close()
    return "" if good else "it did not go on"


@dataclass
class Report:
    cuts: int = 0
    lives: int = 0
    operations: int = 0
    moments: int = 0
    wrong: Counter[str] = field(default_factory=Counter)


def cut(cuts: int, seed: int, normal: bool = False) -> Report:
    """Live and be cut, until so many survivors were looked at."""
    chance, report = random.Random(seed), Report()  # noqa: S311
    with tempfile.TemporaryDirectory(dir=MEMORY) as made:
        root = Path(made)
        story, here = Story(), born(root / "0")
        while report.cuts < cuts:
            report.lives += 1
            disk = Disk(chance, story.known, CUT_IN)
            disk.adopt(here)
            asyncio.run(life(here, disk, story, chance, normal))
            report.operations += disk.operations
            report.moments += len(disk.cuts)
            shutil.rmtree(here)
            here, story = _next(root, disk.cuts, story, chance, report, cuts)
    return report


def _next(
    root: Path, moments: list[Cut], story: Story, chance: random.Random, report: Report, cuts: int
) -> tuple[Path, Story]:
    """Look at survivors of each moment; the next life begins on one of them that is well, or anew."""
    begin: tuple[Path, Cut] | None = None
    for at, moment in enumerate(moments):
        for drawn in range(DRAWN):
            if report.cuts >= cuts:
                break
            report.cuts += 1
            folder = root / f"{report.lives}.{at}.{drawn}"
            folder.mkdir()
            moment.survivor(folder, chance)
            untouched = shutil.copytree(folder, root / f"{folder.name}.next")
            wrong = wrong_with(folder, story, moment.known)
            shutil.rmtree(folder)
            if wrong:
                report.wrong[wrong if wrong.startswith(("alarm", "half")) else wrong.split(":")[0]] += 1
                shutil.rmtree(untouched)
            elif begin is None or chance.random() < 0.2:
                if begin:
                    shutil.rmtree(begin[0])
                begin = untouched, moment
            else:
                shutil.rmtree(untouched)
    if begin is None or len(story.bodies) > 600:
        if begin:
            shutil.rmtree(begin[0])
        return born(root / f"{report.lives}.fresh"), Story()
    story.cut_to(_length(begin[0], root))
    story.forgotten = {run: at for run, at in begin[1].known[1].items() if at <= story.sure}
    return begin[0], story


def _length(folder: Path, root: Path) -> int:
    """How many records a survivor has, found out on a copy."""
    copy = shutil.copytree(folder, root / "length")

    async def length() -> int:
        journal = Journal.open(copy / "j", KEY, Witness(SIGNER, File(copy / "head")))
        seq = journal.head[0]
        await journal.close()
        return seq

    try:
        return asyncio.run(length())
    finally:
        shutil.rmtree(copy)


def fail_each(seed: int = 1, units: int = 6, how: str = "error") -> tuple[int, Counter[str]]:
    """Let the 1st, the 2nd, … operation of a short life fail, until one passes without; how many, and what failed."""
    failed: Counter[str] = Counter()
    number = 0
    while True:
        number += 1
        chance, story = random.Random(seed), Story()  # noqa: S311
        with tempfile.TemporaryDirectory(dir=MEMORY) as made:
            folder = born(Path(made) / "0")
            disk = Disk(chance, story.known)
            disk.fail_at, disk.fail_as = number, how
            with contextlib.suppress(JournalFull, JournalBroken):
                asyncio.run(life(folder, disk, story, chance, False, units))
            if not disk.failed:
                return number - 1, failed
            failed[disk.failed] += 1
            if disk.head:
                (folder / "head").write_text(disk.head)
            wrong = wrong_with(folder, story, story.known())
            assert not wrong, f"operation {number} ({disk.failed}) failed, and then: {wrong}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.powercut", description="cut the power under the journal")
    parser.add_argument("--cuts", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--normal", action="store_true", help="with synchronous=NORMAL, which must lose records")
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    began = time.monotonic()
    found = cut(asked.cuts, asked.seed, asked.normal)
    print(
        f"{found.cuts} cuts at {found.moments} moments of {found.lives} lives ({found.operations} operations),"
        f" {time.monotonic() - began:.0f} s"
    )
    print("\n".join(f"  {count:6} {what}" for what, count in found.wrong.most_common()) or "  nothing lost, no alarm")
    if not asked.normal:
        for how in HOWS:
            for what, of in (("the journal", fail_each), ("the queue of events", owed.fail_each)):
                tried, failed = of(how=how)
                print(f"{what}, {how}: {tried} operations failed, one at a time: {dict(failed)}; nothing was lost")
    return int(bool(found.wrong) != asked.normal)


if __name__ == "__main__":
    sys.exit(main())
