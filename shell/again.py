"""What the person said of where the kernel is, repeated in the commands that a hint names: they would reach another.

Kept for the one command line that a process reads. A command is known by its name, so that nothing else is changed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

from agentos.shell.text import quoted

_OPTIONS = ("--home", "--on")
LONGEST = 4096
# These work on the machine alone that they are called on.
HERE = {"init", "up", "service", "backup", "restore", "audit", "keys"}
_given: list[str] = []
_names = re.compile(r"(?!)")


def remember(tokens: Sequence[str], names: Iterable[str]) -> None:
    """Keep the global options of this command line; what follows `--` is the program's."""
    global _names
    _given.clear()
    ours = list(tokens[: tokens.index("--")]) if "--" in tokens else list(tokens)
    for at, token in enumerate(ours):
        option, equals, value = token.partition("=")
        if option in _OPTIONS and (equals or at + 1 < len(ours)):
            _given.extend((option, value if equals else ours[at + 1]))
    known = set(names) - (HERE if "--on" in _given[::2] else set())
    _names = re.compile(rf"\bagentos (?=(?:{'|'.join(sorted(map(re.escape, known)))})\b)")


def again(hint: str) -> str:
    """A text of ours whose commands reach the kernel that this one reached."""
    if not _given:
        return hint
    told = f"agentos {quoted(shlex.join(_given), LONGEST)} "
    return _names.sub(lambda _: told, hint)
