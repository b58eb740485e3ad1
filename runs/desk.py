"""The desk: prompts that wait for the person, and the only place where their answer becomes a grant.

An answer names the prompt, repeats the digest of what was shown, and decides line by line. It is taken once: a
second answer, an answer to something else, a choice that was not offered, or bounds that reach further than an
offer, mint nothing. The grants are on disk before the answer is acknowledged.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from agentos.home.history import Ledger, PromptAnswered, Record
from agentos.home.records import Bounds, Denial, Grant, Terms
from agentos.home.refusal import Refusal
from agentos.kernel import bounds
from agentos.kernel.grants import Standing
from agentos.manifest.rules import Catalog
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2
from agentos.v1.names import BadName

MAX_OPEN = 100
YEAR_MS = 366 * 86_400_000


class Memory(Protocol):
    """What the ledger knows: ids, and what the person refused once."""

    refused: dict[str, bool]

    def next_id(self, letter: str) -> str:
        """The next id of a kind: g12, p3. Never given twice in a home."""
        ...


class Open(msgspec.Struct):
    """A prompt that waits, for whom, and the digest of the call behind each line (none in a review)."""

    prompt: pb.Prompt
    who: Standing
    calls: tuple[str, ...]
    answer: asyncio.Future[dict[int, int]]
    # An event began its run: what is refused to it twice is not asked a third time.
    unattended: bool = False

    def thing(self, line: pb.Line) -> str:
        """What a line asks for, so that it is known again."""
        return "\t".join([self.who.path, line.action, *(f"{n}={v}" for n, vs in bounds.read(line.bounds) for v in vs)])

    def refused(self, chosen: Mapping[int, int]) -> tuple[str, ...]:
        """What this answer refuses to a program that nobody watches."""
        lines = self.prompt.lines if self.unattended else ()
        return tuple(self.thing(line) for line in lines if chosen.get(line.number) == pb.CHOICE_NO)


class Desk:
    def __init__(self, ledger: Ledger, ids: Memory, catalog: Catalog, now_ms: Callable[[], int]) -> None:
        self.open: dict[str, Open] = {}
        self.asked = Counter[str]()  # how many questions of a run wait, of those that have any
        self._ledger = ledger
        self._ids = ids
        self._catalog = catalog
        self._now_ms = now_ms

    def put(self, prompt: pb.Prompt, who: Standing, calls: Sequence[str] = ()) -> Open:
        """Lay a sealed prompt on the desk."""
        if len(self.open) >= MAX_OPEN:
            raise Refusal(error_pb2.CODE_LIMIT, "too many questions wait already", "see: agentos inbox")
        waiting = Open(prompt, who, tuple(calls), asyncio.get_running_loop().create_future())
        self.open[prompt.id] = waiting
        self.asked[prompt.run] += 1
        return waiting

    def _off(self, prompt_id: str) -> Open | None:
        waiting = self.open.pop(prompt_id, None)
        self.asked -= Counter([waiting.prompt.run] if waiting else [])
        return waiting

    def void(self, prompt_id: str) -> None:
        """Take a prompt off the desk: everything not decided is a no."""
        waiting = self._off(prompt_id)
        if waiting and not waiting.answer.done():
            waiting.answer.set_result({})

    def void_all(self, run: str) -> None:
        """Take all prompts of a run off the desk."""
        for waiting in [each for each in self.open.values() if each.prompt.run == run]:
            self.void(waiting.prompt.id)

    async def answer(self, request: pb.AnswerRequest) -> list[str]:
        """Take the person's answer; returns the ids of the grants it minted. Raises Refusal."""
        waiting = self.open.get(request.prompt)
        if waiting is None:
            raise Refusal(error_pb2.CODE_NOT_FOUND, "no such question waits", "it was answered, or its run ended")
        if request.digest != waiting.prompt.digest:
            raise Refusal(error_pb2.CODE_INVALID, "the answer is to something else than what was asked")
        records = self._mint(waiting, request.decisions)
        chosen = {decision.number: int(decision.choice) for decision in request.decisions}
        told = PromptAnswered(
            waiting.who.run, request.prompt, request.digest, tuple(chosen.items()), waiting.calls,
            waiting.refused(chosen),
        )  # fmt: skip
        self._off(request.prompt)
        decided: dict[int, int] = {}
        try:
            await self._ledger.durable(self._ledger.record(told, *records))
            decided = chosen
        finally:  # an answer that could not be kept is a no: its run must not wait for another
            if not waiting.answer.done():
                waiting.answer.set_result(decided)
        return [record.id for record in records if isinstance(record, Grant)]

    def grant_lines(self, lines: Iterable[pb.Line], who: Standing) -> int:
        """`--grant manifest`: mint what each line of the manifest asks, for this version; the record's number."""
        version = [pb.Decision(number=line.number, choice=pb.CHOICE_VERSION) for line in lines]
        prompt = Open(pb.Prompt(lines=lines), who, (), asyncio.get_running_loop().create_future())
        records = self._mint(prompt, version)
        return self._ledger.record(*records) if records else 0

    def _mint(self, waiting: Open, decisions: Sequence[pb.Decision]) -> list[Record]:
        lines = {line.number: line for line in waiting.prompt.lines}
        if len({decision.number for decision in decisions}) != len(decisions):
            raise Refusal(error_pb2.CODE_INVALID, "a line was answered twice")
        made = []
        for decision in decisions:
            line = lines.get(decision.number)
            if line is None:
                raise Refusal(error_pb2.CODE_INVALID, f"the question has no line {decision.number}")
            made.append(self._decided(waiting, line, decision))
        return [record for record in made if record is not None]

    def _decided(self, waiting: Open, line: pb.Line, decision: pb.Decision) -> Record | None:
        who = waiting.who
        again = waiting.unattended and waiting.thing(line) in self._ids.refused
        if decision.choice == pb.CHOICE_NO and not again:
            return None
        if decision.choice in (pb.CHOICE_NO, pb.CHOICE_NEVER):
            shown = bounds.read(line.bounds)
            return Denial(self._ids.next_id("d"), who.run, who.program, who.path, line.action, shown, self._now_ms())
        scope = self._scope(line, decision)
        once = decision.choice == pb.CHOICE_ONCE
        call = waiting.calls[line.number - 1] if once else ""
        terminal = who.terminal if decision.choice == pb.CHOICE_TERMINAL else (0, 0)
        terms = Terms(int(decision.choice), self._until(decision), call, terminal)
        return Grant(
            self._ids.next_id("g"), who.run, who.program, who.path, who.digest, line.action, scope, terms,
            self._now_ms(), uses=int(once),
        )  # fmt: skip

    def _scope(self, line: pb.Line, decision: pb.Decision) -> Bounds:
        """The bounds to mint: what was chosen, if an offer of this choice reaches that far."""
        offered = [bounds.read(offer.bounds) for offer in line.offers if offer.choice == decision.choice]
        rule = self._catalog.actions[line.action]
        try:
            chosen = bounds.canonical(rule, bounds.read(decision.bounds))
        except BadName as bad:
            raise Refusal(error_pb2.CODE_INVALID, f"line {line.number}: {bad}", "edit it again") from None
        wanted = chosen or (bounds.read(line.bounds) if offered else ())
        if not any(wanted == scope or bounds.contains(rule, scope, wanted) for scope in offered):
            raise Refusal(
                error_pb2.CODE_INVALID,
                f"line {line.number} would reach further than was asked",
                "an edit can only narrow it",
            )
        return wanted

    def _until(self, decision: pb.Decision) -> int:
        if decision.choice != pb.CHOICE_UNTIL:
            return 0
        if not self._now_ms() < decision.until_ms <= self._now_ms() + YEAR_MS:
            raise Refusal(error_pb2.CODE_INVALID, "the time must lie ahead, and within a year")
        return int(decision.until_ms)
