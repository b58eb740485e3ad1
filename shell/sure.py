"""Is the person sure? For what cannot be undone a word is to be typed, and no key that is pressed by habit."""

from __future__ import annotations

from agentos.shell.failure import Exit, Failure
from agentos.shell.terminal import Unanswered, open_terminal


def typed(question: str, wanted: str) -> bool:
    """Whether the person typed just this. Raises Failure where nobody can be asked."""
    terminal = open_terminal()
    if terminal is None:
        raise Failure("nobody is at a terminal to be asked", "say --yes, if you are sure", Exit.REFUSED, "denied")
    try:
        return terminal.line(question) == wanted
    except Unanswered:
        return False
