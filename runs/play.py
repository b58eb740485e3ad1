"""Playing: a run in a cell, again in another one where its cell was lost or it waited, until it is over.

    review -> load -> cell -> calls ... -> end

A run that waits for longer than a moment, and that nobody follows, leaves memory here; `runs` brings it back.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from agentos.events.hearing import Wanted
from agentos.events.waking import EARLY_MS, Alarms
from agentos.home.history import Pinned, RunEnded, RunParked
from agentos.home.journal import JournalBroken, JournalFull
from agentos.home.records import Fault
from agentos.home.refusal import Refusal
from agentos.kernel import views
from agentos.kernel.cells.images import BadComponent
from agentos.kernel.cells.pool import Cell, Ending, NoCells
from agentos.kernel.ledger import Ledger
from agentos.kernel.own import Parted, Powers
from agentos.kernel.path import Path
from agentos.kernel.programs import Loader
from agentos.kernel.replay import Diverged
from agentos.kernel.wire import error
from agentos.runs import generations, outcome, prompts
from agentos.runs.calls import Calls
from agentos.runs.desk import Desk
from agentos.runs.fuel import Fuel
from agentos.runs.generations import Continued
from agentos.runs.questions import Questions
from agentos.runs.run import Roster, Run
from agentos.runs.waits import Waits
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2

CELL_WITHIN_S = 120
MOST_LOST = 3
# Whether its clock was set, and whether somebody still follows it.
LOOK_EVERY_S = 1.0


class Away(Exception):
    """A run waits, and nobody follows it: it is not in memory any more."""


class Play:
    def __init__(
        self, roster: Roster, ledger: Ledger, desk: Desk, questions: Questions, calls: Calls, path: Path,
        loader: Loader, waits: Waits, waking: Alarms, powers: Powers,
    ) -> None:  # fmt: skip
        self._roster = roster
        self._ledger = ledger
        self._desk = desk
        self._questions = questions
        self._calls = calls
        self._path = path
        self._loader = loader
        self._waits = waits
        self._waking = waking
        self._powers = powers
        self._fuel = Fuel(roster.active, ledger.open, ledger.past)

    def load_ahead(self, run: Run) -> None:
        """Have a cell load the program while it is seen to that it may run."""
        if found := self._loader.ahead(run.request, run.limits):
            run.take(*found)

    async def drive(self, run: Run) -> None:
        fault: Fault | None
        status, fault, end = pb.RUN_STATUS_FAILED, None, outcome.GuestEnd("failed")
        began_us = 0
        try:
            program = self._questions.program(run.manifest, run.who)
            run.tell(accepted=pb.RunAccepted(run=run.id, program=program))
            if any(map(prompts.asks, program.lines)):
                run.put_back()
            await self._questions.review(run, program.lines)
            ending = await self._played(run)
            began_us = ending.began_us
            status, fault, end = outcome.of(ending, run.stopped)
            fault = outcome.diverged(run.diverged) if run.diverged else fault
        except Away:
            run.left = True
        except Refusal as refusal:
            fault = refusal.fault
            status = pb.RUN_STATUS_REFUSED if fault.code == error_pb2.CODE_DENIED else pb.RUN_STATUS_FAILED
        except (JournalFull, JournalBroken) as broken:
            fault = Fault(error_pb2.CODE_UNAVAILABLE, broken.reason, broken.hint, "disk_full")
        except NoCells:
            fault = Fault(error_pb2.CODE_UNAVAILABLE, "no cell could be started", "see: agentos doctor")
        except BadComponent as wrong:
            hint = "a program is a Python script, or a component that imports agentos:guest/kernel alone"
            fault = Fault(error_pb2.CODE_INVALID, wrong.reason, hint)
        except Exception as wrong:  # noqa: BLE001  # whatever it is, it ends one run
            # A fault of ours ends this run, closed, and no other; the traceback goes to the kernel's own log.
            asyncio.get_running_loop().call_exception_handler({"message": f"run {run.id}", "exception": wrong})
            fault = Fault(error_pb2.CODE_UNAVAILABLE, "an error in the kernel ended it", "please report it")
        finally:
            run.clock(False)
            run.put_back()
            if run.left:
                del self._roster.active[run.id]
                self._roster.look(run.who.path)
                run.feed.end()
            else:
                status = pb.RUN_STATUS_CANCELLED if run.stopped == "cancelled" else status
                self._desk.void_all(run.id)
                await self._end(run, status, fault, end, began_us)

    async def _played(self, run: Run) -> Ending:
        """Play it until it is over: again where it waited, and some times where its cell was lost or none was there."""
        lost = done = no_cell = 0
        while True:
            for seq, each in run.past.items():
                await self._calls.spend(run.id, seq, each)
            try:
                ending = await self._in_cell(run)
            except NoCells:
                if run.stopped or no_cell == MOST_LOST:
                    raise
                no_cell += 1
                await asyncio.sleep(no_cell)
                continue
            run.clock(False)
            if run.continuing is not None and not run.stopped:
                await generations.begin(run, self._ledger, self._powers.unix_ms())
                self._fuel.renew(run)
            elif run.parted and not run.stopped:
                await self._away(run)
            elif ending.how != "lost" or run.stopped:
                return ending
            past = self._ledger.recorded(run.id)
            # In a row, at the same place: what kills each cell it is played in ends.
            lost, done = (lost + (ending.how == "lost") if len(past) == done else 1), len(past)
            if lost > MOST_LOST:
                return ending
            run.rewind(past)

    async def _away(self, run: Run) -> None:
        """Wait without a cell; where nobody follows, without anything in memory at all. Raises Away then."""
        run.put_back()
        parted, run.parted = run.parted, None
        if self._waits.came(run) or (run.joins and run.joins not in self._ledger.open):
            run.woken.set()
        until_ms = parted.until_ms if parted else 0
        back_ms = 0 if parted and parted.asks else until_ms
        if not run.woken.is_set():  # what it waits for may have come just now, and is on record before this would be
            waits, run.waits = run.waits or Wanted(""), None
            await self._ledger.durable(self._ledger.record(RunParked(run.id, back_ms, waits.name, waits.fields)))
        while run.followed and not run.woken.is_set() and (left_ms := until_ms - EARLY_MS - self._powers.unix_ms()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(run.woken.wait(), min(left_ms / 1000, LOOK_EVERY_S))
        if not run.followed and not run.woken.is_set():  # or no more, since who followed left while it waited
            self._waking.at(until_ms, run.id)
            raise Away
        run.woken.clear()

    async def _in_cell(self, run: Run) -> Ending:
        if run.cell:
            return await self._execute(run, run.cell)
        state = run.continued.state if run.continued else ""
        async with self._loader.load(run.request, run.limits, state) as loaded:
            if run.began_with not in (None, Pinned(run.id, loaded.component, loaded.code)):
                reason = "it began with another guest, and cannot be played again in this one"
                raise Refusal(error_pb2.CODE_UNAVAILABLE, reason, "run it anew", "pinned")
            try:
                async with asyncio.timeout(CELL_WITHIN_S):
                    cell = await loaded.cells.take(loaded.start)
            except TimeoutError:
                raise NoCells("none was free") from None
            run.take(loaded, cell)
            return await self._execute(run, cell)

    async def _execute(self, run: Run, cell: Cell) -> Ending:
        if run.stopped:
            cell.kill()
        self._fuel.burns(run, cell)
        self._waits.listen(run)
        run.began_at = self._ledger.record(run.pinned)
        run.clock(True)
        actor = run.actor = self._calls.actor(run)

        async def invoke(request: str) -> str:
            try:
                answer = await self._path.invoke(actor, request)
                generations.watch(run, actor)
                return answer
            except (JournalFull, JournalBroken):
                run.stop("journal")
                return error(Fault(error_pb2.CODE_UNAVAILABLE, "nothing can be recorded now", "", "disk_full"))
            except Diverged as other:
                run.diverged = other
                run.stop("diverged")
            except Parted as wait:
                run.parted = wait
                cell.kill()
            except Continued as new:
                if actor.past:
                    run.diverged = Diverged(actor.past[min(actor.past)].made, "the end of its generation")
                    run.stop("diverged")
                run.continuing = new.state
                cell.kill()
            return error(Fault(error_pb2.CODE_UNAVAILABLE, "it goes on in another cell, if at all"))

        ending = await cell.run(invoke)
        if ending.how == "returned" and actor.past and not run.stopped:
            run.diverged = Diverged(actor.past[min(actor.past)].made, "the end of the program")
            run.stop("diverged")
        return ending

    async def _end(
        self, run: Run, status: pb.RunStatus.ValueType, fault: Fault | None, end: outcome.GuestEnd, began_us: int
    ) -> None:
        for stream, text in end.out:
            run.printed(stream, text)
        actor = run.actor
        result = bytes(end.result).decode() if status == pb.RUN_STATUS_DONE else ""
        ended = RunEnded(
            run.id, int(status), "" if result == "null" else result, run.output.decode(), run.output_cut,
            actor.seq if actor else 0, actor.refused if actor else 0, run.cell_us, began_us,
            time.time_ns() // 1000, fault, end.traceback[:65_536],
            not run.manifest.present and actor is not None and actor.calls > 0,
        )  # fmt: skip
        try:
            await self._roster.ends(run.id)
            await self._ledger.durable(self._ledger.record(ended))
        except (JournalFull, JournalBroken) as broken:
            run.tell(notice=f"the end of this run could not be recorded: {broken.reason}")
        del self._roster.active[run.id]
        self._roster.look(run.who.path)
        self._roster.over(run.id)
        run.tell(ended=views.run(run.began, ended, run.continued.generation if run.continued else 0))
        run.feed.end()
