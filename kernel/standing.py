"""How grants stand, for a person to see and to take back: no call depends on this."""

from __future__ import annotations

from collections.abc import Iterable

from agentos.home.records import CallMade
from agentos.kernel.grants import Held, Table
from agentos.v1 import control_pb2 as pb


def subtree(table: Table, root: str) -> tuple[str, ...]:
    """The grant and all that were derived from it, parents first."""
    found = [root]
    for grant in table.held.values():
        if grant.grant.parent in found:
            found.append(grant.grant.id)
    return tuple(found)


def under_way(table: Table, ids: Iterable[str]) -> list[CallMade]:
    """Calls that were admitted under these grants and have not settled."""
    return [call for of_run in table.admitted.values() for call in of_run.values() if call.grant in ids]


def state(table: Table, held: Held, now_ms: int) -> pb.GrantState.ValueType:
    terms = held.grant.terms
    if held.revoked:
        return pb.GRANT_STATE_REVOKED
    if held.uses_left == 0:
        return pb.GRANT_STATE_USED
    if held.ended or (terms.choice == pb.CHOICE_UNTIL and now_ms >= terms.until_ms):
        return pb.GRANT_STATE_EXPIRED
    parent = table.held.get(held.grant.parent)
    return state(table, parent, now_ms) if parent else pb.GRANT_STATE_LIVE
