"""decide: may this call be made? A pure function of the call, the ceiling and the grants, as a table of rules.

Each rule looks at the case and either settles it or passes it on; the first that settles it wins, and a case that
no rule settles is denied. So the order below *is* the policy:

    inherent         the kernel's own calls need no grant
    unreachable      places that no grant reaches: the kernel's own home, /proc …
    ceiling          outside its manifest a program may not even ask
    never_again      the person said: never ask again
    granted          a live grant covers it; GOVERN, SPEND and `ask = "always"` want one minted for this very call
    budget           a grant would cover it, but what it may use up is used up
    lent             a child has what its parent gave it: no question widens that
    open_question    the person can be asked

What is decided on is the canonical target, never the text that the program wrote. Nothing here waits, reads a
clock or touches the world.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import msgspec

from agentos.home.records import Bounds, Denial, Fault, Reasons
from agentos.kernel.call import Call
from agentos.kernel.grants import Held, Standing, bound_values, root
from agentos.manifest.lines import Manifest, ManifestLine
from agentos.manifest.rules import ActionRule, Catalog
from agentos.v1 import annotations_pb2 as notes
from agentos.v1 import control_pb2, matchers
from agentos.v1 import error_pb2 as pb

NOWHERE = (
    ("manifest", "cannot name this place"),
    ("grant", "none"),
    ("effect", "none: nothing was opened, looked up or sent"),
    ("to allow", "nothing does: such places are out of reach for every program"),
)


class Allow(msgspec.Struct, frozen=True):
    """`grant` is the id of what allows it; empty for the kernel's own calls."""

    grant: str
    reasons: Reasons


class Ask(msgspec.Struct, frozen=True):
    """Only the person can say. `once` means: only for this very call."""

    why: str
    once: bool
    line: ManifestLine | None
    reasons: Reasons


class Deny(msgspec.Struct, frozen=True):
    fault: Fault
    reasons: Reasons


Verdict = Allow | Ask | Deny


class Case(msgspec.Struct, frozen=True):
    """All that a decision stands on. `held` are the grants that live for this run now; `forbidden` real paths."""

    call: Call
    who: Standing
    manifest: Manifest
    held: Sequence[Held]
    denials: Sequence[Denial]
    catalog: Catalog
    forbidden: tuple[str, ...]


def decide(case: Case) -> Verdict:
    for rule in RULES:
        verdict = rule(case)
        if verdict is not None:
            return verdict
    return _deny("no rule allows it", "", (("grant", "none"),))


# ---- the rules


def inherent(case: Case) -> Verdict | None:
    return Allow("", (("grant", "needs none: the kernel's own call"),)) if case.call.rule.inherent else None


def unreachable(case: Case) -> Verdict | None:
    never = case.catalog.capabilities[case.call.rule.capability].never
    for _, path in paths(case.call):
        if any(path == place or path.startswith(place + "/") for place in case.forbidden):
            return _deny("the kernel's own home is not reachable", "no grant changes that", NOWHERE)
        if any(matchers.reaches(pattern, path) for pattern in never):
            return _deny("this place is not reachable under any grant", "no grant changes that", NOWHERE)
    return None


def ceiling(case: Case) -> Verdict | None:
    if not case.manifest.present or any(covers(case.catalog, line, case.call) for line in case.manifest.lines):
        return None
    near = [line for line in case.manifest.lines if case.call.rule.name in case.catalog.expand(line.action)]
    has = " and ".join(f"{line.where} has {line.action} {line.written}" for line in near)
    place = f"outside ({has})" if has else f"outside ({case.manifest.file} has no line for {case.call.rule.name})"
    hint = f"add {manifest_line(case.call)} to {case.manifest.file}, only if you trust this program"
    reasons = (("manifest", place), *NOWHERE[1:3], ("to allow", hint))
    return _deny(f"outside what {case.who.program} may ever ask", hint, reasons)


def never_again(case: Case) -> Verdict | None:
    for denial in case.denials:
        if covers(case.catalog, denial, case.call):
            hint = f"agentos revoke {denial.id} takes that back"
            reasons = (("grant", f"refused for good as {denial.id}"), ("to allow", hint))
            return _deny("the person said never to ask again", hint, reasons)
    return None


def granted(case: Case) -> Verdict | None:
    once = only_once(case)
    for held in case.held:
        if _fits(case, held, once) and not _overspent(case, held):
            grant = held.grant
            lender = f", granted to its parent {grant.origin} as {grant.parent}" if grant.parent else ""
            named = ("manifest", _where(case)), ("grant", f"{grant.id} {grant.action}{lender}")
            return Allow(
                grant.id, named + tuple(("secret", name) for name in named_secrets(case.call.rule, grant.bounds))
            )
    return None


def budget(case: Case) -> Verdict | None:
    for held in case.held:
        over = _overspent(case, held) if _fits(case, held, only_once(case)) else ""
        if over:
            hint = f"raise the bound of {held.grant.action} in the manifest"
            return Deny(
                Fault(pb.CODE_LIMIT, over, hint, "quota"),
                (("grant", f"{held.grant.id}: {over}"), ("effect", "none"), ("to allow", hint)),
            )
    return None


