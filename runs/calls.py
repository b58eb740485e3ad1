"""What the path of a call needs of the run that calls: who it is, whom to ask, what became of a lost call."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import Message

from agentos.events.sending import Sender
from agentos.home.history import CallAgain, CallUnknown, PromptAnswered
from agentos.home.records import Fault
from agentos.home.refusal import Refusal
from agentos.kernel import own, views
from agentos.kernel.actor import Actor
from agentos.kernel.call import Call, Failed
from agentos.kernel.decide import Ask
from agentos.kernel.ledger import Ledger
from agentos.kernel.own import Parted, Powers
from agentos.kernel.replay import Recorded
from agentos.runs import children, generations
from agentos.runs.children import Children
from agentos.runs.questions import Questions
from agentos.runs.run import Roster, Run
from agentos.runs.waits import Waits
from agentos.v1 import control_pb2 as pb
from agentos.v1 import own_pb2

NO = (pb.CHOICE_UNSPECIFIED, pb.CHOICE_NO, pb.CHOICE_NEVER)


class Calls:
    def __init__(
        self, roster: Roster, ledger: Ledger, questions: Questions, children: Children, waits: Waits, powers: Powers
    ) -> None:
        self._roster = roster
        self._ledger = ledger
        self._questions = questions
        self._children = children
        self._waits = waits
        self._powers = powers

    def actor(self, run: Run) -> Actor:
        async def ask(asking: Sequence[tuple[Call, Ask]]) -> set[str] | None:
            try:
                run.asking = True
                self._roster.look(run.who.path)
                return await self._questions.ask(run, actor, asking)
            except Refusal:  # the desk is full: as good as nobody there, and a refusal to record, not the run's end
                return None
            finally:
                run.asking = False

        async def read_line(text: str) -> str | None:
            return await self._read_line(run, text)

        began_ms = self._powers.monotonic_ms() - max(self._powers.unix_ms() - run.began.queued_us // 1000, 0)

        async def own_call(call: Call, asked_ms: int) -> Message:
            served = await self._of_runs(run, actor, call, asked_ms)
            if served is not None:
                return served
            return await own.serve(call.request, self._powers, began_ms, read_line, asked_ms, actor.alone)

        async def settled(call: Call) -> Recorded:
            found = await self._unknown(run, call, actor.alone)
            actor.heard_at = self._ledger.journal.head[0]  # what the person said is recorded, and not yet on disk
            return found

        def refused(call: Call, fault: Fault) -> None:
            run.tell(refused=views.refused(call, fault))

        actor = Actor(
            run.who, run.manifest, run.request.start_folder, run.request.home_folder, own_call, ask, settled,
            run.printed, refused, run.stop, past=run.past,
            declined=_declined(self._ledger.answered(run.id)) if run.again else set(),
            seq=run.first, outside=dict.fromkeys(self._outside(run)),
        )  # fmt: skip
        return actor

    async def _of_runs(self, run: Run, actor: Actor, call: Call, asked_ms: int) -> Message | None:
        """What is served of the run itself, of its children and of events. Raises Failed, Continued or Parted."""
        request = call.request
        if isinstance(request, own_pb2.RunContinueWithRequest):
            raise generations.end(request, actor.alone)
        if isinstance(request, own_pb2.RunLeftRequest):
            return generations.left(run, actor)
        if isinstance(request, own_pb2.EventSendRequest):
            return own_pb2.EventSendResponse(id=await self._send(run, actor, call.seq, request))
        if isinstance(request, own_pb2.EventWaitForRequest):
            return await self._waits.wait_for(run, actor, call, request, asked_ms)
        if isinstance(request, own_pb2.ChildrenSpawnRequest):
            return own_pb2.ChildrenSpawnResponse(run=self._children.spawn(run, actor, call.seq, request))
        if isinstance(request, own_pb2.ChildrenJoinRequest):
            return await self._children.join(run, actor, request)
        if isinstance(request, own_pb2.ChildrenCancelRequest):
            await self._children.cancel(run, request)
            return own_pb2.ChildrenCancelResponse()
        return None

    async def _send(self, run: Run, actor: Actor, seq: int, request: own_pb2.EventSendRequest) -> str:
        top = (run.who.path, *run.who.above)[-1]
        sender = Sender(run.id, seq, top, run.began.hops, tuple(actor.outside))
        try:
            return await self._roster.send(sender, request.name, request.data)
        except Refusal as refusal:
            raise Failed(refusal.fault) from None

    def _outside(self, run: Run) -> list[str]:
        """Where a run had read from before it asks for anything: what its parent, and generations before, had."""
        carried = run.continued.outside if run.continued else ()
        before = children.joined([(each.made, each.settled) for each in run.past.values()])
        return [*run.began.outside, *carried, *before]

    async def _unknown(self, run: Run, call: Call, alone: bool) -> Recorded:
        """Put to the person what nobody can tell; the run is away until then."""
        known = self._ledger.recorded(run.id)[call.seq]
        if known.settled or known.cleared:  # since it came back
            return await self.spend(run.id, call.seq, known)
        if call.seq not in self._ledger.unknown.get(run.id, ()):
            await self._ledger.durable(self._ledger.record(CallUnknown(run.id, call.seq, self._powers.unix_ms())))
        run.tell(
            notice=f"nobody can tell whether call {call.seq} happened; say so with: agentos settle {run.id} {call.seq}"
        )
        if alone:
            raise Parted(own.FAR_MS)
        run.clock(False)
        while call.seq in self._ledger.unknown.get(run.id, ()):
            run.woken.clear()
            await run.woken.wait()
        run.clock(True)
        return await self.spend(run.id, call.seq, self._ledger.recorded(run.id)[call.seq])

    async def spend(self, run_id: str, seq: int, past: Recorded) -> Recorded:
        """What the person cleared is made once more, and only once: cut off again, it is unknown again."""
        if past.cleared and not past.settled:
            await self._ledger.durable(self._ledger.record(CallAgain(run_id, seq, spent=True)))
        return past

    async def _read_line(self, run: Run, text: str) -> str | None:
        if not run.request.interactive:
            return None
        run.clock(False)
        run.tell(input_wanted=text)
        line = await run.typed.get()
        run.clock(True)
        return line


def _declined(answers: Sequence[PromptAnswered]) -> set[str]:
    """The digests of the calls that got no yes: they are not asked for again in this run."""
    allowed = [{number for number, choice in each.decisions if choice not in NO} for each in answers]
    asked = zip(answers, allowed, strict=True)
    return {call for each, yes in asked for number, call in enumerate(each.calls, 1) if number not in yes}
