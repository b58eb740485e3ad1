"""Prompts: the question to the person that can mint a grant, and what exactly each answer would mint.

There is one kind of prompt. A review has a line for each line of the manifest that no grant covers yet, and comes
before the first run of a version; a call prompt has a line for each call of one request that asks. Each line
carries its offers, narrowest first; an answer takes one of them or something narrower. The prompt's digest is over
all that is shown, and the answer repeats it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from agentos.home.records import Bounds
from agentos.kernel import bounds, canonical
from agentos.kernel.call import Call
from agentos.kernel.decide import Ask
from agentos.kernel.grants import Held, Standing
from agentos.kernel.scope import effect
from agentos.manifest.lines import Manifest, ManifestLine
from agentos.manifest.rules import Catalog
from agentos.manifest.summary import summary
from agentos.v1 import annotations_pb2, capability_pb2
from agentos.v1 import control_pb2 as pb

STANDING = (pb.CHOICE_RUN, pb.CHOICE_UNTIL, pb.CHOICE_VERSION, pb.CHOICE_TERMINAL)
TERMS = {
    pb.CHOICE_ONCE: "this one call",
    pb.CHOICE_RUN: "until this run ends",
    pb.CHOICE_UNTIL: "until a time you name",
    pb.CHOICE_VERSION: "while this version lives",
    pb.CHOICE_TERMINAL: "until this terminal closes",
}


def seal(prompt: pb.Prompt) -> pb.Prompt:
    """Set the digest of all that the prompt shows."""
    prompt.digest = ""
    prompt.digest = hashlib.sha256(b"agentos.prompt.v1" + canonical.encode(prompt)).hexdigest()
    return prompt


# ---- a call that asks


def call_line(
    number: int, call: Call, ask: Ask, who: Standing, manifest: Manifest, catalog: Catalog, origins: Sequence[str]
) -> pb.Line:
    """The line of a call: its resolved object, where it came from, and what may be minted."""
    exact = bounds.of_call(call, ask.line.bounds if ask.line else ())
    return pb.Line(
        number=number,
        action=call.rule.name,
        effect=annotations_pb2.Effect.ValueType(effect(call, catalog)),
        bounds=bounds.written(exact),
        targets=[capability_pb2.Target(name=name, value=value) for name, value in call.targets],
        summary=summary(call.rule, call.targets),
        always_asks=ask.once,
        source=ask.line.where if ask.line else "",
        state=pb.LINE_STATE_NEW,
        origins=origins,
        offers=_offers(call, ask, exact, who, manifest.present),
    )


def _offers(call: Call, ask: Ask, exact: Bounds, who: Standing, has_manifest: bool) -> list[pb.Offer]:
    offers = [_offer(pb.CHOICE_ONCE, exact)]
    if ask.once:
        return offers
    scopes = [(exact, ""), *((scope, name) for scope, name in _wider(call, ask, exact))]
    lasting = [pb.CHOICE_RUN]
    if has_manifest:
        lasting += [pb.CHOICE_UNTIL, pb.CHOICE_VERSION]
    if who.terminal != (0, 0):
        lasting.append(pb.CHOICE_TERMINAL)
    return offers + [_offer(choice, scope, name) for scope, name in scopes for choice in lasting]


def _wider(call: Call, ask: Ask, exact: Bounds) -> list[tuple[Bounds, str]]:
    """The middle scope, where the manifest allows it, and the manifest's whole line."""
    middle = bounds.broader(call, exact)
    found = []
    if middle != exact and (ask.line is None or bounds.contains(call.rule, ask.line.bounds, middle)):
        found.append((middle, "this folder"))
    if ask.line and ask.line.bounds != exact and ask.line.action == call.rule.name:
        found.append((ask.line.bounds, "all of " + ask.line.where))
    return found


def _offer(choice: pb.Choice.ValueType, scope: Bounds, name: str = "") -> pb.Offer:
    return pb.Offer(choice=choice, bounds=bounds.written(scope), label=", ".join(filter(None, (name, TERMS[choice]))))


# ---- the review before the first run of a version


def review_lines(
    manifest: Manifest, who: Standing, live: Sequence[Held], earlier: Sequence[Held], catalog: Catalog
) -> list[pb.Line]:
    """All lines of the manifest as they stand, and those that the version before had and this one dropped.

    `live` are the grants of this version, `earlier` those of the version before it.
    """
    lines = [
        manifest_line(number, line, _state(line, live, earlier, catalog), who, catalog)
        for number, line in enumerate(manifest.lines, 1)
    ]
    dropped = [held for held in earlier if not any(line.action == held.grant.action for line in manifest.lines)]
    for held in dropped:
        gone = ManifestLine(held.grant.action, held.grant.bounds, False, "", "")
        lines.append(manifest_line(len(lines) + 1, gone, pb.LINE_STATE_DROPPED, who, catalog))
    return lines


def manifest_line(
    number: int, line: ManifestLine, state: pb.LineState.ValueType, who: Standing, catalog: Catalog
) -> pb.Line:
    rule = catalog.actions[line.action]
    lasting = [pb.CHOICE_RUN, pb.CHOICE_UNTIL, pb.CHOICE_VERSION]
    if who.terminal != (0, 0):
        lasting.append(pb.CHOICE_TERMINAL)
    open_line = state in (pb.LINE_STATE_NEW, pb.LINE_STATE_KEPT, pb.LINE_STATE_WIDER) and not line.ask_always
    return pb.Line(
        number=number,
        action=line.action,
        effect=annotations_pb2.Effect.ValueType(rule.effect),
        bounds=bounds.written(line.bounds),
        summary=summary(rule, ((name, value) for name, values in line.bounds for value in values)),
        always_asks=line.ask_always,
        source=line.where,
        state=state,
        offers=[_offer(choice, line.bounds) for choice in lasting] if open_line else [],
    )


def _state(
    line: ManifestLine, live: Sequence[Held], earlier: Sequence[Held], catalog: Catalog
) -> pb.LineState.ValueType:
    rule = catalog.actions[line.action]
    same = [held.grant for held in live if held.grant.action == line.action and held.grant.terms.choice in STANDING]
    if any(bounds.contains(rule, grant.bounds, line.bounds) for grant in same):
        return pb.LINE_STATE_GRANTED
    before = [held.grant for held in earlier if held.grant.action == line.action]
    if any(bounds.contains(rule, grant.bounds, line.bounds) for grant in before):
        return pb.LINE_STATE_KEPT
    if any(bounds.overlaps(rule, grant.bounds, line.bounds) for grant in before):
        return pb.LINE_STATE_WIDER
    return pb.LINE_STATE_NEW


def asks(line: pb.Line) -> bool:
    """Whether a review has something to ask about this line."""
    return bool(line.offers)
