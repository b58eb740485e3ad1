"""The figures as a person reads them: one table for each part, and what a missed goal means."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from bench.figures import Figure, Part

COLUMNS = ("", "ours", "peer", "ratio", "goal")


def shown(figure: Figure) -> tuple[str, str, str, str, str]:
    """The cells of one row, as plain text."""
    ratio = f"{figure.ratio:.3g} ×" if figure.ratio is not None else ""
    theirs = f"{amount(figure.theirs, figure.unit)} ({figure.peer})" if figure.peer else ""
    return figure.name, amount(figure.ours, figure.unit), theirs, ratio, goal(figure)


def amount(value: float, unit: str) -> str:
    digits = 0 if value >= 100 or not unit else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}".strip()


def goal(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    times = " ×" if figure.goal.of_ratio else ""
    return f"≤ {figure.goal.most:g}{times}, {'met' if figure.met else 'missed'}"


def show(part: Part, console: Console) -> None:
    title = f"{part.name}: {part.about}. Load before: {part.load:.2f}"
    table = Table(*COLUMNS, title=title, title_justify="left", title_style="bold")
    for figure in part.figures:
        style = {True: "green", False: "red", None: ""}[figure.met]
        table.add_row(*shown(figure), style=style)
    console.print(table)
    for figure in part.figures:
        if figure.note:
            console.print(f"  {figure.name}: {figure.note}", style="dim", markup=False, highlight=False)
    console.print()
