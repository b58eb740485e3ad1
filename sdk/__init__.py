"""What a program imports: `from agentos.sdk import files`. Each capability is a module; a call answers or raises."""

from __future__ import annotations

from agentos.sdk.calls import Call, gather
from agentos.sdk.errors import AgentError, Denied, Invalid, LimitExceeded, NeedsApproval, NotFound, Unavailable
from agentos.sdk.wire import call

__all__ = [
    "AgentError",
    "Call",
    "Denied",
    "Invalid",
    "LimitExceeded",
    "NeedsApproval",
    "NotFound",
    "Unavailable",
    "call",
    "gather",
]
