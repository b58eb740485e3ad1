"""A journal that is vouched for: a home's key, and a head beside it in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agentos.home import chain
from agentos.home.heads import Signer, Witness
from agentos.home.journal import Journal
from agentos.home.places import File

KEY = b"k" * 32
SEED = b"s" * 32
HOME = "abcdefghijklmnop"
FOLD = "sum 1"


def signer(home: str = HOME, seed: bytes = SEED) -> Signer:
    return Signer(home, seed)


class Place:
    """A home's database and its head, as files that a test can copy, put back and take away."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "home" / "j"
        self.head = folder / "state" / "head"
        for each in (self.path, self.head):
            each.parent.mkdir(mode=0o700)

    def open(self, home: str = HOME, seed: bytes = SEED) -> Journal:
        return Journal.open(self.path, KEY, Witness(signer(home, seed), File(self.head)), (FOLD,))

    async def write(self, count: int, fold: bool = False, kind: str = "call") -> int:
        """Open it, append so many records, and close it; returns the newest one's number."""
        journal = self.open()
        for number in range(count):
            journal.append((kind, f"r{number % 3}", b"the words %d" % number))
        if fold:
            journal.keep(FOLD, b"the sum of %d" % journal.head[0])
        await journal.durable(journal.head[0])
        seq = journal.head[0]
        await journal.close()
        return seq

    def copy(self) -> Callable[[], None]:
        """What puts the database back as it is now."""
        raw = self.path.read_bytes()
        return lambda: void(self.path.write_bytes(raw))

    def meddle(self, sql: str, *values: object) -> None:
        """Change the database as only who has its key can."""
        db = chain.connect(self.path, KEY)
        db.execute(sql, values)
        db.close()

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        db = chain.connect(self.path, KEY)
        found = db.execute(sql).fetchall()
        db.close()
        return list(found)


def void(value: object) -> None:
    """Let a value go."""
