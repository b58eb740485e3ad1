"""A mutation: one check taken out of the source by its exact text, and the tests that must notice.

The text is looked for in one room (`kernel`, not its folders), wherever in it the check stands now, and must be there
exactly once. So a check that moves is followed, and one that was rewritten is an error here until its mutation is, too.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Drifted(Exception):
    """The text of a mutation is not in its room, or is there twice."""


@dataclass(frozen=True)
class Mutation:
    """`takes` says what is taken out. `edits` are (text, what stands there instead); `tests` are below `tests/`."""

    rule: int
    takes: str
    room: str
    edits: tuple[tuple[str, str], ...]
    tests: tuple[str, ...]

    def applied(self, root: Path) -> dict[Path, str]:
        """The files of this tree that change, and what they hold then. Raises Drifted."""
        sources = {path: path.read_text(encoding="utf-8") for path in sorted((root / self.room).glob("*.py"))}
        changed: dict[Path, str] = {}
        for old, new in self.edits:
            path = self._place(sources, old)
            sources[path] = changed[path] = sources[path].replace(old, new)
        for path, text in changed.items():
            try:
                ast.parse(text)
            except SyntaxError as wrong:
                raise Drifted(f"{self.takes}: {path.name} would be no Python: {wrong}") from None
        return changed

    def _place(self, sources: dict[Path, str], old: str) -> Path:
        found = [path for path, text in sources.items() for _ in range(text.count(old))]
        if len(found) != 1:
            where = f"{len(found)} times ({', '.join(path.name for path in found)})" if found else "nowhere"
            raise Drifted(f"rule {self.rule}, {self.takes}: its text is {where} in {self.room}/: {old.strip()!r}")
        return found[0]


def out(rule: int, takes: str, room: str, old: str, new: str, *tests: str) -> Mutation:
    """One check, in one place."""
    return Mutation(rule, takes, room, ((old, new),), tests)


def never(rule: int, takes: str, room: str, condition: str, *tests: str) -> Mutation:
    """One check whose `if` is never true any more."""
    return out(rule, takes, room, f"if {condition}:", "if False:", *tests)
