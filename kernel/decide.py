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

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import msgspec

from agentos.home.records import Denial, Fault, Grant, Reasons
from agentos.kernel.call import Call
from agentos.kernel.grants import Held, Standing, bound_values, root
from agentos.kernel.scope import covers, effect, named_secrets, paths
from agentos.manifest.actions import Catalog, FieldRule
from agentos.manifest.lines import Manifest, ManifestLine
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


class Case(msgspec.Struct, frozen=True, dict=True):
    """All that a decision stands on. `held` are the grants that live for this run now; `forbidden` real paths."""

    call: Call
    who: Standing
    manifest: Manifest
    held: Sequence[Held]
    denials: Sequence[Denial]
    catalog: Catalog
    forbidden: tuple[str, ...]

    @cached_property
    def lines(self) -> list[ManifestLine]:
        """The lines of the manifest that the call falls under."""
        return [line for line in self.manifest.lines if covers(self.catalog, line, self.call)]


def decide(case: Case) -> Verdict:
    for rule in RULES:
        verdict = rule(case)
        if verdict is not None:
            return verdict
    return _deny("no rule allows it", "", (("grant", "none"),))


# ---- the rules


def inherent(case: Case) -> Verdict | None:
    if case.call.rule.inherent:
        return Allow("", (("grant", "needs none: the kernel's own call"),))
    return None


def unreachable(case: Case) -> Verdict | None:
    never = case.catalog.capabilities[case.call.rule.capability].never
    for path in paths(case.call):
        if any(path == place or path.startswith(place + "/") for place in case.forbidden):
            return _deny("the kernel's own home is not reachable", "no grant changes that", NOWHERE)
        if any(matchers.reaches(pattern, path) for pattern in never):
            return _deny("this place is not reachable under any grant", "no grant changes that", NOWHERE)
    return None


def ceiling(case: Case) -> Verdict | None:
    if not case.manifest.present or case.lines:
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
    for held in _fitting(case):
        if not _overspent(case, held):
            secrets = tuple(("secret", name) for name in named_secrets(case.call.rule, held.grant.bounds))
            return Allow(held.grant.id, (("manifest", _where(case)), ("grant", _named(held.grant)), *secrets))
    return None


def budget(case: Case) -> Verdict | None:
    for held in _fitting(case):
        over = _overspent(case, held)
        if over:
            hint = f"raise the bound of {held.grant.action} in the manifest"
            reasons = (("grant", f"{held.grant.id}: {over}"), ("effect", "none"), ("to allow", hint))
            return Deny(Fault(pb.CODE_LIMIT, over, hint, "quota"), reasons)
    return None


def lent(case: Case) -> Verdict | None:
    if not case.who.above:
        return None
    hint = f'its parent can give of its own: children.spawn(…, grants={{"{case.call.rule.name}": …}})'
    return _deny("its parent did not give it that", hint, (("grant", "none of its parent's"), ("to allow", hint)))


def open_question(case: Case) -> Verdict | None:
    once = only_once(case)
    why = f"{once}: asked each time" if once else "not granted yet"
    line = case.lines[0] if case.lines else None
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


def only_once(case: Case) -> str:
    """Why no standing grant can cover this call; empty where one can."""
    found = effect(case.call, case.catalog)
    if found in (notes.EFFECT_GOVERN, notes.EFFECT_SPEND):
        return "GOVERN" if found == notes.EFFECT_GOVERN else "SPEND"
    return 'ask = "always"' if case.lines and all(line.ask_always for line in case.lines) else ""


def _fitting(case: Case) -> Iterator[Held]:
    """The grants that the call falls under, whatever was used of them."""
    once = only_once(case)
    return (held for held in case.held if _fits(case, held, once))


def _fits(case: Case, held: Held, once: str) -> bool:
    terms = held.grant.terms
    if terms.choice == control_pb2.CHOICE_ONCE:
        return terms.call == case.call.digest and covers(case.catalog, held, case.call)
    return not once and covers(case.catalog, held, case.call)


def _overspent(case: Case, held: Held) -> str:
    """What bound the call would break under this grant or one above it, for a person; empty if none."""
    for each in (held, *held.above):
        for field in case.call.rule.fields:
            if field.matcher in matchers.COUNTED:
                broken = _broken(case, each, field)
                if broken:
                    return broken
    return ""


def _broken(case: Case, held: Held, field: FieldRule) -> str:
    limits = [int(value) for value in bound_values(held.grant.bounds, field.bound)]
    if not limits:
        return ""
    most = min(limits)
    amount = dict(case.call.amounts).get(field.bound, 0)
    if field.matcher == matchers.MAXIMUM:
        return f"{field.bound}: {amount}, at most {most} in one call" if amount > most else ""
    used = held.spent.get((root(case.who.run), field.bound), 0) + amount
    return f"{field.bound}: {used} of {most} a run" if used > most else ""


def _named(grant: Grant) -> str:
    lender = f", granted to its parent {grant.origin} as {grant.parent}" if grant.parent else ""
    return f"{grant.id} {grant.action}{lender}"


def _where(case: Case) -> str:
    if not case.lines:
        return "none: asks for each thing"
    line = case.lines[0]
    return f"{line.where} {line.action} {line.written}"


def manifest_line(call: Call) -> str:
    """The line of a manifest that would cover just this call, whatever the program put into its names."""
    fields = {field.field: field for field in call.rule.fields}
    bounds = []
    for name, value in call.targets:
        field = fields.get(name)
        if field and not any(matchers.matches(field.matcher, usual, value) for usual in field.default):
            pattern = msgspec.json.encode(matchers.literal(field.matcher, value)).decode()
            bounds.append(f"{field.bound} = [{pattern}]")
    return f'"{call.rule.name}" = {{ {", ".join(bounds)} }}'


def _deny(reason: str, hint: str, reasons: Reasons) -> Deny:
    return Deny(Fault(pb.CODE_DENIED, reason, hint), reasons)
