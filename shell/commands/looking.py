"""Seeing what programs may do and what they did: explain, manifest, ps, show, why, cancel."""

from __future__ import annotations

import json
import sys
from typing import Annotated

from agentos.shell import pages, render, source, start, values
from agentos.shell.again import again
from agentos.shell.connect import Kernel
from agentos.shell.failure import Exit, Failure
from agentos.shell.follow import Follower, closing
from agentos.shell.paint import emit, say
from agentos.shell.session import ALL, DEFAULTS, Common, Flag, Optional
from agentos.shell.terminal import open_terminal
from agentos.shell.text import printable
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2


def explain(program: str, /, *, common: Common = DEFAULTS) -> int:
    """Say in plain words what a program may ask, before anything runs.

    It works without a home: there, nothing is allowed yet.

    Parameters
    ----------
    program
        The script or component.
    """
    request = pb.ExplainRequest(source=source.read(program), **source.folders())
    if not common.on and not start.where(common.home).exists:
        told, known = start.explained(request)
    else:
        with common.kernel() as kernel:
            told = kernel.call(kernel.stub.Explain, request).program
            known = kernel.call(kernel.stub.ListCapabilities, pb.ListCapabilitiesRequest()).capabilities
    if not common.answer(values.program(told)):
        pages.explain(told, known, counts=not common.on)
    return 0


def manifest(script: str, /, *, from_: str = "last", common: Common = DEFAULTS) -> int:
    """Write the manifest that a run of a script turned out to need, as a block to paste on top of it.

    Read it before you paste it: it asks for all that the run reached for,
    allowed or refused.

    Parameters
    ----------
    script
        The script that ran.
    from_
        The run to look at.
    """
    with common.kernel() as kernel:
        found = _show(kernel, from_)
        ran = found.run
        path = source.read(script).path
        if ran.path != path:
            raise Failure(f"{ran.id} was a run of {ran.path}, not of {path}", "agentos ps lists the runs")
        block = kernel.call(kernel.stub.SuggestManifest, pb.SuggestManifestRequest(run=ran.id)).block
    if not common.answer({"run": ran.id, "block": block}):
        emit(block.rstrip("\n"))
        for call in found.calls:
            if call.decision != pb.CALL_DECISION_REFUSED and call.error.code == error_pb2.CODE_DENIED:
                say(f"not in it: {call.error.reason}; {call.error.hint}", "yellow")
    return 0


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
        found = kernel.call(kernel.stub.ListUnknown, pb.ListUnknownRequest()).calls
    if not common.answer([{"run": each.run, "program": each.program, **values.call(each.call)} for each in found]):
        render.unknown(found)
    return 0


def follow(run: str = "last", /, *, common: Common = DEFAULTS) -> int:
    """Follow a run that is under way, from what it printed so far to its end. Ctrl-C leaves it alone.

    Of one that is over it shows what it printed and returned.

    Parameters
    ----------
    run
        Its id, or last.
    """
    with common.kernel() as kernel:
        ended = _show(kernel, run).run
        over = ended.status not in (pb.RUN_STATUS_ACTIVE, pb.RUN_STATUS_WAITING)
        if not over:
            ended = Follower(kernel, open_terminal(), common.json).join(ended.id)
    if not common.answer(values.run(ended)):
        if over:
            say(f"{ended.id} is over; this is how it went. agentos show {ended.id} says more", "dim")
            sys.stdout.write(printable(ended.output) if sys.stdout.isatty() else ended.output)
        if ended.result:
            emit(json.dumps(json.loads(ended.result), indent=2, ensure_ascii=False))
        for line, *colour in closing(ended):
            say(line, *colour)
    return Exit.DONE if ended.status == pb.RUN_STATUS_DONE else Exit.FAILED


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
        found = _show(kernel, run)
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


def _show(kernel: Kernel, run: str) -> pb.ShowRunResponse:
    return kernel.call(kernel.stub.ShowRun, pb.ShowRunRequest(run=run))
