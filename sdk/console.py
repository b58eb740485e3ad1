"""The run's output, and lines typed by the person who started it.

Generated from agentos/v1/own.proto by `python -m agentos.sdk.generate`: change the proto, not this file.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentos.sdk.calls import Call, Reply, action

__all__ = ["ReadLineResponse", "read_line"]


@dataclass(frozen=True, slots=True)
class ReadLineResponse:
    text: str = ""
    """Without the line's end."""
    end: bool = False
    """True where the input is at its end."""

    @classmethod
    def from_wire(cls, reply: Reply) -> ReadLineResponse:
        return cls(
            text=reply.get("text", ""),
            end=reply.get("end", False),
        )


@action
def read_line(prompt: str) -> Call[ReadLineResponse]:
    """One line typed by the person. Unavailable where nobody is at a terminal.

    Every program may make this call.
    """
    return Call("console.read_line", {"prompt": prompt}, ReadLineResponse.from_wire)
