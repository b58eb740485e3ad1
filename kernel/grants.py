"""Grants: the table of what the person allowed, as a fold of the journal.

Theory of operation. A grant is a row in memory and a record in the journal; nothing else carries authority. The
table is only ever changed by `fold`, with the record that was appended in the same breath, so that after a crash
the same records give the same table. A call that is admitted adds to the use and to the budgets of its grant at
once (a reservation); a reply that says `released` takes it back. Since `fold` never waits and the kernel has one
event loop, fifty slots of a gather cannot overdraw a grant that has one use left.

What only a run could use, and what it spent, is forgotten when that run ends: a decision looks at what can still
matter, however long a program's history is. The list of grants for the person keeps all.

A grant lives while its terms hold, it has uses left, and its parent lives: revoking one takes the subtree without
visiting it, and at the next call. Derived grants are those of a child run, which has no others. What it uses is used of
each grant above too, and counted against budgets as the uses of the one run at the root of the tree, whose name its own
begins with. They are gone when the child is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from os.path import realpath

import msgspec

from agentos.home.records import Bounds, CallMade, CallSettled, Denial, Grant, Revoked, Terms
from agentos.v1 import control_pb2 as pb

OF_ONE_RUN = (pb.CHOICE_ONCE, pb.CHOICE_RUN)
OF_NO_RUN = ""


class Standing(msgspec.Struct, frozen=True):
    """Who calls: the run, its program's lineage (path) and version (digest), and the terminal of `run --dev`.

    `above` are the paths of the programs that started it, nearest first; none where a person or an event did.
    """

    run: str
    program: str
    path: str
    digest: str
    terminal: tuple[int, int] = (0, 0)
    above: tuple[str, ...] = ()


class Held(msgspec.Struct):
    """A grant and what has been used of it. `spent` is by (root, bound); `above` is filled in for a decision."""

    grant: Grant
    uses: int = 0
    spent: dict[tuple[str, str], int] = {}
    last_used_ms: int = 0
    revoked: bool = False
    ended: bool = False
    above: tuple[Held, ...] = ()

    @property
    def uses_left(self) -> int:
        """-1 where there is no end."""
        return max(self.grant.uses - self.uses, 0) if self.grant.uses else -1

    def stands(self, now_ms: int) -> bool:
        """Whether it, and all that it was derived from, is there and not used up, revoked or past its time."""
        chain = (self, *self.above)
        return not chain[-1].grant.parent and not any(each.void(now_ms) for each in chain)

    def void(self, now_ms: int) -> bool:
        return self.revoked or self.ended or self.uses_left == 0 or _over(self.grant.terms, now_ms)


class Table(msgspec.Struct):
    """All grants and denials of a home. Nothing is in it that cannot be written down: see `Ledger`."""

    held: dict[str, Held] = {}
    denials: dict[str, Denial] = {}
    _of_path: dict[str, list[str]] = {}
    _of_run: dict[str, set[str]] = {}
    # Calls that have not settled, by run and number.
    admitted: dict[str, dict[int, CallMade]] = {}

    def fold(self, records: Iterable[msgspec.Struct]) -> None:
        """Bring the table up to these records, which are in the journal now."""
        for record in records:
            match record:
                case Grant():
                    self._mint(record)
                case Denial():
                    self.denials[record.id] = record
                case Revoked():
                    self._revoke(record)
                case CallMade() if record.grant:
                    self._use(record, 1)
                    self.admitted.setdefault(record.run, {})[record.seq] = record
                case CallSettled():
                    admitted = self.admitted.get(record.run, {}).pop(record.seq, None)
                    if admitted and record.released:
                        self._use(admitted, -1)

    def _mint(self, grant: Grant) -> None:
        self.held[grant.id] = Held(grant, spent={})
        self._of_path.setdefault(grant.path, []).append(grant.id)
        of = OF_NO_RUN if grant.terms.choice == pb.CHOICE_TERMINAL else grant.run
        self._of_run.setdefault(of, set()).add(grant.id)

    def _use(self, call: CallMade, sign: int) -> None:
        tree = root(call.run)
        for held in self.chain(call.grant):
            held.uses += sign
            held.last_used_ms = call.at_ms
            for bound, amount in call.amounts:
                held.spent[tree, bound] = held.spent.get((tree, bound), 0) + sign * amount
                self._of_run.setdefault(tree, set()).add(held.grant.id)

    def chain(self, grant: str) -> Iterator[Held]:
        """A grant, what it was derived from, and so on up, as far as that is there."""
        while held := self.held.get(grant):
            yield held
            grant = held.grant.parent

    def bounds(self, grant: str) -> Bounds:
        """How far a grant reaches; the kernel's own calls have none."""
        return self.held[grant].grant.bounds if grant else ()

    def end(self, run: str) -> None:
        """This run is over: what only it could use, and what it spent, matters no more; nothing is given back to it."""
        self.admitted.pop(run, None)
        for held in [self.held[each] for each in self._of_run.pop(run, ()) if each in self.held]:
            held.spent = {key: amount for key, amount in held.spent.items() if key[0] != run}
            if held.grant.run == run and held.grant.terms.choice in OF_ONE_RUN:
                self._of_path[held.grant.path].remove(held.grant.id)
                held.ended = True
                if held.grant.parent:
                    del self.held[held.grant.id]

    def _revoke(self, record: Revoked) -> None:
        for each in record.ids:
            self.denials.pop(each, None)
            if each in self.held:
                self.held[each].revoked = True

    def live(self, who: Standing, now_ms: int, again: CallMade | None = None) -> list[Held]:
        """What this run may use now, newest first: a later, wider answer is found before an older one.

        For a call that is made again, its grant counts as it was before it: what it reserved is still reserved.
        """
        ours = [self._derived(self.held[each]) for each in reversed(self._of_path.get(who.path, ()))]
        if again is not None:
            ours = [_before(held, again) if held.grant.id == again.grant else held for held in ours]
        return [held for held in ours if _holds(held.grant, who) and held.stands(now_ms)]

    def _derived(self, held: Held) -> Held:
        """A grant with what it was derived from."""
        if not held.grant.parent:
            return held
        return msgspec.structs.replace(held, above=tuple(self.chain(held.grant.parent)))

    def denied(self, *paths: str) -> list[Denial]:
        return [denial for denial in self.denials.values() if denial.path in paths]

    def rewritten(self, written: Iterable[str]) -> tuple[str, ...]:
        """The grants that hold whatever the version, of programs that stand at or below one of these paths.

        They are for what somebody edits at a terminal, by its path alone, and so not for what a run put there.
        """
        above = tuple(f"{path}/" for path in written)
        ours = [self.held[each] for each in self._of_run.get(OF_NO_RUN, ())]
        return tuple(held.grant.id for held in ours if not held.revoked and _lies(held.grant.path, above))


