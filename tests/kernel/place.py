"""A home whose kernel can be killed and started again, and a person beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kernel.person import Person, kernel_on


class Place:
    """One home, and the folder of its person."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.folder = folder
        self.home = home
        self.log = folder / "kernel.log"

    @contextmanager
    def up(self) -> Iterator[Person]:
        """A kernel, until the end or until it is killed."""
        with kernel_on(self.home, self.log) as served:
            person = Person(served.socket, served.credential, self.folder)
            try:
                yield person
            finally:
                person.close()

    def lines(self) -> list[str]:
        log = self.folder / "log.txt"
        return log.read_text().split() if log.exists() else []
