"""A call as the kernel knows it: typed, canonical, with what it is about and what it would use up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

import msgspec
from google.protobuf import json_format
from google.protobuf.message import Message

from agentos.home.records import Amounts, Fault, Targets
from agentos.kernel import canonical, wire
from agentos.manifest.actions import ActionRule, Catalog, FieldRule
from agentos.v1 import matchers
from agentos.v1.names import BadName
from agentos.v1.plain import plain

_ENCODER = json.JSONEncoder(ensure_ascii=False)


class Failed(Exception):
    """A call that was admitted and did not succeed; `fault` is what the program is told.

    `released` says that the effect certainly did not happen, so the reserved use is given back.
    """

    def __init__(self, fault: Fault, released: bool = True) -> None:
        super().__init__(fault.reason)
        self.fault = fault
        self.released = released


class Call(msgspec.Struct, frozen=True):
    """One request of a guest. `targets` are (field, canonical value); `amounts` are (bound, how much)."""

    run: str
    seq: int
    rule: ActionRule
    request: Message
    targets: Targets
    amounts: Amounts
    digest: str
    line: int = 0
    # The run had read from outside when it asked, so this may be what somebody out there wants.
    outside: bool = False

    def prepared(self, found: Targets) -> Call:
        """The same call with the targets that its capability resolved."""
        targets = self.targets + tuple(target for target in found if target not in self.targets)
        return msgspec.structs.replace(
            self, targets=targets, digest=canonical.call_digest(self.rule.name, self.request, targets)
        )


def read(claim: wire.Claim, run: str, seq: int, catalog: Catalog, start: str, home: str, outside: bool = False) -> Call:
    """The call that a claim makes, every bounded field canonical. Raises wire.BadRequest."""
    rule = wire.action(claim, catalog)
    request = wire.message(claim, rule)
    targets = tuple(
        (field.field, value) for field in rule.fields for value in _canonical(request, rule, field, start, home)
    )
    return Call(
        run, seq, rule, request, targets, _amounts(request, rule), canonical.call_digest(rule.name, request, targets),
        claim.line, outside,
    )  # fmt: skip


def _canonical(request: Message, rule: ActionRule, field: FieldRule, start: str, home: str) -> list[str]:
    if field.matcher in matchers.CARRIED and getattr(request, field.field):
        raise wire.BadRequest(f"{rule.name}: {field.field} is for the manifest to say, not for a call")
    if field.matcher not in matchers.BY_VALUE:
        return []
    held = getattr(request, field.field)
    written = [held or field.usual] if isinstance(held, str) else list(held)
    if not written or "" in written:
        raise wire.BadRequest(f"{rule.name} needs a {field.field}")
    try:
        values = [matchers.canonical_value(field.matcher, text, start, home) for text in written]
    except BadName as bad:
        raise wire.BadRequest(f"{rule.name}: {field.field}: {bad}", detail="bad_name") from None
    if field.among and not set(values) <= set(field.among):
        raise wire.BadRequest(f"{rule.name}: {field.field} is one of {', '.join(field.among)}")
    if isinstance(held, str):
        setattr(request, field.field, values[0])
    else:
        del held[:]
        held.extend(values)
    return values


def _amounts(request: Message, rule: ActionRule) -> Amounts:
    found: dict[str, int] = {}
    for field in rule.fields:
        if field.matcher in (matchers.MAXIMUM, matchers.BUDGET):
            held = getattr(request, field.field)
            size = len(_raw(held)) if isinstance(held, str | bytes) else int(held)
            found[field.bound] = found.get(field.bound, 0) + size
    return tuple(found.items())


def _raw(held: object) -> bytes:
    """The bytes of what a field holds."""
    return held if isinstance(held, bytes) else str(held).encode()


def source(rule: ActionRule, targets: Targets) -> str:
    """Who answers a call: the host that it names, else the action itself."""
    hosts = (field.field for field in rule.fields if field.matcher == matchers.HOST)
    return next((value for host in hosts for name, value in targets if name == host), rule.name)


def redacted(message: Message, contents: Iterable[str]) -> str:
    """A message as JSON for records and screens, its content fields given by size and digest alone."""
    shown = type(message)()
    shown.CopyFrom(message)
    left_out: dict[str, str] = {}
    for name in contents:
        held = getattr(message, name)
        if held:
            raw = _raw(held)
            left_out[name] = f"‹{len(raw)} bytes, sha256 {hashlib.sha256(raw).hexdigest()[:16]}›"
            shown.ClearField(name)
    if (found := plain(shown)) is None:
        found = json_format.MessageToDict(shown, preserving_proto_field_name=True)
    return _ENCODER.encode(found | left_out)
