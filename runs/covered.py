"""What an armed program may be told of without a call: what a grant of its own lets it look at, now."""

from __future__ import annotations

from collections.abc import Callable

from agentos.home.happenings import Armed
from agentos.kernel.grants import Standing, bound_values
from agentos.kernel.ledger import Ledger
from agentos.manifest.reading import LOOKS
from agentos.manifest.rules import Catalog
from agentos.v1 import control_pb2 as pb
from agentos.v1 import matchers, patterns


class Covered:
    def __init__(self, ledger: Ledger, catalog: Catalog, now_ms: Callable[[], int]) -> None:
        self._ledger, self._catalog, self._now_ms = ledger, catalog, now_ms

    def __call__(self, armed: Armed, paths: tuple[str, ...]) -> tuple[str, ...]:
        """Those of these patterns that lie within a grant which holds for this version."""
        who = Standing("", armed.program, armed.path, armed.digest)
        given = [
            each
            for held in self._ledger.table.live(who, self._now_ms())
            if held.grant.terms.choice != pb.CHOICE_ONCE and LOOKS in self._catalog.expand(held.grant.action)
            for each in bound_values(held.grant.bounds, "path")
        ]
        return tuple(path for path in paths if any(patterns.contains(matchers.PATH, each, path) for each in given))
