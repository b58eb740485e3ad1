"""Colour and alignment for short texts. Colour only on a terminal, and never with NO_COLOR."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TextIO

from agentos.shell.again import again
from agentos.shell.text import printable

_CODES = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "bold": "1", "dim": "2"}


def coloured(stream: TextIO) -> bool:
    """Whether this stream is a terminal that may get colour."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width_of(stream: TextIO) -> int:
    """Columns of the terminal behind a stream; 0 where there is none, and nothing has to fit."""
    try:
        return max(40, os.get_terminal_size(stream.fileno()).columns)
    except (OSError, ValueError):
        return 0


def paint(text: str, *styles: str, on: bool) -> str:
    """Text in these styles, or as it is."""
    codes = [_CODES[style] for style in styles if style]
    return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if on and text and codes else text


def columns(rows: Sequence[Sequence[str]], indent: str = "  ", gap: str = "  ") -> list[str]:
    """Rows of cells as aligned lines; the last cell of a row is never padded."""
    widths: dict[int, int] = {}
    for row in rows:
        for place, cell in enumerate(row[:-1]):
            widths[place] = max(widths.get(place, 0), len(cell))
    return [
        (indent + gap.join([*(cell.ljust(widths[place]) for place, cell in enumerate(row[:-1])), row[-1]])).rstrip()
        for row in rows
    ]


def fitted(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Columns; where one does not fit, the last cells go below the ones before them. No width: one line each."""
    lines = columns(rows)
    if not width or all(len(line) <= width for line in lines):
        return lines
    parted: list[list[str]] = []
    for *row, last in rows:
        parted += [row, [*[""] * (len(row) - 1), "  " + last]] if last else [row]
    return columns(parted)


def folded(parts: Sequence[str], width: int, indent: str = "  ", gap: str = " · ") -> list[str]:
    """Parts in lines of at most this width, never broken inside a part."""
    lines = [indent + parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(gap) + len(part) <= width:
            lines[-1] += gap + part
        else:
            lines.append(indent + part)
    return lines


def say(text: str, *styles: str) -> None:
    """One line to the person, on standard error: standard output belongs to the program's result."""
    sys.stderr.write(paint(again(text), *styles, on=coloured(sys.stderr)) + "\n")
    sys.stderr.flush()


def emit(text: str) -> None:
    """One answer, on standard output; safe for a terminal, as it is for a pipe."""
    sys.stdout.write((printable(text) if sys.stdout.isatty() else text) + "\n")
    sys.stdout.flush()
