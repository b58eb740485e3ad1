"""Opening a journal: brought up to date, then checked as far as it must be before anybody acts on it.

With a snapshot of each fold, the chain is checked from there on before the first record is read, and the history before
it meanwhile (`recheck`): what is acted on is signed or checked either way. Without one, the whole chain comes first.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

import apsw
import msgspec

from agentos.home import chain, elsewhere, folds, heads, schema
from agentos.home.chain import START, JournalBroken, Point
from agentos.home.folds import Fold
from agentos.home.heads import ACCEPT, Head, Place, Witness


class Opened(msgspec.Struct, frozen=True):
    """What was found: the newest record, the snapshots, from where on it was checked, the newest checkpoint."""

    head: Point
    since: Point = START
    folds: dict[str, Fold] = {}
    known: Head | None = None
    kept: bool = True  # whether that is the one that is kept elsewhere
    places: tuple[Place, ...] = ()  # where else it is kept than in its file


def opened(db: apsw.Connection, witness: Witness | None, names: Collection[str]) -> Opened:
    """Raises JournalBroken, and apsw.Error where the file cannot be read at all."""
    schema.bring_up_to_date(db)
    for (reason,) in cast(list[tuple[str]], db.execute("SELECT value FROM marks WHERE name = 'broken'").fetchall()):
        raise JournalBroken(reason, ACCEPT)
    if witness is None:
        head = chain.walked(db)
        chain.indexed(db)
        return Opened(head)
    known = heads.newest(db, witness.signer)
    kept = folds.kept(db, witness.signer, names)
    since = folds.common(kept, names)
    head = chain.walked(db, since)
    if since == START:
        chain.indexed(db)
    if known is None and head[0] and db.execute("SELECT 1 FROM marks WHERE name = 'kept'").fetchall():
        raise JournalBroken("no record of this database is signed, and once there were some", ACCEPT, "checkpoint")
    same, places = True, elsewhere.all_of(db, witness)
    for where, place in places:
        line, without = elsewhere.asked(where, place), elsewhere.without(where) if where else ""
        same &= heads.compared(db, known, head, line, witness.signer, place.said, without)
    return Opened(head, since, kept, known, same, tuple(place for where, place in places if where))
