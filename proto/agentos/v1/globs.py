"""Path patterns: what one means, and whether it matches a path. Everything here has been brought into canonical form.

Here belongs the reading of a canonical pattern and its comparison with names. What an author may write is said in
`patterns`.

A pattern is a path whose segments may hold `*` (any run of characters) and `?` (one character); a segment that is `**`
stands for any number of segments. At the end it stands for at least one: `notes/**` is all that is in notes, not notes
itself, so that a grant over a folder's content does not let a program move the folder away. Wildcards match names that
begin with a dot. `\\` before one of `* ? [ ] { } \\` means the character itself.

Matching looks leftmost for the text between two stars of a segment, and for the segments between two `**`, and never
goes back. Leftmost is enough (what a later star can absorb only grows), so no input is slow. For a segment a regular
expression does it, in which atomic groups, `(?>…)`, forbid going back.

The names on the other side may themselves be a narrower pattern read as text, for `patterns.contains`: None then is
its `**`, `RUN` its star, `ONE` its `?`. What they may stand for, only an equal or wider wildcard here covers. No value
holds these two characters, nor is any of its names None.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby, takewhile
from typing import NamedTuple

from agentos.v1.names import BadName
from agentos.v1.paths import split

SPECIAL = "*?[]{}\\"
ONE = "\0"
RUN = "\1"

Segment = str  # with ONE for `?` and RUN for `*`, and without any `\`
Names = Sequence[str | None]
# All that a segment is made of. What is left of a text without these is what must not stand there.
_MARK = re.compile(r"\\[*?\[\]{}\\]|\*(?!\*)|[^*\[\]{}\\\0\1]")
# More than the text of one manifest has room for: no program can make every call read its patterns anew.
MOST_KNOWN = 16_384
_WILD = {"*": RUN, "?": ONE}
_MISPLACED = {
    "*": "`**` is only allowed as a whole segment: folder/**/*.md",
    "\\": "`\\` stands only before one of * ? [ ] { } \\",
    ONE: "a pattern has no control characters",
    RUN: "a pattern has no control characters",
}


class Glob(NamedTuple):
    """A path pattern: the segments before the first `**`, then for each `**` how many names it stands for at least
    and the segments after it."""

    head: tuple[Segment, ...]
    gaps: tuple[tuple[int, tuple[Segment, ...]], ...]

    def folder(self) -> list[str]:
        """The names of the folder that all it matches lies in: its literal beginning, without the last segment."""
        literal = list(takewhile(_literal, self.head))
        return literal if self.gaps or len(literal) < len(self.head) else literal[:-1]


@lru_cache(MOST_KNOWN)
def parsed(pattern: str) -> Glob:
    segments = [None if s == "**" else read_segment(s) for s in split(pattern)]
    chunks: list[tuple[int, list[Segment]]] = [(0, [])]
    # `*` beside `**` only raises how many names it stands for at least.
    for wild, group in groupby(segments, lambda s: s is None or s == RUN):
        run = list(group)
        named = [s for s in run if s is not None]
        if wild and len(named) < len(run):
            chunks.append((len(named), []))
        else:
            chunks[-1][1].extend(named)
    if segments[-1:] == [None]:  # at the end it stands for at least one name
        chunks[-1] = (chunks[-1][0] + 1, [])
    return Glob(tuple(chunks[0][1]), tuple((n, tuple(c)) for n, c in chunks[1:]))


def read_segment(text: str) -> Segment:
    """One segment that is not `**`."""
    wrong = _MARK.sub("", text)
    if wrong:
        only = f"only *, ? and ** are wildcards: write \\{wrong[0]} for the character itself"
        raise BadName(_MISPLACED.get(wrong[0], only))
    return _normal(_MARK.sub(lambda mark: _WILD.get(mark[0], mark[0][-1]), text).split(RUN))


def _normal(pieces: list[str]) -> Segment:
    """The segment of these texts between stars; in each run of wildcards `?` first, so that equals look equal."""
    for i in range(1, len(pieces)):
        bare = pieces[i].lstrip(ONE)
        pieces[i - 1] += pieces[i][: len(pieces[i]) - len(bare)]
        pieces[i] = bare
    segment = RUN.join((pieces[0], *(p for p in pieces[1:-1] if p), *pieces[-1:][: len(pieces) - 1]))
    return RUN if segment == ONE + RUN else segment


def spans(wide: Glob, names: Names) -> bool:
    """Whether a pattern covers a sequence of names."""
    if not wide.gaps:
        return len(names) == len(wide.head) and _run_fits(wide.head, names, 0)
    if not _run_fits(wide.head, names, 0):
        return False
    at = len(wide.head)
    for least, chunk in wide.gaps[:-1]:
        at = _skip(names, at, least)
        while not _run_fits(chunk, names, at):
            at += 1
            if at + len(chunk) > len(names):
                return False
        at += len(chunk)
    least, chunk = wide.gaps[-1]
    end = len(names) - len(chunk)
    return _skip(names, at, least) <= end and _run_fits(chunk, names, end)


def _skip(names: Names, at: int, least: int) -> int:
    """The first position with `least` names between `at` and it; beyond the end if there are not so many."""
    while least and at < len(names):
        least -= names[at] is not None
        at += 1
    return at + least


def _run_fits(chunk: tuple[Segment, ...], names: Names, at: int) -> bool:
    there = names[at : at + len(chunk)]
    return len(there) == len(chunk) and all(map(fits, chunk, there))


def fits(segment: Segment, name: str | None) -> bool:
    """Whether one segment of a pattern covers one name."""
    if name is None or _literal(segment):
        return segment == name
    return _regex(segment).fullmatch(name) is not None


def _literal(segment: Segment) -> bool:
    return ONE not in segment and RUN not in segment


@lru_cache(MOST_KNOWN)
def _regex(segment: Segment) -> re.Pattern[str]:
    first, *others = (re.escape(piece).replace(ONE, f"[^{RUN}]") for piece in segment.split(RUN))
    between = "".join(f"(?>.*?{piece})" for piece in others[:-1])
    last = "".join(f".*{piece}" for piece in others[-1:])
    return re.compile(first + between + last, re.DOTALL)
