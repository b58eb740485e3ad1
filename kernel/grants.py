"""Grants: the table of what the person allowed, as a fold of the journal.

Theory of operation. A grant is a row in memory and a record in the journal; nothing else carries authority. The
table is only ever changed by `fold`, with the record that was appended in the same breath, so that after a crash
the same records give the same table. A call that is admitted adds to the use and to the budgets of its grant at
once (a reservation); a reply that says `released` takes it back. Since `fold` never waits and the kernel has one
event loop, fifty slots of a gather cannot overdraw a grant that has one use left.

What only a run could use, and what it spent, is forgotten when that run ends: a decision looks at what can still
matter, however long a program's history is. The list of grants for the person keeps all.

A grant lives while its terms hold, it has uses left, and its parent lives: revoking one takes the subtree without
visiting it, and at the next call.
"""

from __future__ import annotations

from collections.abc import Iterable
from os.path import realpath

import msgspec

from agentos.home.records import Bounds, CallMade, CallSettled, Denial, Grant, Revoked, RunEnded
from agentos.v1 import control_pb2 as pb

OF_ONE_RUN, OF_NO_RUN = (pb.CHOICE_ONCE, pb.CHOICE_RUN), ""


class Standing(msgspec.Struct, frozen=True):
    """Who calls: the run, its program's lineage (path) and version (digest), and the terminal of `run --dev`."""

    run: str
    program: str
    path: str
    digest: str
    terminal: tuple[int, int] = (0, 0)


class Held(msgspec.Struct):
    """A grant and what has been used of it. `spent` is by (run, bound)."""

    grant: Grant
    uses: int = 0
    spent: dict[tuple[str, str], int] = {}
    last_used_ms: int = 0
    revoked: bool = False
    ended: bool = False

    @property
    def uses_left(self) -> int:
        """-1 where there is no end."""
        return max(self.grant.uses - self.uses, 0) if self.grant.uses else -1


class Table(msgspec.Struct):
    """All grants and denials of a home. Nothing is in it that cannot be written down: see `Ledger`."""

    held: dict[str, Held] = {}
    denials: dict[str, Denial] = {}
    _of_path: dict[str, list[str]] = {}
    _of_run: dict[str, set[str]] = {}
    _admitted: dict[tuple[str, int], CallMade] = {}

    def fold(self, records: Iterable[msgspec.Struct]) -> None:
        """Bring the table up to these records, which are in the journal now."""
        for record in records:
            if isinstance(record, Grant):
                self.held[record.id] = Held(record, spent={})
                self._of_path.setdefault(record.path, []).append(record.id)
                of = OF_NO_RUN if record.terms.choice == pb.CHOICE_TERMINAL else record.run
                self._of_run.setdefault(of, set()).add(record.id)
            elif isinstance(record, Denial):
                self.denials[record.id] = record
            elif isinstance(record, Revoked):
                self._revoke(record)
            elif isinstance(record, CallMade) and record.grant:
                self._use(record, 1)
                self._admitted[record.run, record.seq] = record
            elif isinstance(record, CallSettled):
                if (admitted := self._admitted.pop((record.run, record.seq), None)) and record.released:
                    self._use(admitted, -1)
            elif isinstance(record, RunEnded):
                self.end(record.run)

    def _use(self, call: CallMade, sign: int) -> None:
        held = self.held[call.grant]
        held.uses += sign
        held.last_used_ms = call.at_ms
        for bound, amount in call.amounts:
            spent = held.spent.get((call.run, bound))
            if spent is not None or sign > 0:  # what is given back after the end was forgotten at the end
                held.spent[call.run, bound] = (spent or 0) + sign * amount
                self._of_run.setdefault(call.run, set()).add(call.grant)

    def end(self, run: str) -> None:
        """This run is over: what only it could use, and what it spent, matters no more."""
        for held in map(self.held.__getitem__, self._of_run.pop(run, ())):
            held.spent = {key: amount for key, amount in held.spent.items() if key[0] != run}
            if held.grant.run == run and held.grant.terms.choice in OF_ONE_RUN:
                self._of_path[held.grant.path].remove(held.grant.id)
                held.ended = True

    def _revoke(self, record: Revoked) -> None:
        for each in record.ids:
            self.denials.pop(each, None)
            if each in self.held:
                self.held[each].revoked = True

    def live(self, who: Standing, now_ms: int, again: CallMade | None = None) -> list[Held]:
        """What this run may use now, newest first: a later, wider answer is found before an older one.

        For a call that is made again, its grant counts as it was before it: what it reserved is still reserved.
        """
        ours = [self.held[each] for each in reversed(self._of_path.get(who.path, ()))]
        if again is not None:
            ours = [_before(held, again) if held.grant.id == again.grant else held for held in ours]
        return [held for held in ours if self.lives(held, who, now_ms)]

    def lives(self, held: Held, who: Standing, now_ms: int) -> bool:
        if held.revoked or held.uses_left == 0 or not _holds(held.grant, who, now_ms):
            return False
        parent = self.held.get(held.grant.parent)
        return not held.grant.parent or (parent is not None and self.lives(parent, who, now_ms))

    def denied(self, path: str) -> list[Denial]:
        return [denial for denial in self.denials.values() if denial.path == path]

    def rewritten(self, written: Iterable[str]) -> tuple[str, ...]:
        """The grants that hold whatever the version, of programs that stand at or below one of these paths.

        They are for what somebody edits at a terminal, by its path alone, and so not for what a run put there.
        """
        above = tuple(f"{path}/" for path in written)
        ours = map(self.held.__getitem__, self._of_run.get(OF_NO_RUN, ()))
        held = [(each.grant.id, each.grant.path) for each in ours if not each.revoked]
        return tuple(grant for grant, at in held if any(f"{one}/".startswith(above) for one in (at, realpath(at))))

    def under_way(self, ids: Iterable[str]) -> list[CallMade]:
        """Calls that were admitted under these grants and have not settled."""
        return [call for call in self._admitted.values() if call.grant in ids]


def _before(held: Held, call: CallMade) -> Held:
    spent = held.spent | {
        (call.run, bound): held.spent.get((call.run, bound), 0) - used for bound, used in call.amounts
    }
    return msgspec.structs.replace(held, uses=held.uses - 1, spent=spent)


def _holds(grant: Grant, who: Standing, now_ms: int) -> bool:
    """Whether a grant's terms reach this run at this time."""
    terms = grant.terms
    if grant.path != who.path:
        return False
    if terms.choice == pb.CHOICE_TERMINAL:
        return terms.terminal == who.terminal != (0, 0)
    if grant.digest != who.digest:
        return False
    if terms.choice in OF_ONE_RUN:
        return grant.run == who.run
    if terms.choice == pb.CHOICE_UNTIL:
        return now_ms < terms.until_ms
    return terms.choice == pb.CHOICE_VERSION


def bound_values(bounds: Bounds, name: str) -> tuple[str, ...]:
    """The values of one bound; none if it is not there, which covers nothing."""
    return dict(bounds).get(name, ())
