"""What the person's records mean, said again in the plainest way: no indices, nothing forgotten, nothing quick.

Each record is looked at as it is told. One that could not have been made by a kernel that keeps its word raises
`Broken`: a use beyond what was allowed, or after its end; an event that is delivered to a trigger a second time.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from agentos.home.happenings import Delivered, Happened, Heard, Listens, Replayed
from agentos.home.history import Record, RunBegan, RunEnded, RunParked
from agentos.home.records import CallMade, CallSettled, Grant, Revoked
from agentos.v1 import control_pb2 as pb

WAITING, DONE, DEAD, LET_GO = "waiting", "done", "dead", "let go"
FOR_ONE_RUN = (pb.CHOICE_RUN, pb.CHOICE_ONCE)


class Broken(AssertionError):
    """The kernel did what it never may."""


def tree(run: str) -> str:
    """All runs that one run started, and those that they started, are of its tree."""
    return run.split(".", maxsplit=1)[0]


@dataclass
class Plain:
    """`retries` is how often each trigger is tried again. `owed` says of each (event, trigger) how it stands."""

    retries: dict[str, int] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    calls: list[CallMade] = field(default_factory=list)
    settled: dict[tuple[str, int], CallSettled] = field(default_factory=dict)
    back: set[tuple[str, int]] = field(default_factory=set)
    runs: dict[str, RunBegan] = field(default_factory=dict)
    over: set[str] = field(default_factory=set)
    owed: dict[tuple[str, str], str] = field(default_factory=dict)
    tries: dict[tuple[str, str], int] = field(default_factory=dict)
    # Of runs that listen: the events that came and were not taken.
    came: dict[str, list[str]] = field(default_factory=dict)
    # Of those that left memory for an event: whether one came since.
    away: dict[str, bool] = field(default_factory=dict)

    def tell(self, record: Record) -> None:
        match record:
            case Grant():
                self.grants[record.id] = record
            case Revoked():
                self.revoked |= set(record.ids)
            case CallMade() if record.grant:
                self._made(record)
            case CallSettled():
                self._settled(record)
            case RunBegan():
                self.runs[record.run] = record
            case RunEnded():
                self.over.add(record.run)
                self._event_of(record)
            case Delivered():
                self._delivered(record)
            case Replayed():
                self._move((record.event, record.trigger), DEAD, WAITING)
                self.tries[record.event, record.trigger] = 0
        self._heard(record)

    def _heard(self, record: Record) -> None:
        """What came for runs, and which of them are away until something does."""
        match record:
            case Happened():
                self.owed |= {(record.run, trigger): WAITING for trigger in record.to}
                for events in self.came.values():
                    events.append(record.run)
                self.away = dict.fromkeys(self.away, True)
            case Listens():
                self.came.setdefault(record.run, [])
            case Heard():
                self.came[record.run].remove(record.event)
                self.away.pop(record.run, None)
            case RunParked():
                self.away[record.run] = False
            case RunEnded():
                self.came.pop(record.run, None)
                self.away.pop(record.run, None)

    # ---- grants

    def open_calls(self) -> list[CallMade]:
        return [call for call in self.calls if (call.run, call.seq) not in self.settled]

    def held(self) -> set[str]:
        """Grants that the person can see: all but those of children that are over, which are gone."""
        return {name for name, grant in self.grants.items() if not (grant.parent and self._ended(grant))}

    def uses(self, name: str) -> int:
        """How often it was used, by itself or through what was derived from it."""
        return len(self._kept(name))

    def spent(self, name: str, run: str) -> int:
        """By the whole tree that a run belongs to, together."""
        return sum(amount for call in self._kept(name) if tree(call.run) == tree(run) for _, amount in call.amounts)

    def lives(self, name: str, run: str, now_ms: int) -> bool:
        """Whether this run may use it at all, now."""
        grant, began = self.grants[name], self.runs[run]
        if (grant.path, grant.digest) != (began.path, began.digest):
            return False
        if (grant.terms.choice in FOR_ONE_RUN or began.above) and grant.run != run:
            return False
        return all(self.stands(each, now_ms) for each in self.line(name))

    def stands(self, name: str, now_ms: int) -> bool:
        """Whether it is there, whoever uses it: what hangs on it stands no longer than it does."""
        grant = self.grants[name]
        if name in self.revoked or self._ended(grant) or (grant.uses and self.uses(name) >= grant.uses):
            return False
        return grant.terms.choice != pb.CHOICE_UNTIL or now_ms < grant.terms.until_ms

    def line(self, name: str) -> list[str]:
        """A grant, what it was derived from, and so on up."""
        above = self.grants[name].parent
        return [name, *(self.line(above) if above else ())]

    def fits(self, name: str, run: str, amount: int) -> bool:
        most = {
            each: int(value)
            for each in self.line(name)
            for bound, values in self.grants[each].bounds if bound == "bytes"
            for value in values
        }  # fmt: skip
        return all(self.spent(each, run) + amount <= limit for each, limit in most.items())

    def verdict(self, run: str, digest: str, amount: int, now_ms: int) -> str:
        """What must be said to a call: may, quota, ask, or no where nobody can be asked."""
        living = [name for name in self.grants if self.lives(name, run, now_ms) and self._is_for(name, digest)]
        if any(self.fits(name, run, amount) for name in living):
            return "may"
        return "quota" if living else "no" if self.runs[run].above else "ask"

    def _is_for(self, name: str, digest: str) -> bool:
        terms = self.grants[name].terms
        return terms.choice != pb.CHOICE_ONCE or terms.call == digest

    def _ended(self, grant: Grant) -> bool:
        return grant.terms.choice in FOR_ONE_RUN and grant.run in self.over

    def _kept(self, name: str) -> list[CallMade]:
        """The calls under a grant that were not given back."""
        under = [call for call in self.calls if name in self.line(call.grant)]
        return [call for call in under if (call.run, call.seq) not in self.back]

    def _made(self, call: CallMade) -> None:
        if not self.lives(call.grant, call.run, call.at_ms) or not self._is_for(call.grant, call.digest):
            raise Broken(f"{call.grant} was used when it held no more")
        if not self.fits(call.grant, call.run, sum(amount for _, amount in call.amounts)):
            raise Broken(f"{call.grant} was overdrawn")
        if call.run in self.over:
            raise Broken(f"{call.run} was over, and called")
        self.calls.append(call)

    def _settled(self, record: CallSettled) -> None:
        """A run that is over is given nothing back."""
        key = (record.run, record.seq)
        if record.released and key not in self.settled and record.run not in self.over:
            self.back.add(key)
        self.settled[key] = record

    # ---- events

    def _delivered(self, record: Delivered) -> None:
        key = (record.event, record.trigger)
        self._move(key, WAITING, record.run)
        self.tries[key] = self.tries.get(key, 0) + 1

    def _event_of(self, ended: RunEnded) -> None:
        key = next((key for key, how in self.owed.items() if how == ended.run), None)
        if key is None:
            return
        again = ended.status == pb.RUN_STATUS_FAILED and self.tries[key] <= self.retries[key[1]]
        ways: dict[int, str] = {pb.RUN_STATUS_DONE: DONE, pb.RUN_STATUS_CANCELLED: LET_GO}
        self.owed[key] = WAITING if again else ways.get(ended.status, DEAD)

    def _move(self, key: tuple[str, str], before: str, after: str) -> None:
        if self.owed.get(key) != before:
            raise Broken(f"{key} went to {after} from {self.owed.get(key)}")
        self.owed[key] = after