def lent(case: Case) -> Verdict | None:
    hint = f'its parent can give of its own: children.spawn(…, grants={{"{case.call.rule.name}": …}})'
    return (
        _deny("its parent did not give it that", hint, (("grant", "none of its parent's"), ("to allow", hint)))
        if case.who.above
        else None
    )


def open_question(case: Case) -> Verdict | None:
    line = next((line for line in case.manifest.lines if covers(case.catalog, line, case.call)), None)
    once = only_once(case)
    why = f"{once}: asked each time" if once else "not granted yet"
    return Ask(why, bool(once), line, (("manifest", _where(case)), ("grant", "none"), ("asked", why)))


RULES: tuple[Callable[[Case], Verdict | None], ...] = (
    inherent,
    unreachable,
    ceiling,
    never_again,
    granted,
    budget,
    lent,
    open_question,
)


# ---- what the rules are made of


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


def paths(call: Call) -> list[tuple[str, str]]:
    """The (field, path) targets of a call."""
    fields = {field.field for field in call.rule.fields if field.matcher == matchers.PATH}
    return [(name, value) for name, value in call.targets if name in fields]


def changed(call: Call) -> list[str]:
    """The paths that are not the same after a call, as far as it names them."""
    return [path for _, path in paths(call)] if call.rule.effect > notes.EFFECT_OBSERVE else []


def effect(call: Call, catalog: Catalog) -> int:
    """The annotations_pb2.Effect of this very call: a change where things execute or configure is GOVERN."""
    govern = catalog.capabilities[call.rule.capability].govern
    return notes.EFFECT_GOVERN if any(_governs(govern, path.casefold()) for path in changed(call)) else call.rule.effect


def only_once(case: Case) -> str:
    """Why no standing grant can cover this call; empty where one can."""
    found = effect(case.call, case.catalog)
    if found in (notes.EFFECT_GOVERN, notes.EFFECT_SPEND):
        return "GOVERN" if found == notes.EFFECT_GOVERN else "SPEND"
    lines = [line for line in case.manifest.lines if covers(case.catalog, line, case.call)]
    return 'ask = "always"' if lines and all(line.ask_always for line in lines) else ""


@lru_cache(4096)
def _governs(patterns: tuple[str, ...], path: str) -> bool:
    """Whether a change here, or of a folder above such a place, counts as GOVERN. Names are compared caselessly.

    The folders above count since a whole tree can be moved: `x/fish` is nothing, until x is moved to `.config`.
    """
    places = {place for pattern in patterns for place in _prefixes(pattern.casefold())}
    return any(matchers.matches(matchers.PATH, place, path) for place in places)


@lru_cache(1024)
def _prefixes(pattern: str) -> tuple[str, ...]:
    """`**/.config/fish/**` with the places on the way there: `**/.config`, `**/.config/fish`."""
    segments = pattern.split("/")
    least = 3 if segments[:2] == ["", "**"] else len(segments) - (segments[-1] == "**")
    return tuple("/".join(segments[:count]) for count in range(least, len(segments) + 1))


def _fits(case: Case, held: Held, once: str) -> bool:
    terms = held.grant.terms
    if terms.choice == control_pb2.CHOICE_ONCE:
        return terms.call == case.call.digest and covers(case.catalog, held, case.call)
    return not once and covers(case.catalog, held, case.call)


def _overspent(case: Case, held: Held) -> str:
    """What bound the call would break under this grant, for a person; empty if none."""
    for each, field in ((each, field) for each in (held, *held.above) for field in case.call.rule.fields):
        if field.matcher not in (matchers.BUDGET, matchers.MAXIMUM):
            continue
        limits = [int(value) for value in bound_values(each.grant.bounds, field.bound)]
        amount = dict(case.call.amounts).get(field.bound, 0)
        if field.matcher == matchers.BUDGET and limits:
            spent = each.spent.get((root(case.who.run), field.bound), 0)
            if spent + amount > min(limits):
                return f"{field.bound}: {spent + amount} of {min(limits)} a run"
        if field.matcher == matchers.MAXIMUM and limits and amount > min(limits):
            return f"{field.bound}: {amount}, at most {min(limits)} in one call"
    return ""


def manifest_line(call: Call) -> str:
    """The line of a manifest that would cover just this call, whatever the program put into its names."""
    fields = {field.field: field for field in call.rule.fields}
    written = ", ".join(
        f"{fields[name].bound} = [{msgspec.json.encode(matchers.literal(fields[name].matcher, value)).decode()}]"
        for name, value in call.targets
        if name in fields and not any(matchers.matches(fields[name].matcher, d, value) for d in fields[name].default)
    )
    return f'"{call.rule.name}" = {{ {written} }}'


def _where(case: Case) -> str:
    for line in case.manifest.lines:
        if covers(case.catalog, line, case.call):
            return f"{line.where} {line.action} {line.written}"
    return "none: asks for each thing"


def _deny(reason: str, hint: str, reasons: Reasons) -> Deny:
    return Deny(Fault(pb.CODE_DENIED, reason, hint), reasons)
