"""What `--json` prints: plain objects with stable names. Times are milliseconds since 1970, if no name says more."""

from __future__ import annotations

import json
from collections.abc import Iterable

from agentos.shell.failure import CODES, Failure
from agentos.v1 import annotations_pb2, capability_pb2, error_pb2
from agentos.v1 import control_pb2 as pb
from agentos.v1.trigger_pb2 import Trigger

Value = object


def word(name: str, prefix: str) -> str:
    """RUN_STATUS_DONE as done."""
    return name.removeprefix(prefix).lower()


def status(run: pb.Run) -> str:
    return word(pb.RunStatus.Name(run.status), "RUN_STATUS_")


def effect(value: annotations_pb2.Effect.ValueType) -> str:
    return word(annotations_pb2.Effect.Name(value), "EFFECT_")


def terms(choice: pb.Choice.ValueType) -> str:
    return word(pb.Choice.Name(choice), "CHOICE_")


def state(grant: pb.Grant) -> str:
    return word(pb.GrantState.Name(grant.state), "GRANT_STATE_")


def decision(call: pb.Call) -> str:
    return word(pb.CallDecision.Name(call.decision), "CALL_DECISION_")


def error(found: error_pb2.Error) -> dict[str, str] | None:
    """None where nothing went wrong."""
    if found.code == error_pb2.CODE_UNSPECIFIED:
        return None
    return {"code": CODES[found.code], "message": found.reason, "hint": found.hint}


def _json(text: str) -> Value:
    return json.loads(text) if text else None


def bounds(found: Iterable[capability_pb2.Bound]) -> dict[str, list[str]]:
    return {bound.name: list(bound.values) for bound in found}


def run(found: pb.Run) -> dict[str, Value]:
    """The one object of `run --json`."""
    timings = found.timings_us
    return {
        "run": found.id,
        "status": status(found),
        "result": _json(found.result),
        "output": found.output,
        "error": error(found.error),
        "calls": found.calls,
        "refused": found.refused,
        "timings_us": {
            "queued": timings.queued,
            "cell": timings.cell,
            "first_line": timings.first_line,
            "ended": timings.ended,
        },
    }


def no_run(failed: Failure) -> dict[str, Value]:
    """The same object where it did not come to a run."""
    return run(pb.Run()) | {"run": None, "status": "failed", "error": failed.fields}


def call(found: pb.Call) -> dict[str, Value]:
    return {
        "seq": found.seq,
        "action": found.action,
        "target": " -> ".join(target.value for target in found.targets),
        "targets": {target.name: target.value for target in found.targets},
        "decision": decision(found),
        "grant": found.grant or None,
        "digest": found.digest,
        "started": found.started_ms,
        "duration_us": found.duration_us,
        "line": found.line or None,
        "error": error(found.error),
        "reasons": {reason.label: reason.text for reason in found.reasons},
        "from_outside": found.from_outside,
        "after_outside": found.after_outside,
    }


def shown(found: pb.ShowRunResponse) -> dict[str, Value]:
    """`show --json`: the run, with every call instead of their number."""
    more: dict[str, Value] = {"program": found.run.program, "path": found.run.path, "digest": found.run.digest}
    more["outside"] = list(found.run.outside)
    more["generation"] = generation(found.generation) | {"state": _json(found.generation.state)}
    more["generations"] = [generation(each) for each in found.generations]
    return run(found.run) | more | {"calls": [call(each) for each in found.calls]}


def generation(found: pb.Generation) -> dict[str, Value]:
    """One time between two that a run began anew; all of it is shown by `show --generation`."""
    return {"number": found.number, "began": found.began_ms, "ended": found.ended_ms or None, "calls": found.calls}


def exported(found: pb.ShowRunResponse) -> dict[str, Value]:
    """What `export` writes of a run. What it ended and began with is a text here: nobody's business by default."""
    began = generation(found.generation) | {"state": found.generation.state}
    return shown(found) | {"result": found.run.result, "traceback": found.run.traceback, "generation": began}


