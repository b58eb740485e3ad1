"""The path of a call: the one way from a guest to the world.

    decode -> replay -> target -> decide -> admit -> execute -> settle -> answer

A guest has one import; behind it stands `Path.invoke`. Everything the system promises about permissions is a
property of this file and of what it calls. A request carries one call or several: its slots are decided and
admitted in order; those that ask become one prompt; those that are allowed run side by side meanwhile; the reply
goes out when all have settled.

Everything but a read is on disk before it is dispatched (`durable` before `execute`). A reply is recorded before
the guest hears of it, and need not be on disk by then: all that a guest can do with it comes back through here. What
it changes next is ordered behind the reply, and what is told or asked of the person, and the run's end, waits for what
the guest had heard (`Actor.heard_at`). A failure is typed; a call whose server died in its middle keeps its
reservation, since the effect may have happened.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from google.protobuf.message import DecodeError

from agentos.home.records import Bounds, CallMade, Fault, Revoked, Targets
from agentos.kernel import wire
from agentos.kernel.actor import CALLS_BEYOND_LIMIT, Actor
from agentos.kernel.admit import Authorized, Ledger, admit, readmit, refuse, settle
from agentos.kernel.call import Call, Failed, read
from agentos.kernel.decide import Allow, Ask, Case, Deny, decide
from agentos.kernel.grants import Table
from agentos.kernel.replay import Cut, Diverged, recalled
from agentos.kernel.scope import changed
from agentos.manifest.actions import Catalog
from agentos.v1 import annotations_pb2, capability_pb2, control_pb2
from agentos.v1 import error_pb2 as pb

MAX_QUESTIONS = 20


class Reach(Protocol):
    """The capability servers, as the path of a call needs them. All raise Failed."""

    async def call(self, call: Call, bounds: Bounds, lineage: str, since_ms: int) -> bytes: ...

    async def prepare(self, call: Call, bounds: Bounds, lineage: str) -> Targets: ...

    async def fate(self, call: Call, bounds: Bounds, lineage: str, since_ms: int) -> tuple[int, bytes]: ...


# What a call of a request has come to: to be decided on, failed, answered, or cut off before.
Slot = Call | Fault | str | Cut


class Path:
    def __init__(
        self,
        catalog: Catalog,
        table: Table,
        ledger: Ledger,
        reach: Reach,
        now_ms: Callable[[], int],
        forbidden: tuple[str, ...],
    ) -> None:
        self._catalog = catalog
        self._table = table
        self._ledger = ledger
        self._reach = reach
        self._now_ms = now_ms
        self._forbidden = forbidden

    async def invoke(self, actor: Actor, request: str) -> str:
        """Answer one request of a guest. Raises Diverged or Parted for a run that goes no further in this cell."""
        try:
            actor.count(own_call=True)
            batch = wire.read(request)
        except wire.BadRequest as bad:
            return wire.error(bad.fault)
        for stream, text in batch.out:
            actor.printed(stream, text)
        actor.alone = len(batch.calls) == 1
        slots = [self._decode(actor, claim) for claim in batch.calls]
        prepared = [await self._target(actor, slot) for slot in slots]
        admitted = [self._admit(actor, slot) if isinstance(slot, Call) else slot for slot in prepared]
        asking = [slot for slot in admitted if isinstance(slot, tuple)]
        answered = asyncio.ensure_future(self._question(actor, asking)) if asking else None
        try:
            finishing = [self._finish(actor, slot, answered) for slot in admitted]
            # Most requests have one call, and a task costs as much as all the rest of a small one.
            results = [await finishing[0]] if len(finishing) == 1 else await asyncio.gather(*finishing)
        finally:
            if answered:
                answered.cancel()
        return wire.reply(results)

    # ---- decode

    def _decode(self, actor: Actor, claim: wire.Claim) -> Slot:
        actor.seq += 1
        past = actor.past.pop(actor.seq, None)
        try:
            rule = self._catalog.actions.get(claim.action)
            actor.count(own_call=rule is not None and rule.own)
            call = read(
                claim, actor.who.run, actor.seq, self._catalog, actor.start_folder, actor.home_folder,
                bool(actor.outside),
            )  # fmt: skip
        except wire.BadRequest as bad:
            if past is None:
                self._refused_claim(actor, claim, bad.fault)
            elif past.made.action != claim.action[:64]:
                raise Diverged(past.made, claim.action) from None
            return bad.fault
        if past is None:
            return call
        found = recalled(call, past)
        if isinstance(found, str):
            actor.heard(call, found)
        return found

    def _refused_claim(self, actor: Actor, claim: wire.Claim, fault: Fault) -> None:
        if actor.refused < CALLS_BEYOND_LIMIT:
            actor.heard_at = self._ledger.record(
                CallMade(
                    actor.who.run, actor.seq, claim.action[:64], "{}", (), "", control_pb2.CALL_DECISION_REFUSED,
                    self._now_ms(), fault=fault, line=claim.line, outside=bool(actor.outside),
                )
            )  # fmt: skip
        actor.refused += 1

    # ---- target

    async def _target(self, actor: Actor, slot: Slot) -> Slot:
        """Have the capability resolve what the call is about, where its request does not say it."""
        if not isinstance(slot, Call) or not slot.rule.prepare:
            return slot
        verdict = decide(self._case(actor, slot))
        if isinstance(verdict, Deny):
            return self._refuse(actor, slot, verdict)
        standing = self._table.held[verdict.grant].grant if isinstance(verdict, Allow) else verdict.line
        try:
            bounds = standing.bounds if standing else ()
            return slot.prepared(await self._reach.prepare(slot, bounds, actor.who.path))
        except Failed as failed:
            return self._refuse(actor, slot, Deny(failed.fault, (("effect", "none: it could not be prepared"),)))

    # ---- decide and admit

    def _case(self, actor: Actor, call: Call, again: CallMade | None = None) -> Case:
        if call.rule.inherent:
            return Case(call, actor.who, actor.manifest, [], [], self._catalog, self._forbidden)
        held = self._table.live(actor.who, self._now_ms(), again)
        denials = self._table.denied(actor.who.path, *actor.who.above)
        return Case(call, actor.who, actor.manifest, held, denials, self._catalog, self._forbidden)

    def _admit(self, actor: Actor, call: Call) -> Authorized | Fault | tuple[Call, Ask]:
        outcome = admit(self._case(actor, call), self._ledger, self._now_ms())
        if isinstance(outcome, Deny):
            return self._refuse(actor, call, outcome)
        if isinstance(outcome, Authorized):
            lapsed = self._table.rewritten(changed(call))
            if lapsed:
                self._ledger.record(Revoked(lapsed, call.run))
        return (call, outcome) if isinstance(outcome, Ask) else outcome

    def _refuse(self, actor: Actor, call: Call, verdict: Deny) -> Fault:
        actor.refused += 1
        actor.heard_at = refuse(call, verdict, self._ledger, self._now_ms())
        actor.refused_call(call, verdict.fault)
        return verdict.fault

    async def _question(self, actor: Actor, asking: Sequence[tuple[Call, Ask]]) -> set[str] | None:
        """One prompt for all slots that ask; the digests that were decided, None where nobody can be asked."""
        fresh = [(call, ask) for call, ask in asking if call.digest not in actor.declined]
        if not fresh or actor.questions >= MAX_QUESTIONS:
            actor.questions += bool(fresh)
            return set()
        await self._ledger.durable(actor.heard_at)
        answers = await actor.ask(fresh)
        actor.questions += answers is not None
        return answers

    # ---- execute, settle, answer

    async def _finish(
        self, actor: Actor, slot: Authorized | Slot | tuple[Call, Ask], answered: Awaitable[set[str] | None] | None
    ) -> str | Fault:
        if isinstance(slot, Cut):
            slot = await self._take_up(actor, slot)
        if isinstance(slot, tuple) and answered is not None:
            slot = self._admit_answered(actor, slot, await answered)
        if isinstance(slot, Authorized):
            return await self._execute(actor, slot)
        return slot if isinstance(slot, str | Fault) else Fault(pb.CODE_DENIED, "nobody was asked")

    async def _take_up(self, actor: Actor, cut: Cut) -> Authorized | str | Fault:
        """A call that was cut off: looked up, made again, or put to the person. Never made twice on a guess."""
        call, past, made = cut.call, cut.past, cut.past.made
        fate, raw = int(capability_pb2.FATE_DID_NOT), b""
        if not past.cleared:
            fate, raw = await self._reach.fate(call, self._table.bounds(made.grant), actor.who.path, made.at_ms)
        if fate == capability_pb2.FATE_HAPPENED:
            return self._settled(actor, call, 0, wire.value(call.rule.response.FromString(raw)), None, False)
        if fate != capability_pb2.FATE_DID_NOT:
            past = await actor.settled(call)
            if past.settled is not None:
                return past.settled.fault or past.settled.value
        outcome = readmit(self._case(actor, call, made), made)
        return outcome if isinstance(outcome, Authorized) else self._settled(actor, call, 0, "", outcome, False)

    def _admit_answered(self, actor: Actor, slot: tuple[Call, Ask], answers: set[str] | None) -> Authorized | Fault:
        call, ask = slot
        outcome = self._admit(actor, call)
        if not isinstance(outcome, tuple):
            return outcome
        if answers is None:
            allow = "with --grant manifest, " if actor.manifest.present and not ask.once else ""
            hint = f"run it where you can answer, {allow}or with --ask wait and answer with: agentos inbox"
            fault = Fault(pb.CODE_NEEDS_APPROVAL, "nobody was there to ask", hint)
        elif actor.questions > MAX_QUESTIONS:
            reason = f"it asked more than {MAX_QUESTIONS} times in one run"
            fault = Fault(pb.CODE_DENIED, reason, "allow a folder or a whole line instead of single calls")
        else:
            fault = Fault(pb.CODE_DENIED, "the person said no", "it is not asked again in this run")
        if answers is not None:
            actor.declined.add(call.digest)
        return self._refuse(actor, call, Deny(fault, (*ask.reasons, ("effect", "none"), ("to allow", fault.hint))))

    async def _execute(self, actor: Actor, authorized: Authorized) -> str | Fault:
        call = authorized.spend()
        if call.rule.effect != annotations_pb2.EFFECT_OBSERVE:
            await self._ledger.durable(authorized.seq)
        value, fault, released = "", None, False
        began = time.perf_counter_ns()
        try:
            value = await self._serve(actor, call, authorized)
        except Failed as failed:
            fault, released = failed.fault, failed.released
        except asyncio.CancelledError:
            # The run ended in its middle: the effect may have happened, so the reservation stays. One that is let go of
            # is played again, and finds out what became of it.
            if actor.let_go:
                raise
            cut = Fault(pb.CODE_UNAVAILABLE, "the run ended while this was under way", "", "interrupted")
            settle(call, (time.perf_counter_ns() - began) // 1000, "", cut, False, self._ledger)
            raise
        return self._settled(actor, call, (time.perf_counter_ns() - began) // 1000, value, fault, released)

    def _settled(
        self, actor: Actor, call: Call, took_us: int, value: str, fault: Fault | None, released: bool
    ) -> str | Fault:
        """Record how a call ended, and hand that on."""
        if call.rule.effect != annotations_pb2.EFFECT_OBSERVE:
            self._ledger.soon()  # until it is on disk, whoever goes on after a cut has to find out what became of it
        actor.heard_at = settle(call, took_us, value, fault, released, self._ledger)
        if fault is None:
            actor.heard(call, value)
        return fault or value

    async def _serve(self, actor: Actor, call: Call, authorized: Authorized) -> str:
        if call.rule.own:
            return wire.value(await actor.own(call, authorized.at_ms))
        raw = await self._reach.call(call, self._table.bounds(authorized.grant), actor.who.path, authorized.at_ms)
        try:
            return wire.value(call.rule.response.FromString(raw))
        except DecodeError:
            raise Failed(Fault(pb.CODE_UNAVAILABLE, f"{call.rule.capability} answered nonsense"), False) from None
