"""Runs that this run starts, with no more than it has itself.

Generated from agentos/v1/own.proto by `python -m agentos.sdk.generate`: change the proto, not this file.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentos.sdk.calls import Call, Reply, action
from agentos.sdk.child import Child, spawn

__all__ = ["Child", "JoinResponse", "cancel", "join", "spawn"]


@dataclass(frozen=True, slots=True)
class JoinResponse:
    status: str = ""
    """done, failed, refused, limit or cancelled."""
    result: str = ""
    """JSON of what it returned."""
    reason: str = ""
    """Why it did not end well."""
    hint: str = ""
    outside: tuple[str, ...] = ()
    """Where what it has read came from, as far as that is outside."""

    @classmethod
    def from_wire(cls, reply: Reply) -> JoinResponse:
        return cls(
            status=reply.get("status", ""),
            result=reply.get("result", ""),
            reason=reply.get("reason", ""),
            hint=reply.get("hint", ""),
            outside=tuple(item for item in reply.get("outside", ())),
        )


@action
def join(run: str) -> Call[JoinResponse]:
    """Waits until a child of this run is over.

    Every program may make this call.
    """
    return Call("children.join", {"run": run}, JoinResponse.from_wire)


@action
def cancel(run: str) -> Call[None]:
    """Ends a child of this run and all below it. One that is over stays as it is.

    Every program may make this call.
    """
    return Call("children.cancel", {"run": run}, lambda _: None)