def listed(found: pb.Run) -> dict[str, Value]:
    """One row of `ps --json`."""
    short = {name: value for name, value in run(found).items() if name not in ("output", "result")}
    more: dict[str, Value] = {"program": found.program, "path": found.path, "parent": found.parent or None}
    return short | more | {"waits_for": found.waits_for or None}


def grant(found: pb.Grant) -> dict[str, Value]:
    return {
        "id": found.id,
        "program": found.program,
        "action": found.action,
        "bounds": bounds(found.bounds),
        "terms": terms(found.terms),
        "uses": found.uses,
        "last_used": found.last_used_ms or None,
        "state": state(found),
    }


def secret(found: pb.SecretInfo) -> dict[str, Value]:
    """What there is to know of a secret; never its value, which no kernel tells."""
    return {
        "name": found.name,
        "places": list(found.places),
        "header": found.header,
        "form": found.form,
        "set": found.set_ms or None,
        "last_used": found.last_used_ms or None,
    }


def line(found: pb.Line) -> dict[str, Value]:
    return {
        "number": found.number,
        "action": found.action,
        "effect": effect(found.effect),
        "bounds": bounds(found.bounds),
        "targets": {target.name: target.value for target in found.targets},
        "summary": found.summary,
        "asks": "always" if found.always_asks else "once",
        "state": word(pb.LineState.Name(found.state), "LINE_STATE_"),
        "source": found.source,
        "secrets": [secret(each) for each in found.secrets],
        "origins": list(found.origins),
        "offers": [{"choice": terms(offer.choice), "bounds": bounds(offer.bounds)} for offer in found.offers],
    }


def trigger(found: Trigger) -> dict[str, Value]:
    return {
        "event": found.event,
        "at": found.at or None,
        "tz": found.tz or None,
        "every_ms": found.every_ms or None,
        "filter": {each.field: json.loads(each.value) for each in found.filters},
        "debounce_ms": found.debounce_ms or None,
        "concurrency": "latest" if found.latest else {"parallel": found.parallel} if found.parallel > 1 else "serial",
        "catch_up": found.catch_up or None,
        "retries": found.retries,
        "batch": {"count": found.batch, "ms": found.batch_ms} if found.batch else None,
        "headers": list(found.headers),
        "id_header": found.id_header or None,
        "paths": list(found.paths),
        "quiet_ms": found.quiet_ms or None,
    }


def program(found: pb.Program) -> dict[str, Value]:
    limits = found.limits
    return {
        "name": found.name,
        "path": found.path,
        "digest": found.digest,
        "has_manifest": found.has_manifest,
        "lines": [line(each) for each in found.lines],
        "covered": list(found.covered),
        "triggers": [trigger(each) for each in found.triggers],
        "limits": {
            "memory_bytes": limits.memory_bytes,
            "cpu_ms": limits.cpu_ms,
            "wall_ms": limits.wall_ms,
            "calls": limits.calls,
            "output_bytes": limits.output_bytes,
        },
    }


def prompt(found: pb.Prompt) -> dict[str, Value]:
    return {
        "id": found.id,
        "run": found.run,
        "program": found.program.name,
        "path": found.program.path,
        "review": found.review,
        "why": found.why,
        "asked": found.asked_ms,
        "outside": list(found.outside),
        "digest": found.digest,
        "lines": [line(each) for each in found.lines],
    }


def capability(found: pb.CapabilityInfo) -> dict[str, Value]:
    return {
        "name": found.name,
        "about": found.about,
        "state": found.state,
        "pid": found.pid or None,
        "restarts": found.restarts,
        "network": found.network,
        "folders": list(found.folders),
        "actions": [
            {
                "name": each.name,
                "effect": effect(each.effect),
                "bounds": list(each.bounds),
                "implies": list(each.implies),
            }
            for each in found.actions
        ],
    }


def doctor(found: pb.DoctorResponse) -> dict[str, Value]:
    return {
        "walls": [
            {"name": wall.name, "about": wall.about, "held": wall.held, "note": wall.note} for wall in found.walls
        ],
        "kernel": {"pid": found.pid, "version": found.version, "home": found.home},
        "guest": {"path": found.guest.path, "digest": found.guest.digest, "imports": list(found.guest.imports)},
    }
