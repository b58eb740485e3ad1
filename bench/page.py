"""docs/performance.md, written from one run of the whole bench. Nothing in it is written by hand but this template."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bench
from bench.figures import Figure, Part
from bench.table import goal, shown

PAGE = Path(bench.__file__).parent.parent / "docs" / "performance.md"
TITLES = {
    "start": "How soon a program begins",
    "call": "What a call costs",
    "many": "Many runs",
    "memory": "What it weighs",
}
HEAD = """# How fast it is

Written by `python -m bench --write` from one run on one machine; do not edit it, run it again. The times hold for that
machine in that hour. The **ratios** are what is claimed: each is against a peer that took turns with ours in the same
run. `make bench` prints the same for yours.
"""


def write(parts: Sequence[Part], machine: dict[str, str], quick: bool) -> Path:
    PAGE.write_text(page(parts, machine, quick), encoding="utf-8")
    return PAGE


def page(parts: Sequence[Part], machine: dict[str, str], quick: bool) -> str:
    blocks = [HEAD, *(["**From the short form (`--quick`): indicative only.**\n"] if quick else []), _goals(parts)]
    blocks += [_section(part) for part in parts]
    blocks += ["## Method\n\n" + _method() + "\n", _machine(machine)]
    return "\n".join(blocks)


def _goals(parts: Sequence[Part]) -> str:
    with_goal = [(part, figure) for part in parts for figure in part.figures if figure.goal]
    missed = [(part, figure) for part, figure in with_goal if not figure.met]
    if not missed:
        return f"## Goals\n\nAll {len(with_goal)} goals were met in this run.\n"
    lines = [f"* **{part.name}, {figure.name}**: {_miss(figure)}" for part, figure in missed]
    met = len(with_goal) - len(missed)
    return (
        "## Goals\n\n" + f"{met} of {len(with_goal)} goals were met in this run. Missed:\n\n" + "\n".join(lines) + "\n"
    )


def _miss(figure: Figure) -> str:
    _, ours, theirs, ratio, _ = shown(figure)
    found = f"{ratio}, {ours} against {theirs}" if ratio else ours
    return f"{found}; the goal is {goal(figure).removesuffix(', missed')}. {figure.note}".strip()


def _section(part: Part) -> str:
    rows = ["| | ours | peer | ratio | goal |", "|---|---|---|---|---|"]
    rows += ["| " + " | ".join(shown(figure)) + " |" for figure in part.figures]
    notes = [f"* {figure.name}: {figure.note}" for figure in part.figures if figure.note]
    about = f"{part.about[0].upper()}{part.about[1:]}. Load of the machine before this part: {part.load:.2f}."
    return "\n".join(
        [f"## {TITLES[part.name]}\n", about, "", *rows, "", *notes, ""]
        if notes
        else [f"## {TITLES[part.name]}\n", about, "", *rows, ""]
    )


def _method() -> str:
    """The essay of the package, without its heading."""
    return (bench.__doc__ or "").split("------\n", 1)[1].strip()


def _machine(machine: dict[str, str]) -> str:
    return (
        "## Machine\n\n| | |\n|---|---|\n"
        + "\n".join(f"| {name} | {value} |" for name, value in machine.items())
        + "\n"
    )
