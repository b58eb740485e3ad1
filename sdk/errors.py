"""How a call fails: six errors, each with a reason, the next step and, where that is too coarse, a word to branch on.

They are ordinary Python errors too, so that code which knows nothing of Agent OS catches what it would have caught: a
refusal is a `PermissionError`, a missing thing a `FileNotFoundError`, a bad request a `ValueError`, the rest `OSError`.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any, ClassVar, final

__all__ = ["AgentError", "Denied", "Invalid", "LimitExceeded", "NeedsApproval", "NotFound", "Unavailable"]


class AgentError(Exception):
    """A call that the kernel or a capability answered with an error. Catch it to catch all six."""

    code: ClassVar[str]
    number: ClassVar[int | None] = None

    reason: str
    """What happened and why, in one line."""
    hint: str
    """The next step; for a refusal, the manifest line that would allow it. May be empty."""
    detail: str
    """One word, such as `exists`, `is_folder`, `changed` or `quota` (listed in error.proto). May be empty."""

    def __init__(self, reason: str, hint: str = "", detail: str = "") -> None:
        # One argument only: given two, OSError would read them as an error number and its text.
        super().__init__(reason)
        self.reason, self.hint, self.detail = reason, hint, detail
        self.args = (reason, hint, detail)
        if self.number is not None:
            setattr(self, "errno", self.number)  # noqa: B010  (only those that are an OSError too have it)

    def __str__(self) -> str:
        return f"{self.reason.rstrip('.')}; {self.hint}" if self.hint else self.reason


@final
class Denied(AgentError, PermissionError):
    """Outside what the program may ever ask, or the person said no. Asking again gives the same answer."""

    code = "denied"
    number = errno.EACCES


@final
class NeedsApproval(AgentError, PermissionError):
    """The person could allow it, but nobody was there to ask. Leave it out, or let the person run the program."""

    code = "needs_approval"
    number = errno.EACCES


@final
class NotFound(AgentError, FileNotFoundError):
    """The thing is not there."""

    code = "not_found"
    number = errno.ENOENT


@final
class LimitExceeded(AgentError, OSError):
    """A limit, quota or budget is used up. Trying again does not help; doing less does."""

    code = "limit"
    number = errno.EDQUOT


@final
class Unavailable(AgentError, OSError):
    """Not now: a server is down, a disk full, a thing changed meanwhile. Trying again later may help."""

    code = "unavailable"
    number = errno.EAGAIN


@final
class Invalid(AgentError, ValueError):
    """The request itself is wrong; `detail` often says how. Trying the same again does not help."""

    code = "invalid"


FAMILY: Mapping[str, type[AgentError]] = {
    kind.code: kind for kind in (Denied, NeedsApproval, NotFound, LimitExceeded, Unavailable, Invalid)
}


def from_record(record: Mapping[str, Any]) -> AgentError:
    """The error for a reply's `{"code": …, "reason": …, "hint": …, "detail": …}`."""
    kind = FAMILY.get(str(record.get("code")), Unavailable)
    reason = str(record.get("reason") or "the call failed")
    return kind(reason, str(record.get("hint") or ""), str(record.get("detail") or ""))
