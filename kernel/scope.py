"""What a call touches, and whether that lies within what somebody wrote: a line, a grant, a denial.

Names only, in their canonical form: nothing here knows who calls, or what was used.
"""

from __future__ import annotations

from functools import lru_cache

from agentos.home.records import Bounds, Denial
from agentos.kernel.call import Call
from agentos.kernel.grants import Held, bound_values
from agentos.manifest.actions import ActionRule, Catalog
from agentos.manifest.lines import ManifestLine
from agentos.v1 import annotations_pb2 as notes
from agentos.v1 import matchers


def covers(catalog: Catalog, authority: ManifestLine | Denial | Held, call: Call) -> bool:
    """Whether the action is this one or implies it, and every target of the call lies within a bound."""
    given = authority.grant if isinstance(authority, Held) else authority
    if call.rule.name not in catalog.expand(given.action):
        return False
    return all(_within(given.bounds, call, name, value) for name, value in call.targets)


def _within(bounds: Bounds, call: Call, name: str, value: str) -> bool:
    for field in call.rule.fields:
        if field.field == name and field.matcher in matchers.BY_VALUE:
            patterns = bound_values(bounds, field.bound)
            leads = field.leads and any(matchers.leads(pattern, value) for pattern in patterns)
            return leads or any(matchers.matches(field.matcher, pattern, value) for pattern in patterns)
    return True


def named_secrets(rule: ActionRule, bounds: Bounds) -> tuple[str, ...]:
    """The secrets that a grant of these bounds lends to an action; none to one that has no bound for secrets."""
    names = {field.bound for field in rule.fields if field.matcher == matchers.SECRET}
    return tuple(value for name, values in bounds if name in names for value in values)


def paths(call: Call) -> list[str]:
    """The paths among the targets of a call."""
    fields = {field.field for field in call.rule.fields if field.matcher == matchers.PATH}
    return [value for name, value in call.targets if name in fields]


def changed(call: Call) -> list[str]:
    """The paths that are not the same after a call, as far as it names them."""
    return paths(call) if call.rule.effect > notes.EFFECT_OBSERVE else []


def effect(call: Call, catalog: Catalog) -> int:
    """The annotations_pb2.Effect of this very call: a change where things execute or configure is GOVERN."""
    govern = catalog.capabilities[call.rule.capability].govern
    if any(_governs(govern, path.casefold()) for path in changed(call)):
        return notes.EFFECT_GOVERN
    return call.rule.effect


@lru_cache(4096)
def _governs(patterns: tuple[str, ...], path: str) -> bool:
    """Whether a change here, or of a folder above such a place, counts as GOVERN. Names are compared caselessly.

    The folders above count since a whole tree can be moved: `x/fish` is nothing, until x is moved to `.config`.
    """
    places = {place for pattern in patterns for place in prefixes(pattern.casefold())}
    return any(matchers.matches(matchers.PATH, place, path) for place in places)


@lru_cache(1024)
def prefixes(pattern: str) -> tuple[str, ...]:
    """`**/.config/fish/**` with the places on the way there: `**/.config`, `**/.config/fish`."""
    segments = pattern.split("/")
    least = 3 if segments[:2] == ["", "**"] else len(segments) - (segments[-1] == "**")
    return tuple("/".join(segments[:count]) for count in range(least, len(segments) + 1))
