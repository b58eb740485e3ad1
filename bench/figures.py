"""What a measurement is: ours, its peer's, the ratio, the goal; and the little arithmetic that makes one."""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Goal:
    """What a figure should be at most, or at least: its ratio, or itself."""

    bound: float
    of_ratio: bool = True
    at_least: bool = False


@dataclass(frozen=True)
class Figure:
    """One line of the table. `theirs` is the peer's, in the same unit; without a peer there is no ratio.

    `missing` says why there is nothing: of the peer where there is one, else of ours.
    """

    name: str
    ours: float
    unit: str
    samples: int
    peer: str = ""
    theirs: float = 0.0
    ratio: float | None = None
    goal: Goal | None = None
    note: str = ""
    missing: str = ""

    @property
    def met(self) -> bool | None:
        """What was not measured meets no goal."""
        if self.goal is None:
            return None
        value = self.ratio if self.goal.of_ratio else self.ours
        if value is None or self.missing:
            return False
        return value >= self.goal.bound if self.goal.at_least else value <= self.goal.bound

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "met": self.met}


@dataclass(frozen=True)
class Part:
    """What one part of the bench found. `load` is the machine's, over one minute, before it began."""

    name: str
    about: str
    load: float
    figures: tuple[Figure, ...]

    def as_json(self) -> dict[str, object]:
        return {"part": self.name, "load": self.load, "figures": [figure.as_json() for figure in self.figures]}


def against(
    name: str, ours: float, theirs: float, unit: str, peer: str, samples: int, goal: float | None = None, note: str = ""
) -> Figure:
    """A figure whose ratio is that of the two values."""
    ratio = ours / theirs if theirs else None
    return Figure(name, ours, unit, samples, peer, theirs, ratio, Goal(goal) if goal is not None else None, note)


def by_rounds(
    name: str, ours: Sequence[float], theirs: Sequence[float], unit: str, peer: str, note: str = ""
) -> Figure:
    """A figure from rounds, each with both sides: medians, and the median of the rounds' ratios."""
    ratio = statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
    median = statistics.median
    return Figure(name, median(ours), unit, len(ours), peer, median(theirs), ratio, note=note)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * percent / 100), 1) - 1]


def load() -> float:
    return round(os.getloadavg()[0], 2)
