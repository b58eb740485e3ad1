"""Seeing what runs do and did, and putting an end to it: ps, show, why, settle, cancel."""

from __future__ import annotations

from typing import Annotated

from agentos.shell import render, values
from agentos.shell.again import again
from agentos.shell.failure import Exit, Failure
from agentos.shell.paint import emit, say
from agentos.shell.session import ALL, DEFAULTS, Common, Flag, Optional
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2


def ps(*, all_: Annotated[bool, ALL] = False, unknown: Annotated[bool, Flag] = False, common: Common = DEFAULTS) -> int:
    """List runs, newest first.

    Parameters
    ----------
    all_
        The last 1,000 instead of the last 20.
    unknown
        The calls that were cut off, and of which nobody can tell whether they happened.
    """
    if unknown:
        return _unknown(common)
    with common.kernel() as kernel:
        found = kernel.call(kernel.stub.ListRuns, pb.ListRunsRequest(limit=1000 if all_ else 20)).runs
        state = kernel.call(kernel.stub.Status, pb.StatusRequest())
    if not common.answer([values.listed(run) for run in found]):
        render.runs(found)
    render.standing_still(state)
    return 0


def _unknown(common: Common) -> int:
    with common.kernel() as kernel:
        under_way = kernel.call(kernel.stub.Status, pb.StatusRequest()).runs_active
        found = kernel.call(kernel.stub.ListUnknown, pb.ListUnknownRequest()).calls
    if not common.answer([{"run": each.run, "program": each.program, **values.call(each.call)} for each in found]):
        render.unknown(found, under_way)
    return 0


def settle(
    run: str,
    seq: int,
    /,
    *,
    happened: Annotated[bool, Flag] = False,
    did_not: Annotated[bool, Flag] = False,
    reply: Annotated[str | None, Optional] = None,
    common: Common = DEFAULTS,
) -> int:
    """Say what became of a call that was cut off and that nobody can tell of. Its run then goes on.

    Look at the place itself first: what you say is taken as it is. A call that
    did not happen is made now, once.

    Parameters
    ----------
    run
        The run's id, from agentos ps --unknown.
    seq
        The call's number in it.
    happened
        It happened. The program is told so, and that its answer is not known.
    did_not
        It did not.
    reply
        What it answered, as JSON, if you know: then the program gets that.
    """
    if happened == did_not:
        raise Failure("say which of both", f"agentos settle {run} {seq} --happened, or --did-not", Exit.USAGE)
    request = pb.SettleCallRequest(run=run, seq=seq, happened=happened, reply=reply or "")
    with common.kernel() as kernel:
        kernel.call(kernel.stub.SettleCall, request)
    if not common.answer({"run": run, "seq": seq, "happened": happened}):
        say(f"{run} goes on: agentos follow {run}")
    return 0


def show(run: str = "last", /, *, generation: Annotated[int | None, Optional] = None, common: Common = DEFAULTS) -> int:
    """Show one run: how it ended, where its time went, and every call it made.

    Parameters
    ----------
    run
        Its id, or last.
    generation
        Of a run that began anew: show that generation of it, from 1, instead of
        its newest.
    """
    if generation is not None and generation < 1:
        raise Failure("the first generation of a run is 1", f"agentos show {run} --generation 1")
    request = pb.ShowRunRequest(run=run, generation=generation or 0, with_generations=common.json)
    with common.kernel() as kernel:
        found = kernel.call(kernel.stub.ShowRun, request)
    if found.generation.ended_ms:
        _as_it_was(found)
    if not common.answer(values.shown(found)):
        render.run(found)
    return 0


def why(run: str = "last", seq: Annotated[int | None, Optional] = None, /, *, common: Common = DEFAULTS) -> int:
    """Say why a call was refused or allowed: manifest, grant, effect, and what would allow it.

    Parameters
    ----------
    run
        The run's id, or last.
    seq
        The call's number in the run; without it, every call that was refused.
    """
    with common.kernel() as kernel:
        found = kernel.show(run)
    if seq is None:
        calls = [call for call in found.calls if _refused(call)]
    else:
        calls = [call for call in found.calls if call.seq == seq]
        if not calls:
            raise Failure(f"{found.run.id} made no call {seq}", f"agentos show {found.run.id} lists its calls")
    if common.answer([values.call(call) for call in calls]):
        return 0
    for place, call in enumerate(calls):
        emit("") if place else None
        render.why(call, found.run.outside)
    if not calls:
        emit(again(f"no call of {found.run.id} was refused; agentos show {found.run.id} lists them all"))
    return 0


def cancel(run: str, /, *, common: Common = DEFAULTS) -> int:
    """Cancel a run. What is under way outside is stopped where that is possible.

    Parameters
    ----------
    run
        Its id.
    """
    with common.kernel(start=False) as kernel:
        kernel.call(kernel.stub.Cancel, pb.CancelRequest(run=run))
    if not common.answer({"run": run, "status": "cancelled"}):
        say(f"cancelled {run}")
    return 0


def _refused(call: pb.Call) -> bool:
    """By the kernel, or by the capability that was to do it: a name may lead to another network than was granted."""
    return call.decision == pb.CALL_DECISION_REFUSED or call.error.code == error_pb2.CODE_DENIED


def _as_it_was(found: pb.ShowRunResponse) -> None:
    """Make of a run what it was when a generation of it ended that is not its newest."""
    run, shown = found.run, found.generation
    for field in ("result", "error", "traceback"):
        run.ClearField(field)
    run.output, run.output_cut, run.calls = shown.output, shown.output_cut, shown.calls
    run.refused = sum(call.decision == pb.CALL_DECISION_REFUSED for call in found.calls)
