"""The figures as a person reads them: one table for each part, and what a missed goal means."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from bench.figures import Figure, Part

MISSING = "not measured"
COLUMNS = ("", "ours", "peer", "ratio", "goal")


def shown(figure: Figure) -> tuple[str, str, str, str, str]:
    """The cells of one row, as plain text."""
    ratio = f"{figure.ratio:.3g} ×" if figure.ratio is not None else ""
    ours, theirs = amount(figure.ours, figure.unit), amount(figure.theirs, figure.unit) if figure.peer else ""
    if figure.missing:
        ours, theirs = (ours if figure.peer else MISSING), MISSING if figure.peer else ""
    return figure.name, ours, f"{theirs} ({figure.peer})" if figure.peer else "", ratio, goal(figure)


def remark(figure: Figure) -> str:
    """What stands below the table."""
    missing = f"{figure.peer} {MISSING}: {figure.missing}".lstrip() if figure.missing else ""
    return "; ".join(part for part in (missing, figure.note) if part)


def amount(value: float, unit: str) -> str:
    digits = 0 if value >= 100 or not unit else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}".strip()


def goal(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    times = " ×" if figure.goal.of_ratio else ""
    outcome = MISSING if figure.missing else "met" if figure.met else "missed"
    unit = f" {figure.unit}" if figure.unit and not figure.goal.of_ratio else ""
    return f"{'≥' if figure.goal.at_least else '≤'} {figure.goal.bound:,.10g}{times}{unit}, {outcome}"


def show(part: Part, console: Console) -> None:
    title = f"{part.name}: {part.about}. Load before: {part.load:.2f}"
    table = Table(*COLUMNS, title=title, title_justify="left", title_style="bold")
    for figure in part.figures:
        style = {True: "green", False: "red", None: ""}[figure.met]
        table.add_row(*shown(figure), style=style)
    console.print(table)
    for said in dict.fromkeys(f"  {figure.name}: {remark(figure)}" for figure in part.figures if remark(figure)):
        console.print(said, style="dim", markup=False, highlight=False)
    console.print()
