"""What a method learns of its call beside the request, and the check that the request lies within the grant."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from agentos.capabilities.failure import Denied, Invalid
from agentos.v1 import annotations_pb2, capability_pb2, matchers
from agentos.v1.names import BadName


@dataclass(frozen=True)
class Context:
    """`bounds` are the grant's, by the manifest's key; `targets` what was decided on and shown, by name.

    `run` and `program` say who calls, for limits and handles that are theirs alone; `secrets` are for this call.
    """

    bounds: Mapping[str, tuple[str, ...]]
    targets: Mapping[str, tuple[str, ...]]
    idempotency_key: str
    deadline: float
    run: str = ""
    program: str = ""
    secrets: tuple[capability_pb2.Secret, ...] = ()

    @classmethod
    def read(cls, told: capability_pb2.CallContext) -> Context:
        targets: dict[str, tuple[str, ...]] = {}
        for target in told.targets:
            targets[target.name] = (*targets.get(target.name, ()), target.value)
        bounds = {bound.name: tuple(bound.values) for bound in told.bounds}
        deadline = told.deadline_unix_ms / 1000
        return cls(bounds, targets, told.idempotency_key, deadline, told.run, told.program, tuple(told.secrets))

    @property
    def remaining_s(self) -> float:
        return self.deadline - time.time()


def check_bounds(request: Message, context: Context) -> None:
    """Raises Denied where a bounded field of the request lies outside the grant, Invalid where it is not canonical.

    The kernel has decided this before. Here it is decided again, by the process that acts, on the request it acts on.
    What a run may use up in total (MATCHER_BUDGET) only the kernel can count.
    """
    for name, notes in _bounded(request.DESCRIPTOR):
        held = getattr(request, name)
        patterns = context.bounds.get(notes.bound or name, ())
        if notes.matcher in matchers.BY_VALUE:
            for value in [held] if isinstance(held, str) else list(held):
                _check_value(notes, patterns, name, value)
        elif notes.matcher == matchers.MAXIMUM and patterns:
            size = held if isinstance(held, int) else len(held.encode() if isinstance(held, str) else held)
            if size > min(map(int, patterns)):
                raise Denied(f"{name} is more than the grant allows")


@cache
def _bounded(request: Descriptor) -> tuple[tuple[str, annotations_pb2.Field], ...]:
    """The annotated fields of a request that have a matcher, by name."""
    notes = ((field.name, field.GetOptions().Extensions[annotations_pb2.field]) for field in request.fields)
    return tuple((name, found) for name, found in notes if found.matcher)


def _check_value(notes: annotations_pb2.Field, patterns: tuple[str, ...], name: str, value: str) -> None:
    try:
        canonical = matchers.canonical_value(notes.matcher, value, "", "")
    except BadName as bad:
        raise Invalid(f"{name}: {bad}", detail="bad_name") from None
    if canonical != value:
        raise Invalid(f"{name} is not in its canonical form", detail="bad_name")
    if not any(covers(notes, pattern, value) for pattern in patterns):
        raise Denied(f"{name} is outside the grant")


def covers(notes: annotations_pb2.Field, pattern: str, value: str) -> bool:
    """Whether one pattern of a bound covers a canonical value of the field that is annotated so."""
    return matchers.matches(notes.matcher, pattern, value) or (notes.leads and matchers.leads(pattern, value))