def _lies(at: str, above: tuple[str, ...]) -> bool:
    """Whether a path, by its name or by what it leads to, is one of these or below one; each ends in a slash."""
    return any(f"{one}/".startswith(above) for one in (at, realpath(at)))


def _before(held: Held, call: CallMade) -> Held:
    reserved = {(root(call.run), bound): used for bound, used in call.amounts}
    spent = {key: amount - reserved.get(key, 0) for key, amount in held.spent.items()}
    above = tuple(_before(each, call) for each in held.above)
    return msgspec.structs.replace(held, uses=held.uses - 1, spent=spent, above=above)


def root(run: str) -> str:
    """r12 of r12.4.1: who started it all."""
    return run.partition(".")[0]


def _over(terms: Terms, now_ms: int) -> bool:
    """Whether its time is past; one until a time that is none was over before it began."""
    dated = terms.until_ms != 0 or terms.choice == pb.CHOICE_UNTIL
    return dated and terms.until_ms <= now_ms


def _holds(grant: Grant, who: Standing) -> bool:
    """Whether a grant of its program reaches this run. A child has what its parent gave it, and nothing else."""
    terms = grant.terms
    if who.above and grant.run != who.run:
        return False
    if terms.choice == pb.CHOICE_TERMINAL:
        return terms.terminal == who.terminal != (0, 0)
    if grant.digest != who.digest:
        return False
    if terms.choice in OF_ONE_RUN:
        return grant.run == who.run
    return terms.choice in (pb.CHOICE_UNTIL, pb.CHOICE_VERSION)


def bound_values(bounds: Bounds, name: str) -> tuple[str, ...]:
    """The values of one bound; none if it is not there, which covers nothing."""
    return dict(bounds).get(name, ())
