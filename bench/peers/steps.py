"""The peer of a durable run: DBOS on SQLite, in a process of its own that takes orders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bench.peers.install import PYTHON, why_not
from bench.peers.others import Driven, Missing, driving

NAME = "DBOS on SQLite"


class Steps(Driven):
    def step_ms(self, count: int) -> float:
        """The mean of so many steps in one workflow."""
        return float(str(self._ask(do="long", count=count)["ms"])) / count

    def workflows_ms(self, count: int) -> list[float]:
        """Workflows of one step, one after the other."""
        return _numbers(self._ask(do="single", count=count)["ms"])

    def queued_ms(self, count: int) -> tuple[float, float]:
        """So many of them put into a queue at once: until all are taken in, and until all are done."""
        told = self._ask(do="queued", count=count)
        return float(str(told["taken_ms"])), float(str(told["ms"]))

    def heard_ms(self, count: int) -> list[float]:
        """From putting one into the queue to its first line, of so many."""
        return _numbers(self._ask(do="heard", count=count)["ms"])


def _numbers(found: object) -> list[float]:
    assert isinstance(found, list)
    return [float(each) for each in found]


@contextmanager
def steps() -> Iterator[Steps]:
    """Raises Missing where it is not here."""
    if why := why_not(PYTHON):
        raise Missing(why)
    with driving([str(PYTHON / "bin" / "python"), "-m", "bench.peers.driven.steps"], Steps) as made:
        yield made
