"""How the shell fails: what happened, why, and what to do; and with which exit code."""

from __future__ import annotations

from enum import IntEnum

from agentos.shell.text import printable

CODES = ("unspecified", "denied", "needs_approval", "not_found", "limit", "unavailable", "invalid")


class Exit(IntEnum):
    """What the shell tells the one who called it."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    LIMIT = 4
    NO_KERNEL = 5


# Which exit code an error of the kernel means: a wrong request, manifest or name is usage.
EXITS = {
    "denied": Exit.REFUSED,
    "needs_approval": Exit.REFUSED,
    "not_found": Exit.USAGE,
    "limit": Exit.LIMIT,
    "unavailable": Exit.FAILED,
    "invalid": Exit.USAGE,
}


class Failure(Exception):
    """The command cannot go on. Caught once, in main, and shown with its next step."""

    def __init__(self, reason: str, hint: str = "", exit_code: Exit = Exit.USAGE, code: str = "invalid") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.exit_code = exit_code
        self.code = code

    @property
    def shown(self) -> str:
        """For a person: the reason, and below it what to do."""
        safe = printable(f"{self.reason}\n{self.hint}" if self.hint else self.reason)
        first, *rest = safe.split("\n")
        return "\n".join([f"agentos: {first}", *("  " + line for line in rest)])

    @property
    def fields(self) -> dict[str, str]:
        """For a script, as the error of the JSON object."""
        return {"code": self.code, "message": self.reason, "hint": self.hint}


def no_kernel(reason: str, hint: str = "") -> Failure:
    """Nothing to talk to: exit code 5."""
    return Failure(reason, hint, Exit.NO_KERNEL, "unavailable")
