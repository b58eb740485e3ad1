"""Time.

Generated from agentos/v1/own.proto by `python -m agentos.sdk.generate`: change the proto, not this file.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentos.sdk.calls import Call, Reply, action

__all__ = ["NowResponse", "now", "sleep"]


@dataclass(frozen=True, slots=True)
class NowResponse:
    unix_ms: int = 0
    """Since 1970-01-01 UTC, in milliseconds."""
    monotonic_ms: int = 0
    """Since the run began, in milliseconds; never goes back."""
    zone: str = ""
    """The person's time zone: its name if known, and its offset from UTC now, in seconds."""
    offset_s: int = 0

    @classmethod
    def from_wire(cls, reply: Reply) -> NowResponse:
        return cls(
            unix_ms=int(reply.get("unix_ms", 0)),
            monotonic_ms=int(reply.get("monotonic_ms", 0)),
            zone=reply.get("zone", ""),
            offset_s=int(reply.get("offset_s", 0)),
        )


@action
def now() -> Call[NowResponse]:
    """The time now. Coarse on purpose: a fine clock is a side channel.

    Every program may make this call.
    """
    return Call("clock.now", {}, NowResponse.from_wire)


@action
def sleep(ms: int) -> Call[None]:
    """Waits.

    Every program may make this call.

    ms: Milliseconds, 0 to 366 days.
    """
    return Call("clock.sleep", {"ms": ms}, lambda _: None)
