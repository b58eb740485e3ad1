"""What `verify` checks, in one walk through the journal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

import apsw

from agentos.audit import msgpack
from agentos.audit.authority import Authority
from agentos.audit.format import FIRST, Database, Head, Row

LEDGER = "ledger "  # and the number of its form: what is read of it is in each the same
MOST = 20


@dataclass
class Found:
    """What was looked at, and what is wrong with it."""

    records: int = 0
    erased: int = 0
    checkpoints: int = 0
    signed: int = 0  # up to which record
    snapshots: int = 0
    heads: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def fields(self) -> dict[str, object]:
        return {"ok": not self.faults, **vars(self)}

    @property
    def lines(self) -> list[str]:
        said = [
            f"{self.records} records in one chain, {self.erased} of them erased",
            f"{self.checkpoints} checkpoints signed by this home, the newest at record {self.signed}",
            f"{self.snapshots} snapshots that say what the records say",
            *self.heads,
        ]
        return [*said, *([f"WRONG: {each}" for each in self.faults] or ["all of it fits"])]


def verified(database: Database, lines: Iterable[tuple[str, str]]) -> Found:
    """Everything that is said in `format`. `lines` are heads from elsewhere, each with what it is called."""
    found = Found()
    heads = [(name, database.head(line)) for name, line in lines]
    found.faults += [f"{name} was not signed by this home" for name, head in heads if head is None]
    try:
        marked = list(database.checkpoints())
        folds = list(database.folds())
        signed = _signatures(database, marked, found)
        wanted = {each.seq for each in signed} | {head.seq for _, head in heads if head} | {each[1] for each in folds}
        hashes, tables = _walked(database, wanted, {seq for name, seq, *_ in folds if name.startswith(LEDGER)}, found)
        if not database.indexes_fit():
            found.faults.append("an index does not fit its table")
    except apsw.Error:
        found.faults.append(f"a page after record {found.records} was altered: the cipher refuses it")
        return found
    for head in signed:
        if hashes.get(head.seq) != head.hash:
            found.faults.append(f"the checkpoint at record {head.seq} is of another history")
    _compared(heads, signed, hashes, found)
    _snapshots(database, folds, signed, hashes, tables, found)
    return found


def _signatures(database: Database, marked: list[tuple[int, str]], found: Found) -> list[Head]:
    signed: list[Head] = []
    for seq, line in marked:
        head = database.head(line)
        if head is None or head.seq != seq:
            found.faults.append(f"the checkpoint at record {seq} was not signed by this home")
        elif signed and (head.home, head.epoch, head.number) < (signed[-1].home, signed[-1].epoch, signed[-1].number):
            found.faults.append(f"the checkpoint at record {seq} is older than the one before it")
        else:
            signed.append(head)
    found.checkpoints, found.signed = len(signed), signed[-1].seq if signed else 0
    return signed


def _walked(
    database: Database, wanted: set[int], folded: set[int], found: Found
) -> tuple[dict[int, bytes], dict[int, Authority]]:
    """The hashes of these records, and what was allowed at those; the chain is checked on the way."""
    before, hashes, tables = FIRST, {0: FIRST}, {}
    erased: dict[str, int] = {}
    authority, broken = Authority(), False
    for row in database.rows():
        if not broken and (row.seq != found.records + 1 or not row.follows(before)):
            found.faults.append(f"record {found.records + 1} is not what was written after record {found.records}")
            broken = True  # whatever comes after the first fault proves nothing
        found.records, before = row.seq, row.hash
        if row.seq in wanted:
            hashes[row.seq] = row.hash
        _read(row, erased, authority, found)
        if row.seq in folded:
            tables[row.seq] = _copied(authority)
    found.erased = sum(erased.values()) + found.erased
    for run, count in erased.items():
        found.faults.append(f"{count} records of {run or 'no run'} were erased, and no record says so")
    return hashes, tables


def _read(row: Row, erased: dict[str, int], authority: Authority, found: Found) -> None:
    """One record into the fold; an erased one waits for the record that says so."""
    if row.body is None:
        if row.lasting:
            _fault(found, f"record {row.seq}, a {row.kind}, was erased, and must not be")
        erased[row.run] = erased.get(row.run, 0) + 1
        return
    if row.kind.startswith("home."):
        return
    try:
        record = cast(dict[str, Any], msgpack.decoded(row.body))
        if record["type"] != row.kind or record["run"] != row.run:
            raise ValueError("it says that it is something else")
        authority.fold(row.kind, record)
    except (ValueError, KeyError, TypeError) as wrong:
        _fault(found, f"record {row.seq} cannot be read: {wrong}")
        return
    if row.kind in ("forgotten", "event.forgotten"):
        of = (row.run,) * (row.kind == "forgotten")
        found.erased += sum(erased.pop(each, 0) for each in (*of, *record.get("events", ())))


def _fault(found: Found, text: str) -> None:
    if len(found.faults) < MOST:
        found.faults.append(text)


def _copied(authority: Authority) -> Authority:
    copy = Authority(denials=set(authority.denials))
    copy.grants = {name: type(each)(**vars(each)) for name, each in authority.grants.items()}
    return copy


def _compared(heads: list[tuple[str, Head | None]], signed: list[Head], hashes: dict[int, bytes], found: Found) -> None:
    """Each head from elsewhere against this history."""
    epoch = signed[-1].epoch if signed else 0
    for name, head in heads:
        if head is None:
            continue
        if head.epoch < epoch:
            found.heads.append(f"{name} is of a history before the one you accepted: record {head.seq} is not compared")
        elif head.epoch > epoch or head.seq > found.records:
            found.faults.append(f"rolled back: it ends at record {found.records}, and {name} is of record {head.seq}")
        elif hashes.get(head.seq) != head.hash:
            found.faults.append(f"{name} is of another history: record {head.seq} is not the same")
        else:
            found.heads.append(f"{name} fits: record {head.seq} of {found.records}")


def _snapshots(
    database: Database, folds: list[tuple[str, int, bytes, bytes, bytes]], signed: list[Head],
    hashes: dict[int, bytes], tables: dict[int, Authority], found: Found,
) -> None:  # fmt: skip
    home = signed[-1].home if signed else ""
    for name, seq, hashed, state, signature in folds:
        if not database.fold_signed(home, name, seq, hashed, state, signature):
            found.faults.append(f"the snapshot {name} at record {seq} was not signed by this home")
        elif hashes.get(seq) != hashed:
            found.faults.append(f"the snapshot {name} at record {seq} is of another history")
        elif name.startswith(LEDGER) and (wrong := _differs(state, tables.get(seq, Authority()))):
            found.faults.append(f"the snapshot {name} at record {seq} is not what its records say: {wrong}")
        else:
            found.snapshots += 1


def _differs(state: bytes, ours: Authority) -> str:
    try:
        return ours.differs(cast(dict[str, Any], msgpack.decoded(state))["table"])
    except (ValueError, KeyError, TypeError):
        return "it cannot be read"
