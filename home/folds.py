"""Folds: what somebody made of the journal up to one record, kept and signed, so that a start need not read it all.

A home does not know what a fold means. Whoever folds gives its state as bytes, right after the record that it is up
to; the writer keeps it in a transaction that covers that record. At the next start it is taken in place of all records
before, if this home signed it, for this name, at a record that still has this hash. A fold that is older than another
is no danger: the records after it are read, and checked, in any case.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import cast

import apsw
import msgspec

from agentos.home import chain
from agentos.home.chain import START, JournalBroken, Point
from agentos.home.heads import ACCEPT, Signer

CONTEXT = b"agentos fold 1\0"


class Fold(msgspec.Struct, frozen=True):
    """The state of a fold, and the last record that is in it."""

    name: str
    point: Point
    state: bytes


def _said(signer: Signer, fold: Fold) -> bytes:
    seq, hashed = fold.point
    return b"\0".join(
        (
            signer.home.encode(), fold.name.encode(), b"%d" % seq, hashed.hex().encode(),
            blake2b(fold.state, digest_size=32).hexdigest().encode(),
        )
    )  # fmt: skip


def keep(db: apsw.Connection, signer: Signer, fold: Fold) -> None:
    """Within a transaction that covers the record. Other forms of it go: they hold what may be forgotten by now.

    So whoever goes back to an older Agent OS has it start without a snapshot: it folds all records anew, and keeps its
    own form in the place of this one.
    """
    db.execute("DELETE FROM fold WHERE name GLOB ? AND name <> ?", (f"{fold.name.rpartition(' ')[0]} *", fold.name))
    values = (fold.name, *fold.point, fold.state, signer.sign(CONTEXT, _said(signer, fold)))
    db.execute("INSERT OR REPLACE INTO fold (name, seq, hash, state, signature) VALUES (?, ?, ?, ?, ?)", values)


def kept(db: apsw.Connection, signer: Signer, names: Iterable[str]) -> dict[str, Fold]:
    """Those of these folds that are there. Raises JournalBroken where one is not what this home signed."""
    found: dict[str, Fold] = {}
    for name in names:
        rows = db.execute("SELECT seq, hash, state, signature FROM fold WHERE name = ?", (name,)).fetchall()
        for seq, hashed, state, signature in cast(list[tuple[int, bytes, bytes, bytes]], rows):
            fold = Fold(name, (seq, hashed), state)
            if not signer.signed(signature, CONTEXT, _said(signer, fold)) or chain.hash_of(db, seq) != hashed:
                raise JournalBroken(f"the snapshot at record {seq} is not what this home signed", ACCEPT, "snapshot")
            found[name] = fold
    return found


def common(found: dict[str, Fold], names: Iterable[str]) -> Point:
    """From where on each of these folds must read the journal, and it must hence be checked."""
    return min((found[name].point if name in found else START for name in names), default=START)
