"""What is put to the person in the course of a run: the review before its first line, and what was left open.

A question goes to the follower of the run and lies on the desk, so that it can be answered from either. The wall
clock stands still meanwhile. A timeout, a run that ends, and a lost connection are all a no.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from agentos.home.refusal import Refusal
from agentos.kernel import bounds, own, views
from agentos.kernel.actor import Actor
from agentos.kernel.call import Call
from agentos.kernel.decide import Ask
from agentos.kernel.grants import Held, Standing
from agentos.kernel.lately import Lately
from agentos.kernel.ledger import Ledger
from agentos.kernel.secrets import Secrets
from agentos.manifest.lines import Manifest
from agentos.manifest.rules import Catalog
from agentos.runs import prompts, provenance
from agentos.runs.desk import Desk
from agentos.runs.run import Run
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2

ANSWER_WITHIN_S = 600
WAIT_IN_INBOX_S = 7 * 86_400
KNOWN = 64
CHANGED = (pb.LINE_STATE_KEPT, pb.LINE_STATE_WIDER, pb.LINE_STATE_DROPPED)


class Questions:
    def __init__(
        self, catalog: Catalog, ledger: Ledger, desk: Desk, secrets: Secrets, wake: Callable[[str], None]
    ) -> None:
        self._wake = wake
        self._secrets = secrets
        self._catalog = catalog
        self._ledger = ledger
        self._desk = desk
        self._known: Lately[tuple[object, ...], tuple[Manifest, pb.Program]] = Lately(KNOWN)

    def _with_secrets(self, lines: list[pb.Line]) -> list[pb.Line]:
        for line in lines:
            line.secrets.extend(self._secrets.told(line.action, bounds.read(line.bounds)))
        return lines

    def program(self, manifest: Manifest, who: Standing) -> pb.Program:
        """A program with the lines of its manifest, and how each stands now. It is not to be changed."""
        live, earlier = self._ledger.table.live(who, time.time_ns() // 1_000_000), self._earlier(who)
        grants = *(held.grant.id for held in live), "", *(held.grant.id for held in earlier)
        key = (who.path, who.digest, who.terminal, grants)
        known = self._known.get(key)
        if known and known[0] is manifest:
            return known[1]
        lines = self._with_secrets(prompts.review_lines(manifest, who, live, earlier, self._catalog))
        shown = views.program(manifest, who, lines, self._catalog)
        if not any(line.secrets for line in lines):  # of those it shows when they were used last
            self._known.put(key, (manifest, shown))
        return shown

    def _earlier(self, who: Standing) -> list[Held]:
        """The standing grants of the version before this one."""
        held = [
            held for held in self._ledger.table.held.values()
            if held.grant.path == who.path and held.grant.terms.choice == pb.CHOICE_VERSION and not held.revoked
        ]  # fmt: skip
        if not held or held[-1].grant.digest == who.digest:
            return []
        return [each for each in held if each.grant.digest == held[-1].grant.digest]

    async def review(self, run: Run, lines: Sequence[pb.Line]) -> None:
        """Before the first run of a version: one question for all lines that no grant covers yet. Raises Refusal."""
        asking = [line for line in lines if prompts.asks(line)]
        if not asking:
            return
        if run.request.grant_manifest:
            await self._ledger.durable(self._desk.grant_lines(asking, run.who))
            run.tell(granted=pb.Granted(lines=asking))
        elif run.request.ask != pb.ASK_DENY and not run.began.event:  # who armed it was asked then
            await self._ask_for_lines(run, lines, asking)

    async def _ask_for_lines(self, run: Run, lines: Sequence[pb.Line], asking: Sequence[pb.Line]) -> None:
        changed = any(line.state in CHANGED for line in lines)
        known = any(line.state == pb.LINE_STATE_GRANTED for line in lines)
        why = "you allowed only part of what it asks" if known else "new program, you started it"
        why = f"{run.who.program} changed since you allowed it" if changed else why
        answer = await self._put(run, lines, (), why, review=True)
        refused = [line for line in asking if answer.get(line.number) in (pb.CHOICE_NO, pb.CHOICE_NEVER)]
        if run.stopped == "cancelled":
            raise Refusal(error_pb2.CODE_UNAVAILABLE, "cancelled before the question was answered", "", "cancelled")
        if not answer or len(refused) == len(asking):
            hint = f"agentos explain {PurePosixPath(run.who.path).name} shows what it asks"
            raise Refusal(error_pb2.CODE_DENIED, "you allowed nothing, so it did not start", hint)

    def lay(
        self, run: str, program: pb.Program, lines: Sequence[pb.Line], who: Standing, why: str, review: bool = True,
        calls: Sequence[str] = (), outside: Sequence[str] = (),
    ) -> pb.Prompt:  # fmt: skip
        """Lay a prompt on the desk."""
        prompt = pb.Prompt(
            id=self._ledger.next_id("p"), run=run, program=program, review=review, lines=lines,
            asked_ms=time.time_ns() // 1_000_000, why=why, outside=outside,
        )  # fmt: skip
        return self._desk.put(prompts.seal(prompt), who, calls).prompt

    async def ask(self, run: Run, actor: Actor, asking: Sequence[tuple[Call, Ask]]) -> set[str] | None:
        """One question for the calls of a request; the digests that were put, None where nobody can be asked."""
        if run.request.ask == pb.ASK_DENY or run.who.above:
            return None
        source = run.request.source.content.decode(errors="replace")
        name = PurePosixPath(run.who.path).name
        lines = [
            prompts.call_line(
                number, call, ask, run.who, run.manifest, self._catalog,
                provenance.origins(call, name, source, run.request.input, actor.replies),
            )
            for number, (call, ask) in enumerate(asking, 1)
        ]  # fmt: skip
        outside = provenance.places(actor.outside, self._catalog)
        lines = self._with_secrets(lines)
        calls = [call.digest for call, _ in asking]
        await self._put(run, lines, calls, asking[0][1].why, False, outside, part=actor.alone)
        return {call.digest for call, _ in asking}

    def _answered(self, run: Run, prompt: str) -> None:
        run.tell(settled=prompt)
        self._wake(run.id)

    async def _put(
        self, run: Run, lines: Sequence[pb.Line], calls: Sequence[str], why: str, review: bool,
        outside: Sequence[str] = (), part: bool = False,
    ) -> dict[int, int]:  # fmt: skip
        """Lay a prompt on the desk, tell the follower, and wait for the answer.

        With `part`, a run whose questions wait in the inbox raises Parted after a moment; the prompt stays.
        """
        program = self.program(run.manifest, run.who)
        prompt = self.lay(run.id, program, lines, run.who, why, review, calls, outside)
        waiting = self._desk.open[prompt.id]
        waiting.unattended = bool(run.began.event)
        run.tell(prompt=prompt)
        run.clock(False)
        patient = run.request.ask == pb.ASK_WAIT
        within = WAIT_IN_INBOX_S if patient else ANSWER_WITHIN_S
        if part and patient:
            await asyncio.wait((waiting.answer,), timeout=own.A_MOMENT_MS / 1000)
            if not waiting.answer.done() and not run.stopped:
                waiting.answer.add_done_callback(lambda _: self._answered(run, prompt.id))
                raise own.Parted(own.FAR_MS, asks=True)
        try:
            return await asyncio.wait_for(asyncio.shield(waiting.answer), within)
        except TimeoutError:
            return {}
        finally:
            self._desk.void(prompt.id)
            run.tell(settled=prompt.id)
            if run.cell:
                run.clock(True)
