"""Lending: what a run may give to a child of its own authority; never more than it has, or what is asked each time.

A child's grant hangs from the one of its parent that it was taken from: it lives while that lives, and what the child
uses is used of both. So nothing here needs to look at how much is left of a budget, or for how long a grant holds.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentos.home.records import Bounds, Fault
from agentos.kernel import bounds
from agentos.kernel.call import Failed
from agentos.kernel.grants import Held
from agentos.manifest import given
from agentos.manifest.bounds import kinds_of
from agentos.manifest.lines import ManifestLine
from agentos.manifest.rules import Catalog
from agentos.manifest.toml import ManifestError
from agentos.runs.run import Run
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2, matchers


def wanted(text: str, run: Run, catalog: Catalog) -> tuple[ManifestLine, ...]:
    """What a parent says its child may do. Raises Failed."""
    try:
        lines = given.read(text, catalog, run.request.start_folder, run.request.home_folder)
    except ManifestError as wrong:
        raise Failed(Fault(error_pb2.CODE_INVALID, f"grants: {wrong.reason}", wrong.hint, "manifest")) from None
    if any(line.ask_always for line in lines):
        raise Failed(
            Fault(error_pb2.CODE_INVALID, "grants: a child cannot ask", 'leave ask = "always" out', "manifest")
        )
    return lines


def lend(run: Run, line: ManifestLine, held: Sequence[Held], catalog: Catalog) -> tuple[str, Bounds]:
    """The parent's grant that a child's is taken from, and its bounds. Raises Failed where the parent has none."""
    for each in held:
        if each.grant.terms.choice == pb.CHOICE_ONCE or line.action not in catalog.expand(each.grant.action):
            continue
        asked = _filled(line, each.grant.bounds, catalog)
        if not bounds.contains(catalog.actions[line.action], each.grant.bounds, asked):
            continue
        if _unasked(run, line, asked, catalog):
            return each.grant.id, asked
    reason = f"{run.id} cannot give {line.action} {line.written}: it may not do all of that itself, unasked"
    hint = f"agentos grants shows what {run.who.program} may do; give that or less"
    raise Failed(Fault(error_pb2.CODE_DENIED, reason, hint, "parent"))


def _filled(line: ManifestLine, given: Bounds, catalog: Catalog) -> Bounds:
    """What a line leaves out of amounts is as much as its parent may: they share it."""
    kinds = kinds_of(catalog.actions[line.action])
    named = {name for name, _ in line.bounds}
    shared = ((name, values) for name, values in given if kinds.get(name) in matchers.COUNTED and name not in named)
    return tuple(sorted((*line.bounds, *shared)))


def _unasked(run: Run, line: ManifestLine, asked: Bounds, catalog: Catalog) -> bool:
    """Whether the parent's manifest lets it do all of this without a question each time."""
    rule = catalog.actions[line.action]
    return not run.manifest.present or any(
        not own.ask_always and line.action in catalog.expand(own.action) and bounds.contains(rule, own.bounds, asked)
        for own in run.manifest.lines
    )
