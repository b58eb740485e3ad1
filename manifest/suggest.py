"""The manifest that a run turned out to need: what it called, as the fewest narrow lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath

from agentos.manifest.actions import ActionRule
from agentos.manifest.block import block as write_block
from agentos.manifest.bounds import defaults
from agentos.manifest.lines import Limits, ManifestLine
from agentos.manifest.rules import Catalog
from agentos.v1 import addresses, matchers
from agentos.v1.patterns import contains

FEW = 3
Pairs = tuple[tuple[str, str], ...]
# An action, the (field, canonical value) of each of its targets, and the bounds under which it was let through.
Made = tuple[str, Pairs, tuple[tuple[str, tuple[str, ...]], ...]]


def block(program: str, calls: Iterable[Made], start: str, home: str, catalog: Catalog) -> str:
    """A PEP 723 block with a line for each action that a run's calls needed, allowed or refused."""
    wanted: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for action, targets, under in calls:
        rule = catalog.actions.get(action)
        if rule is not None and not rule.inherent and targets and not _never(targets, rule, catalog):
            for field in rule.fields:
                if field.matcher in matchers.BY_VALUE:
                    wanted[rule.name][field.bound] |= {value for name, value in targets if name == field.field}
                elif field.matcher == matchers.AT_USE:
                    wanted[rule.name][field.bound] |= _used(dict(under).get(field.bound, ()), targets)
    lines = [_line(action, bounds, catalog.actions[action]) for action, bounds in sorted(wanted.items())]
    kept = [line for line in lines if not any(_implied(line, other, catalog) for other in lines if other != line)]
    return write_block(PurePosixPath(program).stem, kept, Limits(), start, home, catalog)


def _used(allowed: Iterable[str], targets: Pairs) -> set[str]:
    """Which of the networks that were allowed a call used: where its host is no address, any of them may be it."""
    found = {addresses.kind(each) for _, host in targets if (each := addresses.literal(host))}
    return set(allowed) & found if found else set(allowed)


def _never(targets: Iterable[tuple[str, str]], rule: ActionRule, catalog: Catalog) -> bool:
    never = catalog.capabilities[rule.capability].never
    return any(matchers.matches(matchers.PATH, pattern, value) for pattern in never for _, value in targets)


def _line(action: str, bounds: dict[str, set[str]], rule: ActionRule) -> ManifestLine:
    by_bound = {field.bound: field.matcher for field in rule.fields}
    usual = defaults(rule)
    unusual = {
        name: values
        for name, values in bounds.items()
        if not all(any(_within(by_bound[name], each, value) for each in usual.get(name, ())) for value in values)
    }
    patterns = {name: _patterns(by_bound[name], values) for name, values in unusual.items()}
    return ManifestLine(action, tuple(sorted(patterns.items())), False, "", "")


def _within(matcher: int, pattern: str, value: str) -> bool:
    return pattern == value if matcher == matchers.AT_USE else matchers.matches(matcher, pattern, value)


def _patterns(matcher: int, values: set[str]) -> tuple[str, ...]:
    """The values as patterns; many files of one kind in one folder become `folder/*.md`."""
    if matcher == matchers.AT_USE:
        return tuple(sorted(values))
    if matcher != matchers.PATH:
        return tuple(sorted(matchers.literal(matcher, value) for value in values))
    together: dict[str, list[str]] = defaultdict(list)
    for value in values:
        path = PurePosixPath(value)
        folder = matchers.literal(matcher, str(path.parent)).rstrip("/")
        together[f"{folder}/*{matchers.literal(matcher, path.suffix)}"].append(value)
    found: list[str] = []
    for pattern, members in together.items():
        found += [pattern] if len(members) > FEW else [matchers.literal(matcher, member) for member in members]
    return tuple(sorted(found))


def _implied(line: ManifestLine, other: ManifestLine, catalog: Catalog) -> bool:
    """Whether the other line covers this one already: its action implies this one, for all the same places."""
    if line.action not in catalog.actions[other.action].implies:
        return False
    fields = {field.bound: field for field in catalog.actions[line.action].fields}
    given = dict(other.bounds)
    return all(
        any(_covers(fields[bound].matcher, fields[bound].leads, wide, value) for wide in given.get(bound, ()))
        for bound, values in line.bounds
        for value in values
    )


def _covers(matcher: int, leads: bool, wide: str, narrow: str) -> bool:
    return contains(matcher, wide, narrow) or (leads and matchers.leads(wide, narrow))
