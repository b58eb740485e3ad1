"""The run itself: begin anew with what is to be remembered.

Generated from agentos/v1/own.proto by `python -m agentos.sdk.generate`: change the proto, not this file.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentos.sdk.calls import Call, Reply, action
from agentos.sdk.generation import continue_with

__all__ = ["LeftResponse", "continue_with", "left"]


@dataclass(frozen=True, slots=True)
class LeftResponse:
    calls: int = 0
    """Calls under grants."""
    records: int = 0
    """Calls that may still be recorded, the kernel's own among them."""

    @classmethod
    def from_wire(cls, reply: Reply) -> LeftResponse:
        return cls(
            calls=int(reply.get("calls", 0)),
            records=int(reply.get("records", 0)),
        )


@action
def left() -> Call[LeftResponse]:
    """How much this generation may still do.

    Every program may make this call.
    """
    return Call("run.left", {}, LeftResponse.from_wire)
