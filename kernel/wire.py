"""What a guest sends and gets: hostile JSON in, typed messages and capped JSON out.

The form is the one in guests/python/guest.wit. Size is limited by the frame; here come depth, count and doubles.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence

import msgspec
from google.protobuf import json_format
from google.protobuf.message import EncodeError, Message

from agentos.home.records import Fault
from agentos.manifest.actions import ActionRule, Catalog, nearest
from agentos.v1 import error_pb2 as pb
from agentos.v1.plain import filled, plain

MAX_CALLS = 64
MAX_OUT = 256
CODES: dict[int, str] = {
    pb.CODE_DENIED: "denied",
    pb.CODE_NEEDS_APPROVAL: "needs_approval",
    pb.CODE_NOT_FOUND: "not_found",
    pb.CODE_LIMIT: "limit",
    pb.CODE_UNAVAILABLE: "unavailable",
    pb.CODE_INVALID: "invalid",
}

Arguments = dict[str, object]


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call as the guest words it. `line` is where its program says it is."""

    action: str
    args: Arguments
    line: int = 0


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One request: what was printed since the last, and the calls to make side by side."""

    out: tuple[tuple[int, str], ...] = ()
    calls: tuple[Claim, ...] = ()


class BadRequest(Exception):
    """The request is not of the form; `fault` says how."""

    def __init__(self, reason: str, hint: str = "", detail: str = "", code: int = pb.CODE_INVALID) -> None:
        super().__init__(reason)
        self.fault = Fault(code, reason, hint, detail)


def _no_doubles(pairs: list[tuple[str, object]]) -> Arguments:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadRequest("the request names a key twice")
    return found


def _no_constants(name: str) -> object:
    raise BadRequest(f"{name} is not JSON")


# `json.loads` would make one for each request.
_DECODER = json.JSONDecoder(object_pairs_hook=_no_doubles, parse_constant=_no_constants)


def read(request: str) -> Batch:
    """The batch in a request. Raises BadRequest for anything that has not exactly one reading."""
    try:
        request.encode()
        loaded = _DECODER.decode(request)
        batch = msgspec.convert(loaded, Batch)
    except RecursionError:
        raise BadRequest("the request is nested too deep") from None
    except (ValueError, msgspec.ValidationError):
        raise BadRequest("the request is not of the form that guests send") from None
    if len(batch.calls) > MAX_CALLS or len(batch.out) > MAX_OUT:
        raise BadRequest(f"more than {MAX_CALLS} calls in one request", "make them in several requests")
    return batch


def action(claim: Claim, catalog: Catalog) -> ActionRule:
    rule = catalog.actions.get(claim.action)
    if rule is None:
        near = nearest(claim.action, catalog.actions)
        raise BadRequest("there is no such action", f"did you mean {near}?" if near else "see: agentos capabilities")
    return rule


def message(claim: Claim, rule: ActionRule) -> Message:
    """The typed request of a claim. Raises BadRequest naming the field that does not fit."""
    request = rule.request()
    known = request.DESCRIPTOR.fields_by_name
    for key in claim.args:
        if key not in known:
            raise BadRequest(f"{rule.name} has no field of that name", "it has: " + ", ".join(known))
    if not _fits(claim.args, request):
        wrong = [key for key, value in claim.args.items() if not _fits({key: value}, rule.request())]
        raise BadRequest(f"{rule.name}: {', '.join(wrong) or 'the arguments'} cannot be that")
    return request


def _fits(args: Arguments, request: Message) -> bool:
    try:
        # Reading JSON with the library costs more than all else that is done to a small request.
        if not filled(request, args):
            json_format.ParseDict(args, request)
        request.SerializeToString()
    except (json_format.ParseError, EncodeError, ValueError, TypeError, RecursionError, OverflowError):
        return False
    # Characters that are not base64 would be left out of it in silence.
    return all(
        b64encode(raw).decode() == (args[name] or "")
        for name, raw in ((name, getattr(request, name)) for name in args)
        if isinstance(raw, bytes)
    )


def value(response: Message) -> str:
    """A reply's message as the guest reads it."""
    if (found := plain(response)) is not None:
        return msgspec.json.encode(found).decode()
    return json_format.MessageToJson(response, preserving_proto_field_name=True, indent=None)


def error(fault: Fault) -> str:
    """A fault as the guest reads it."""
    return json.dumps(
        {"error": {"code": CODES[fault.code], "reason": fault.reason, "hint": fault.hint, "detail": fault.detail}}
    )


def reply(results: Sequence[str | Fault]) -> str:
    """The whole reply: one value or error for each call, in order."""
    slots = [error(slot) if isinstance(slot, Fault) else f'{{"value":{slot}}}' for slot in results]
    return f'{{"results":[{",".join(slots)}]}}'
