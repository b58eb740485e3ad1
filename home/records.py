"""What the journal holds of authority and its use: one frozen struct for each kind of record.

Grants are folds of these. `history` has the other kinds, and the encoding of all. A record is only ever added to: a
field that goes away keeps its place, a new one has a default, so that every journal ever written can still be read.
"""

from __future__ import annotations

import msgspec

Bounds = tuple[tuple[str, tuple[str, ...]], ...]
Targets = tuple[tuple[str, str], ...]
Amounts = tuple[tuple[str, int], ...]
Reasons = tuple[tuple[str, str], ...]


class Fault(msgspec.Struct, frozen=True):
    """How something failed, as a program and a person may know it: codes and words are those of error.proto."""

    code: int
    reason: str
    hint: str = ""
    detail: str = ""


class Terms(msgspec.Struct, frozen=True):
    """For how long a grant holds: `choice` is a control_pb2.Choice, the rest says until what.

    `call` is the digest of the one call that ONCE is for; `terminal` is (session leader, its start in ticks).
    """

    choice: int
    until_ms: int = 0
    call: str = ""
    terminal: tuple[int, int] = (0, 0)


class Grant(msgspec.Struct, frozen=True, tag="grant"):
    """What the person allowed: the only record of authority in the system."""

    id: str
    run: str
    program: str
    path: str
    digest: str
    action: str
    bounds: Bounds
    terms: Terms
    minted_ms: int
    # How many calls it is good for; 0 means any number.
    uses: int = 0
    origin: str = "person"
    parent: str = ""


class Denial(msgspec.Struct, frozen=True, tag="denial"):
    """The person said: never ask again for this program and these bounds."""

    id: str
    run: str
    program: str
    path: str
    action: str
    bounds: Bounds
    minted_ms: int


class Revoked(msgspec.Struct, frozen=True, tag="revoked"):
    """These grants (a grant and its subtree) or denials are void from here on."""

    ids: tuple[str, ...]
    run: str = ""


class CallMade(msgspec.Struct, frozen=True, tag="call"):
    """A call and what was decided. For an allowed call it is the intent, durable before dispatch unless OBSERVE."""

    run: str
    seq: int
    action: str
    # Canonical arguments as JSON, content redacted.
    args: str
    targets: Targets
    digest: str
    # A control_pb2.CallDecision.
    decision: int
    at_ms: int
    amounts: Amounts = ()
    grant: str = ""
    reasons: Reasons = ()
    fault: Fault | None = None
    line: int = 0
    # The run had read from outside before it asked for this.
    outside: bool = False


class CallSettled(msgspec.Struct, frozen=True, tag="reply"):
    """How a call ended. `released` gives the reserved use back: the effect certainly did not happen."""

    run: str
    seq: int
    took_us: int
    # JSON, or `sha256:…` of it where it is large.
    value: str = ""
    fault: Fault | None = None
    released: bool = False
    # The reply came from outside: nobody here wrote it, and it may be meant to mislead.
    foreign: bool = False
