"""Children: runs that a run starts, with authority derived from its own, and never more.

A child is named after its parent and the call that started it: r12.4 is what call 4 of r12 started. So a call that is
made again after a crash finds the child that is there, whose it is needs no table, and `agentos ps` shows the tree.

* Its program is a version that the person approved: one they ran, armed or granted something, by its digest. What
  stands at the path now is not looked at.
* It has what `lending` lets its parent give, and nothing of what the person granted its program. Nobody is asked.
* Its limits are its parent's at most. A tree has so many levels, so many children at once, so many new ones a second.
* A run that is over takes the children with it that are not; so does one that is cancelled. A kernel that finds a child
  without a parent, after a crash, ends it.
* Where its parent had read from outside, it has too; and where it has, its parent has once it joins it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from agentos.home.history import ProgramSeen, RunBegan
from agentos.home.records import CallMade, CallSettled, Fault, Grant, Terms
from agentos.home.refusal import Refusal
from agentos.kernel import own
from agentos.kernel.actor import Actor
from agentos.kernel.call import Failed
from agentos.kernel.grants import root
from agentos.kernel.ledger import Ledger, Past, parent
from agentos.kernel.own import Parted
from agentos.manifest.rules import Catalog
from agentos.runs import lending, outcome, provenance
from agentos.runs.intake import check_input
from agentos.runs.run import Run
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2, own_pb2
from agentos.v1.names import BadName
from agentos.v1.paths import canonical_path

DEPTH = 4
# Of one run, and of a tree, at once.
WIDTH, TREE = 32, 128
# Of a tree: so many at once, and so many more a second.
BURST, RATE = 32, 8.0
HEARD_OF = ("children.join", "event.wait_for")
WORDS = {status: word for word, status in outcome.STATUS.items()} | {pb.RUN_STATUS_CANCELLED: "cancelled"}


class Children:
    def __init__(
        self, ledger: Ledger, catalog: Catalog, begin: Callable[[RunBegan, Sequence[Grant]], None],
        end: Callable[[str], Awaitable[None]], now_ms: Callable[[], int],
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self._catalog = catalog
        self._begin = begin
        self._end = end
        self._now_ms = now_ms
        self._over: dict[str, asyncio.Event] = {}
        # Of each tree under way: how many it may start now, and when that was so.
        self._may_start: dict[str, tuple[float, float]] = {}

    # ---- spawn

    def spawn(self, run: Run, actor: Actor, seq: int, request: own_pb2.ChildrenSpawnRequest) -> str:
        """Start a child; one that this very call started before stays the only one. Raises Failed."""
        child = f"{run.id}.{seq}"
        if child in self._ledger.open or self._ledger.past(child):
            return child
        seen, path = self._program(run, request.program)
        lines = lending.wanted(request.grants, run, self._catalog)
        try:
            check_input(request.input or "null")
        except Refusal as refusal:
            raise Failed(refusal.fault) from None
        self.check_room(run.id)
        now_ms = self._now_ms()
        held = self._ledger.table.live(run.who, now_ms)
        lent = [(line.action, *lending.lend(run, line, held, self._catalog)) for line in lines]
        grants = [
            Grant(
                self._ledger.next_id("g"), child, seen.name, path, seen.digest, action, bounds,
                Terms(pb.CHOICE_RUN), now_ms, origin=run.id, parent=source,
            )
            for action, source, bounds in lent
        ]  # fmt: skip
        began = RunBegan(
            child, seen.name, path, seen.digest, run.began.start_folder, run.began.home_folder, (), request.input,
            time.time_ns() // 1000, int(pb.ASK_DENY), f"{path.rpartition('/')[0]}/agent.toml" if seen.manifest else "",
            above=(run.who.path, *run.who.above), within=msgspec.structs.astuple(run.manifest.limits),
            outside=tuple(actor.outside), hops=run.began.hops,
        )  # fmt: skip
        self._begin(began, grants)
        return child

    def _program(self, run: Run, name: str) -> tuple[ProgramSeen, str]:
        """The version that a program is named by, and its path. Raises Failed for one that was not approved."""
        try:
            path = canonical_path(name, run.request.start_folder, run.request.home_folder)
        except BadName:
            path = ""
        digest = name if name in self._ledger.approved else self._ledger.newest.get(path, "")
        seen = self._ledger.program(digest) if digest in self._ledger.approved else None
        if seen is None:
            reason, hint = "no version of that program was allowed to run", "run it once yourself: agentos run PROGRAM"
            raise Failed(Fault(error_pb2.CODE_DENIED, reason, hint, "unapproved"))
        return seen, self._ledger.approved[digest] if digest == name else path

    def check_room(self, run: str) -> None:
        """Raises Failed where a run may not start one more."""
        below, top = self._ledger.below, root(run)
        if run.count(".") >= DEPTH:
            raise _limit(f"a child is at most {DEPTH} levels below the run that a person or an event started", "depth")
        if len(below.get(run, ())) >= WIDTH:
            raise _limit(f"a run has at most {WIDTH} children at once", "width")
        if sum(len(each) for above, each in below.items() if root(above) == top) >= TREE:
            raise _limit(f"a run and all below it are at most {TREE} at once", "width")
        now = time.monotonic()
        left, at = self._may_start.get(top, (float(BURST), now))
        left = min(left + (now - at) * RATE, BURST)
        if left < 1:
            raise _limit(f"a tree of runs starts at most {RATE:.0f} children a second", "rate")
        self._may_start[top] = left - 1, now

    # ---- join and cancel

    async def join(self, run: Run, actor: Actor, request: own_pb2.ChildrenJoinRequest) -> own_pb2.ChildrenJoinResponse:
        """How a child ended, when it has. Raises Failed; Parted where that takes longer than a moment."""
        child = self._own(run, request.run)
        while child in self._ledger.open:
            event = self._over.setdefault(child, asyncio.Event())
            try:
                await asyncio.wait_for(event.wait(), own.A_MOMENT_MS / 1000)
            except TimeoutError:
                if actor.alone and child in self._ledger.open:
                    run.joins = child
                    raise Parted(own.JOIN_MS) from None
        past = self._ledger.past(child)
        if past is None or past.end is None:
            raise _not_ours()
        found = self._outside(past)
        actor.outside |= dict.fromkeys(found)
        fault = past.end.fault or Fault(0, "")
        word = WORDS.get(pb.RunStatus.ValueType(past.end.status), "failed")
        return own_pb2.ChildrenJoinResponse(
            status=word, result=past.end.result, reason=fault.reason, hint=fault.hint, outside=found
        )

    async def cancel(self, run: Run, request: own_pb2.ChildrenCancelRequest) -> None:
        await self._end(self._own(run, request.run))

    def _own(self, run: Run, child: str) -> str:
        if parent(child) != run.id or not (child in self._ledger.open or self._ledger.past(child)):
            raise _not_ours()
        return child

    def _outside(self, past: Past) -> list[str]:
        """Where a child that is over had read from, itself or through its own children."""
        calls = list(self._ledger.calls(past.began.run))
        carried = past.continued.outside if past.continued else ()
        return list(
            dict.fromkeys((*past.began.outside, *carried, *provenance.outside(calls, self._catalog), *joined(calls)))
        )

    # ---- the end of a run

    async def end_below(self, run: str) -> None:
        """End what a run started and did not wait for."""
        for child in sorted(self._ledger.below.get(run, ())):
            await self._end(child)

    def over(self, run: str) -> None:
        """Tell whoever joins this run that it is over."""
        self._may_start.pop(run, None)
        if event := self._over.pop(run, None):
            event.set()


def joined(calls: list[tuple[CallMade, CallSettled | None]]) -> list[str]:
    """Where that had read from which a run heard of: the children it joined, and who sent the events it waited for."""
    values = [settled.value for made, settled in calls if made.action in HEARD_OF and settled and settled.value]
    return [place for value in values for place in msgspec.json.decode(value, type=Joined).outside]


class Joined(msgspec.Struct):
    outside: list[str] = []


def _not_ours() -> Failed:
    return Failed(
        Fault(error_pb2.CODE_NOT_FOUND, "this run has no such child", "children.spawn returns what is joined")
    )


def _limit(reason: str, detail: str) -> Failed:
    return Failed(Fault(error_pb2.CODE_LIMIT, reason, "join those that there are first", detail))
