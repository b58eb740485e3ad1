"""admit: the one place where authority to act is made.

`admit` decides, reserves and records in one breath: it never waits, the kernel has one event loop, and the
journal has one order, so no other call can come between the decision and the reservation. What it hands out on
success, an `Authorized`, is the only thing `execute` takes, and nothing else can make one.
"""

from __future__ import annotations

from typing import Protocol, final

from agentos.home.records import CallMade, CallSettled, Fault, Revoked
from agentos.kernel.call import Call, redacted
from agentos.kernel.decide import Allow, Ask, Case, Deny, decide
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2


class Ledger(Protocol):
    """The journal, as the path of a call needs it."""

    def record(self, *records: CallMade | CallSettled | Revoked) -> int:
        """Append as one unit and fold; returns the sequence number. Never waits."""
        ...

    async def durable(self, seq: int) -> None:
        """Returns when all up to this record is on disk."""
        ...

    def soon(self) -> None:
        """Have what is recorded next on disk within milliseconds, though nobody waits for it."""


_seal = object()


@final
class Authorized:
    """A call that was decided, reserved and recorded. Only `admit` makes one; each is good for one execution."""

    __slots__ = ("_spent", "at_ms", "call", "grant", "seq")

    def __init__(self, call: Call, grant: str, seq: int, at_ms: int, seal: object) -> None:
        if seal is not _seal:
            raise TypeError("only admit makes an Authorized")
        self.call = call
        self.grant = grant
        self.seq = seq
        self.at_ms = at_ms
        self._spent = False

    def spend(self) -> Call:
        """The call to execute, once."""
        if self._spent:
            raise RuntimeError("an Authorized is good for one execution")
        self._spent = True
        return self.call


def admit(case: Case, ledger: Ledger, now_ms: int) -> Authorized | Ask | Deny:
    """Decide on the case as things stand now; if allowed, reserve and record it.

    An Ask leaves no trace: the person is asked and the call admitted again. A Deny is recorded by `refuse`.
    """
    verdict = decide(case)
    if not isinstance(verdict, Allow):
        return verdict
    decision = pb.CALL_DECISION_ALLOWED if verdict.grant else pb.CALL_DECISION_INHERENT
    made = record(case.call, decision, now_ms, grant=verdict.grant, reasons=verdict.reasons)
    return Authorized(case.call, verdict.grant, ledger.record(made), now_ms, _seal)


def readmit(case: Case, made: CallMade) -> Authorized | Fault:
    """A call that is on record and whose answer never came, to be made again if it may be made now.

    The case must have the grant as it was before the call. Its record and its reservation stand, so nothing is added
    and nothing can be overdrawn; under another grant, or with a new question, it would be another call.
    """
    verdict = decide(case)
    if isinstance(verdict, Allow) and verdict.grant == made.grant and case.call.digest == made.digest:
        return Authorized(case.call, made.grant, 0, made.at_ms, _seal)
    reason = "it was cut off, and what allowed it holds no more: it was not made again"
    return verdict.fault if isinstance(verdict, Deny) else Fault(error_pb2.CODE_DENIED, reason, "see: agentos grants")


def refuse(call: Call, verdict: Deny, ledger: Ledger, now_ms: int) -> int:
    """Record a refusal; returns the record's number."""
    return ledger.record(record(call, pb.CALL_DECISION_REFUSED, now_ms, reasons=verdict.reasons, fault=verdict.fault))


def record(
    call: Call, decision: int, now_ms: int, grant: str = "", reasons: tuple[tuple[str, str], ...] = (),
    fault: Fault | None = None,
) -> CallMade:  # fmt: skip
    """The journal's record of a call and its decision."""
    return CallMade(
        run=call.run, seq=call.seq, action=call.rule.name,
        args=redacted(call.request, call.rule.contents()),
        targets=call.targets, digest=call.digest, decision=decision, at_ms=now_ms, amounts=call.amounts,
        grant=grant, reasons=reasons, fault=fault, line=call.line, outside=call.outside,
    )  # fmt: skip


def settle(call: Call, took_us: int, value: str, fault: Fault | None, released: bool, ledger: Ledger) -> int:
    """Record how an admitted call ended; its reservation becomes a use, or is given back."""
    return ledger.record(
        CallSettled(
            call.run, call.seq, took_us, value, fault, released, foreign=call.rule.foreign and fault is None
        )
    )  # fmt: skip
