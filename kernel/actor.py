"""A run, as the path of a call sees it: who it is, what it may yet do, what it has heard, and whom to turn to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec
from google.protobuf.message import Message

from agentos.home.records import Fault
from agentos.kernel import wire
from agentos.kernel.call import Call, source
from agentos.kernel.decide import Ask
from agentos.kernel.grants import Standing
from agentos.kernel.replay import Recorded
from agentos.manifest.lines import Manifest
from agentos.v1 import error_pb2 as pb

# The kernel's own calls, and requests: each is cheap, and none is free.
OWN_FOR_EACH = 200
# So far a run may go on beyond its limit; then it does not heed it, and is ended. Of nonsense no more is recorded.
CALLS_BEYOND_LIMIT = 100
# So many replies, and so much of each, are at hand when a question says where a value comes from.
KEPT_REPLIES, KEPT_WHOLE = 32, 65_536


class Actor(msgspec.Struct):
    who: Standing
    manifest: Manifest
    start_folder: str
    home_folder: str
    # Serves the kernel's own calls for this run, recorded at this time. Raises Failed.
    own: Callable[[Call, int], Awaitable[Message]]
    # Puts calls to the person and returns which were decided at all; None where nobody can be asked.
    ask: Callable[[Sequence[tuple[Call, Ask]]], Awaitable[set[str] | None]]
    # Asks the person what became of a call that nobody can tell of; returns when that is on record.
    settled: Callable[[Call], Awaitable[Recorded]]
    printed: Callable[[int, str], None]
    refused_call: Callable[[Call, Fault], None]
    # Ends the run: the program does not heed its limits.
    stop: Callable[[str], None]
    seq: int = 0
    # The request under way has one call, and no others that a wait of this one would hold up.
    alone: bool = True
    calls: int = 0
    own_calls: int = 0
    refused: int = 0
    questions: int = 0
    declined: set[str] = msgspec.field(default_factory=set)
    replies: list[tuple[int, str, str]] = msgspec.field(default_factory=list)
    # Where what it has read came from, as far as that is outside: hosts, or actions where no host is named.
    outside: dict[str, None] = msgspec.field(default_factory=dict)
    # This kernel stops, and the next one goes on with the run.
    let_go: bool = False
    # What it did before it was cut off, and does not do again.
    past: dict[int, Recorded] = msgspec.field(default_factory=dict)
    # The number of the newest record that it heard of. Nothing of it is told to anyone before that is on disk.
    heard_at: int = 0

    def count(self, own_call: bool) -> None:
        """Count a call, or a request, against the limit. Raises BadRequest beyond it, and ends who does not heed it."""
        most = self.manifest.limits.calls
        self.own_calls += own_call
        self.calls += not own_call
        over = self.own_calls - most * OWN_FOR_EACH if own_call else self.calls - most
        if over > CALLS_BEYOND_LIMIT:
            self.stop("calls")
        if over > 0:
            raise wire.BadRequest(
                f"more than {most} calls in one run", "raise limits = { calls = … } in the manifest", code=pb.CODE_LIMIT
            )

    def heard(self, call: Call, value: str) -> None:
        """Keep what the program knows from here on."""
        self.replies = [*self.replies[1 - KEPT_REPLIES :], (call.seq, call.rule.name, value[:KEPT_WHOLE])]
        if call.rule.foreign:
            self.outside[source(call.rule, call.targets)] = None
