"""Replay: what a run did before it was cut off, answered from the journal.

A run is a function of its program, its input and the replies that it got. So a run that lost its cell, its kernel or
its power is played again from its beginning in a new cell, and each call that is on record is answered with the reply
on record: it is not decided on again, not made again, and costs no disk. Where the record ends, the run goes on.

A call that differs from the one on record under its number is a divergence: the program, or what runs it, is no longer
a function of what we know. Going on could repeat what was done, so the run ends, and both calls are shown. So does one
whose program returns before it has asked for all that is on record; what a limit or the person ends may well have asked
for less.

What is on record without an answer was cut off: `Cut`. What then may be done is said by its action (`again`).
"""

from __future__ import annotations

import msgspec

from agentos.home.records import CallMade, CallSettled, Fault
from agentos.kernel.call import Call, redacted
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2

UNKNOWN = Fault(
    error_pb2.CODE_UNAVAILABLE, "it was cut off, and happened; what it answered is not known",
    "look at what it did before going on", "happened",
)  # fmt: skip


class Recorded(msgspec.Struct, frozen=True):
    """A call as the journal has it. `cleared`: the person said that it did not happen."""

    made: CallMade
    settled: CallSettled | None = None
    cleared: bool = False


class Cut(msgspec.Struct, frozen=True):
    """A call that was on its way when its run was cut off."""

    call: Call
    past: Recorded


class Diverged(Exception):
    """The program asks for something else than it did before. `made` is what is on record."""

    def __init__(self, made: CallMade, asked: str) -> None:
        super().__init__(asked)
        self.made = made
        self.asked = asked


def recalled(call: Call, past: Recorded) -> str | Fault | Cut:
    """What a call gets that is on record. Raises Diverged."""
    made = past.made
    same = call.prepared(made.targets)
    if made.action != call.rule.name or made.digest != same.digest:
        raise Diverged(made, f"{call.rule.name} {redacted(call.request, call.rule.contents())}")
    if made.decision == pb.CALL_DECISION_REFUSED:
        return made.fault or Fault(error_pb2.CODE_DENIED, "it was refused")
    # A large reply was once kept by its digest alone: that it was given is known, and what it was is not.
    if past.settled is None or past.settled.value.startswith("sha256:"):
        return Cut(same, past)
    return past.settled.fault or past.settled.value
