"""Generations: a run that goes on for ever begins anew with a carried state, so that what is played again has an end.

A run keeps its name through all of them, and with it its grants and what it has used of them: whoever follows, shows or
cancels it means the same run. One record ends a generation and begins the next, so that a crash leaves the one or the
other. Each is played from the program's beginning, in whatever guest there is then; its calls are numbered on.

A generation may make as many calls as its limits say, and have KEPT on record. The follower is told before that.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import msgspec

from agentos.home.history import RunContinued
from agentos.home.records import Fault
from agentos.kernel.actor import Actor
from agentos.kernel.call import Failed
from agentos.kernel.ledger import Ledger
from agentos.runs.run import Run
from agentos.v1 import error_pb2, own_pb2

MAX_STATE = 256 << 10
KEPT = 1_000_000
# A program that does nothing else does it no faster, whatever its limit of processor time for each generation.
AT_LEAST_S = 1.0


class Continued(Exception):
    """The generation under way is over, and the next begins with this state."""

    def __init__(self, state: str) -> None:
        super().__init__()
        self.state = state


def end(request: own_pb2.RunContinueWithRequest, alone: bool) -> Continued:
    """What to raise where a program continues with a state. Raises Failed where it cannot."""
    if not alone:
        raise Failed(
            Fault(error_pb2.CODE_INVALID, "a generation ends by a call of its own", "take it out of the gather")
        )
    if len(request.state.encode()) > MAX_STATE:
        reason = f"a state is at most {MAX_STATE >> 10} KiB"
        raise Failed(Fault(error_pb2.CODE_LIMIT, reason, "keep what is large in a file", "too_large"))
    try:
        msgspec.json.decode(request.state, type=msgspec.Raw)
    except msgspec.DecodeError:
        raise Failed(Fault(error_pb2.CODE_INVALID, "a state is JSON")) from None
    return Continued(request.state)


def left(run: Run, actor: Actor) -> own_pb2.RunLeftResponse:
    return own_pb2.RunLeftResponse(
        calls=max(run.manifest.limits.calls - actor.calls, 0), records=max(KEPT - actor.seq + run.first, 0)
    )


def watch(run: Run, actor: Actor) -> None:
    """Warn of the limits of a generation, and end it at what is kept of one."""
    found = left(run, actor)
    if found.records == 0:
        run.stop("kept")
    scarce = found.calls * 5 < run.manifest.limits.calls or found.records * 5 < KEPT
    if scarce and not run.warned and not actor.past:
        run.warned = True
        run.tell(
            notice=f"it has {found.calls:,} calls left, and {found.records:,} more are kept on record: "
            "a program that goes on for ever begins anew with run.continue_with(state)"
        )


async def begin(run: Run, ledger: Ledger, now_ms: int) -> None:
    """End the generation under way and begin the next."""
    before, actor, ended = run.continued, run.actor, run.continuing
    if actor is None or ended is None:
        return
    run.continuing = None
    run.continued = RunContinued(
        run.id, before.generation + 1 if before else 1, actor.seq, ended, now_ms, run.output.decode(),
        run.output_cut, tuple(actor.outside),
    )  # fmt: skip
    await ledger.durable(ledger.record(run.continued))
    run.renew()
    with suppress(TimeoutError):
        await asyncio.wait_for(run.woken.wait(), max(AT_LEAST_S - (time.monotonic() - run.since_s), 0))
    run.since_s = time.monotonic()
