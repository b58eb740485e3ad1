"""The bounds that a line for an action has: what each is, which the line must state, and what the others then are."""

from __future__ import annotations

from agentos.manifest.actions import ActionRule
from agentos.v1 import matchers


def kinds_of(rule: ActionRule) -> dict[str, int]:
    """The matcher of each bound, by the manifest's key."""
    return {field.bound: field.matcher for field in rule.fields if field.matcher}


def needed(rule: ActionRule) -> tuple[str, ...]:
    """The bounds that no manifest line may leave out: empty never means all."""
    stated = {field.bound for field in rule.fields if field.matcher in (*matchers.BY_VALUE, matchers.AT_USE)}
    return tuple(sorted(stated - set(defaults(rule))))


def defaults(rule: ActionRule) -> dict[str, tuple[str, ...]]:
    """The bounds that a manifest line may leave out, and what they are then."""
    return {field.bound: tuple(sorted(field.default)) for field in rule.fields if field.default}
