"""What the kernel knows, as messages for the shell. Pure: records and tables in, control.proto out."""

from __future__ import annotations

from collections.abc import Sequence

from agentos.events.arming import on
from agentos.home.generations import Generation
from agentos.home.history import RunBegan, RunEnded
from agentos.home.records import CallMade, CallSettled, Denial, Fault, Targets
from agentos.kernel import bounds, standing
from agentos.kernel.call import Call
from agentos.kernel.grants import Held, Standing, Table
from agentos.manifest.lines import Manifest
from agentos.manifest.rules import Catalog
from agentos.manifest.summary import summary
from agentos.v1 import capability_pb2, error_pb2
from agentos.v1 import control_pb2 as pb


def fault(found: Fault | None) -> error_pb2.Error | None:
    if found is None:
        return None
    code = error_pb2.Code.ValueType(found.code)
    return error_pb2.Error(code=code, reason=found.reason, hint=found.hint, detail=found.detail)


def program(manifest: Manifest, who: Standing, lines: Sequence[pb.Line], catalog: Catalog) -> pb.Program:
    limits = manifest.limits
    covered = sorted({action for line in manifest.lines for action in catalog.expand(line.action)})
    return pb.Program(
        name=who.program, path=who.path, digest=who.digest, has_manifest=manifest.present, lines=lines,
        covered=covered, triggers=on(manifest),
        limits=pb.Limits(
            memory_bytes=limits.memory_bytes, cpu_ms=limits.cpu_ms, wall_ms=limits.wall_ms, calls=limits.calls,
            output_bytes=limits.output_bytes,
        ),
    )  # fmt: skip


def targets(found: Targets) -> list[capability_pb2.Target]:
    return [capability_pb2.Target(name=name, value=value) for name, value in found]


def refused(call: Call, found: Fault) -> pb.Call:
    """A call that was just refused, for the follower of its run."""
    return pb.Call(
        seq=call.seq, action=call.rule.name, targets=targets(call.targets), summary=summary(call.rule, call.targets),
        decision=pb.CALL_DECISION_REFUSED, digest=call.digest, error=fault(found), line=call.line,
    )  # fmt: skip


def call(made: CallMade, settled: CallSettled | None, catalog: Catalog) -> pb.Call:
    """A call from the journal, with what decided it."""
    rule = catalog.actions.get(made.action)
    told = summary(rule, made.targets) if rule else made.action
    return pb.Call(
        seq=made.seq, action=made.action, targets=targets(made.targets), summary=told,
        decision=pb.CallDecision.ValueType(made.decision), grant=made.grant, digest=made.digest,
        started_ms=made.at_ms, duration_us=settled.took_us if settled else 0,
        error=fault(made.fault or (settled.fault if settled else None)), line=made.line,
        reasons=[pb.Reason(label=label, text=text) for label, text in made.reasons],
        from_outside=settled is not None and settled.foreign, after_outside=made.outside,
    )  # fmt: skip


def run(began: RunBegan, end: RunEnded | None, continued: int = 0) -> pb.Run:
    """A run, under way or ended, that began anew so often."""
    shown = pb.Run(
        id=began.run, program=began.program, path=began.path, digest=began.digest, status=pb.RUN_STATUS_ACTIVE,
        continued=continued, parent=began.run.rpartition(".")[0],
        timings_us=pb.Timings(queued=began.queued_us),
    )  # fmt: skip
    if end is not None:
        shown.status = pb.RunStatus.ValueType(end.status)
        shown.result, shown.output, shown.output_cut = end.result, end.output, end.output_cut
        shown.calls, shown.refused, shown.traceback = end.calls, end.refused, end.traceback
        shown.manifest_offered = end.offered
        shown.timings_us.cell, shown.timings_us.first_line = end.cell_us, end.first_line_us
        shown.timings_us.ended = end.ended_us
        found = fault(end.fault)
        if found:
            shown.error.CopyFrom(found)
    return shown


def generation(found: Generation, whole: bool) -> pb.Generation:
    """A generation of a run; with what it began with and printed, or without."""
    shown, ended = pb.Generation(number=found.number, began_ms=found.began_ms, calls=found.calls), found.ended
    shown.state = found.state if whole else ""
    if ended:
        shown.ended_ms = ended.at_ms
        shown.output, shown.output_cut = (ended.output, ended.output_cut) if whole else ("", False)
    return shown


def grant(held: Held, table: Table, now_ms: int) -> pb.Grant:
    given = held.grant
    return pb.Grant(
        id=given.id, program=given.program, path=given.path, digest=given.digest, action=given.action,
        bounds=bounds.written(given.bounds), terms=pb.Choice.ValueType(given.terms.choice),
        until_ms=given.terms.until_ms, uses=held.uses, uses_left=held.uses_left, last_used_ms=held.last_used_ms,
        parent=given.parent, origin=given.origin, state=standing.state(table, held, now_ms),
        minted_ms=given.minted_ms, run=given.run,
    )  # fmt: skip


def denial(given: Denial) -> pb.Grant:
    return pb.Grant(
        id=given.id, program=given.program, path=given.path, action=given.action, run=given.run,
        bounds=bounds.written(given.bounds), terms=pb.CHOICE_NEVER, state=pb.GRANT_STATE_DENIED,
        minted_ms=given.minted_ms,
    )  # fmt: skip
