"""What a program gives to its child: read strictly, and never more than it may do itself without being asked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from agentos.sdk.errors import Denied, Invalid
from agentos.sdk.testing.manifest import lines
from agentos.sdk.testing.rules import CARRIED, COUNTED, Grant, Rules
from agentos.v1 import annotations_pb2 as proto
from agentos.v1.names import BadName
from agentos.v1.patterns import canonical_pattern, contains

Bounds = dict[str, tuple[str, ...]]


def lend(text: str, rules: Rules, run: str, start: str, home: str) -> list[Grant]:
    """The grants of a child, each below the one of its parent that it was taken from. Raises Denied or Invalid."""
    return [_lent(grant, rules, run, start, home) for grant in _wanted(text, rules)]


def _wanted(text: str, rules: Rules) -> list[Grant]:
    try:
        given = json.loads(text or "{}")
        asked = list(lines(given))
    except (ValueError, RecursionError, AttributeError, TypeError):
        raise _wrong("the grants are no table of actions", '{"files.read": {"path": ["notes/**"]}}') from None
    for grant, always in asked:
        _check(grant, rules)
        if always:
            raise _wrong("a child cannot ask", 'leave ask = "always" out')
    return [grant for grant, _ in asked]


def _check(grant: Grant, rules: Rules) -> None:
    if grant.action not in rules.methods:
        raise _wrong(f"there is no action {grant.action}")
    if rules.methods[grant.action].GetOptions().Extensions[proto.action].inherent:
        raise _wrong(f"{grant.action} needs no grant", "every program may call it: take the line out")
    known = rules.fields(grant.action)
    for name, values in grant.bounds.items():
        if name not in known:
            raise _wrong(f"{grant.action} has no bound {name}", "bounds are " + ", ".join(known))
        if not values:
            raise _wrong(f"{name} is an empty list")
    for name, rule in known.items():
        if name not in grant.bounds and not rule.default and rule.matcher not in (*COUNTED, *CARRIED):
            raise _wrong(f"{grant.action} needs its bound {name}: leaving it out never means all")


def _lent(wanted: Grant, rules: Rules, run: str, start: str, home: str) -> Grant:
    fields = rules.fields(wanted.action)
    asked = _canonical(wanted.bounds, fields, start, home)
    for held in rules.grants:
        if not rules.allows(held, wanted.action):
            continue
        has = _canonical(held.bounds, fields, start, home)
        # What it leaves out of amounts is as much as its parent may: they share it.
        shared = {name: has[name] for name in has if fields[name].matcher in COUNTED}
        if all(_within(rule, has.get(name, ()), (shared | asked).get(name, ())) for name, rule in fields.items()):
            lent = Grant(wanted.action, **(shared | asked))
            lent.above = held
            return lent
    told = " ".join(value for values in wanted.bounds.values() for value in values)
    reason = f"{run} cannot give {wanted.action} {told}: it may not do all of that itself, unasked"
    raise Denied(reason, "its grants are those of the kit; give that or less", "parent")


def _canonical(given: Mapping[str, Sequence[str]], fields: Mapping[str, proto.Field], start: str, home: str) -> Bounds:
    bounds = {name: tuple(rule.default) for name, rule in fields.items() if rule.default} | dict(given)
    try:
        return {
            name: tuple(canonical_pattern(fields[name].matcher, value, start, home) for value in values)
            for name, values in bounds.items()
            if name in fields
        }
    except BadName as problem:
        raise _wrong(str(problem)) from None


def _within(rule: proto.Field, wide: Sequence[str], narrow: Sequence[str]) -> bool:
    """Whether all that one bound covers, the other covers too."""
    if rule.matcher in COUNTED:
        return not wide or (bool(narrow) and min(map(int, narrow)) <= min(map(int, wide)))
    named = bool(narrow) or rule.matcher == proto.MATCHER_SECRET
    return named and all(any(contains(rule.matcher, one, each) for one in wide) for each in narrow)


def _wrong(reason: str, hint: str = "") -> Invalid:
    return Invalid(f"grants: {reason}", hint, "manifest")


def checked_input(text: str) -> Any:
    """What a child gets, as the kernel takes it."""
    try:
        return json.loads(text or "null")
    except ValueError:
        raise Invalid("the input is not JSON") from None
