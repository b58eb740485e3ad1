"""What bounds mean beside each other: what a call would need, what is narrower, what is the next wider scope."""

from __future__ import annotations

from collections.abc import Iterable

from agentos.home.records import Bounds
from agentos.kernel.call import Call
from agentos.manifest.actions import ActionRule
from agentos.v1 import capability_pb2, matchers, patterns
from agentos.v1.names import BadName


def of_call(call: Call, line: Bounds = ()) -> Bounds:
    """The bounds that cover just this call, with what the manifest line it falls under says beyond any call."""
    named = {field.bound: field.default for field in call.rule.fields if field.matcher == matchers.AT_USE}
    for field in call.rule.fields:
        if field.matcher in matchers.BY_VALUE:
            values = tuple(matchers.literal(field.matcher, v) for name, v in call.targets if name == field.field)
            named[field.bound] = named.get(field.bound, ()) + values
    beyond = {field.bound for field in call.rule.fields if field.matcher not in matchers.BY_VALUE and field.matcher}
    return tuple(sorted((named | {name: values for name, values in line if name in beyond}).items()))


def broader(call: Call, exact: Bounds) -> Bounds:
    """The middle scope: this folder, this host, this recipient's domain. The same as exact where there is none.

    A field that leads names a folder as such: its siblings are no wider scope of it.
    """
    by_bound = {field.bound: field.matcher for field in call.rule.fields if not field.leads}
    return tuple((name, tuple(_widen(by_bound.get(name), value) for value in values)) for name, values in exact)


def _widen(matcher: int | None, value: str) -> str:
    if matcher == matchers.PATH and value.count("/") > 1:
        return value.rsplit("/", 1)[0] + "/*"
    if matcher == matchers.URL_PATH:
        return "/**"
    if matcher == matchers.MAIL:
        return "*" + value[value.rindex("@") :]
    return value


def canonical(rule: ActionRule, given: Bounds) -> Bounds:
    """Each pattern in its one canonical form: another spelling could seem to lie within what it leaves.

    Raises BadName.
    """
    by_bound = {field.bound: field.matcher for field in rule.fields}
    return tuple((name, tuple(_spelt(by_bound.get(name, 0), value) for value in values)) for name, values in given)


def _spelt(matcher: int, value: str) -> str:
    if matcher == matchers.PATH and not value.startswith("/"):
        raise BadName("a path is written from / on")
    return patterns.canonical_pattern(matcher, value, "/", "/") if matcher not in (0, *matchers.COUNTED) else value


def contains(rule: ActionRule, wide: Bounds, narrow: Bounds) -> bool:
    """Whether all that narrow covers, wide covers too. A bound that narrow lacks covers nothing, or has no end."""
    given, wanted = dict(wide), dict(narrow)
    if not set(wanted) <= {field.bound for field in rule.fields}:
        return False
    return all(_contains(field.matcher, given, wanted, field.bound) for field in rule.fields if field.matcher)


def _contains(matcher: int, wide: dict[str, tuple[str, ...]], narrow: dict[str, tuple[str, ...]], bound: str) -> bool:
    if matcher not in matchers.COUNTED:
        values = narrow.get(bound, ())
        return bool(values or matcher == matchers.SECRET) and all(
            any(patterns.contains(matcher, w, n) for w in wide.get(bound, ())) for n in values
        )
    limits = [int(value) for value in wide.get(bound, ())]
    amounts = [int(value) for value in narrow.get(bound, ()) if value.isascii() and value.isdigit()]
    return not limits or (bool(amounts) and min(amounts) <= min(limits))


def overlaps(rule: ActionRule, one: Bounds, other: Bounds) -> bool:
    """Whether they meet at all, roughly: one value in common or one within the other. For showing, not deciding."""
    return any(
        patterns.contains(field.matcher, a, b) or patterns.contains(field.matcher, b, a)
        for field in rule.fields
        if field.matcher in matchers.BY_VALUE
        for a in dict(one).get(field.bound, ())
        for b in dict(other).get(field.bound, ())
    )


def written(bounds: Bounds) -> list[capability_pb2.Bound]:
    """As messages, for the shell and for capability servers."""
    return [capability_pb2.Bound(name=name, values=values) for name, values in bounds]


def read(messages: Iterable[capability_pb2.Bound]) -> Bounds:
    return tuple(sorted((message.name, tuple(message.values)) for message in messages))
