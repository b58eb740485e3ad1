"""Runs: one execution of one program for one input, from the request to its end.

    accept -> play ... -> end

The run's record is appended before anything else of it, and since the journal has one order, no effect of the run
can be on disk before the run is. What happens is told to the follower as a stream of events; a follower that hangs
up takes an attached run with it. The wall clock stops while the run waits for a person.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import suppress

from agentos.events.waking import Alarms
from agentos.home.happenings import Delivered
from agentos.home.history import CallAgain, RunBegan, RunEnded
from agentos.home.records import CallSettled, Fault, Grant
from agentos.home.refusal import Refusal
from agentos.kernel import own
from agentos.kernel.ledger import Ledger, parent
from agentos.kernel.own import Powers
from agentos.kernel.path import Path
from agentos.kernel.programs import Loader
from agentos.kernel.replay import UNKNOWN
from agentos.kernel.secrets import Secrets
from agentos.manifest.rules import Catalog
from agentos.runs import outcome
from agentos.runs.calls import Calls
from agentos.runs.children import Children
from agentos.runs.desk import Desk
from agentos.runs.intake import Intake, check_input, check_sizes
from agentos.runs.play import Play
from agentos.runs.questions import Questions
from agentos.runs.run import Roster, Run
from agentos.runs.waits import Waits
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2

# So many that were cut off come back at once; one that is still at it after some seconds does not hold up the next.
COMING_BACK, COMING_BACK_S = 32, 5.0


class Runs:
    def __init__(
        self, catalog: Catalog, ledger: Ledger, desk: Desk, path: Path, loader: Loader, secrets: Secrets,
        powers: Powers,
    ) -> None:  # fmt: skip
        self.roster = Roster()
        self.active = self.roster.active
        self.intake = Intake(catalog, ledger)
        self.desk = desk
        self.questions = Questions(catalog, ledger, desk, secrets, self.wake)
        self.now_ms = powers.unix_ms
        self._ledger = ledger
        self._waking = Alarms(powers.unix_ms, self.wake, ledger.open)
        self._children = Children(ledger, catalog, self._begin, self.end, powers.unix_ms)
        self.roster.ends, self.roster.over = self._children.end_below, self._over_is
        waits = Waits(ledger, self.wake, powers.unix_ms)
        calls = Calls(self.roster, ledger, self.questions, self._children, waits, powers)
        self._play = Play(self.roster, ledger, desk, self.questions, calls, path, loader, waits, self._waking, powers)
        # Runs that are to come back, and how many tasks bring them.
        self._due: deque[str] = deque()
        self._bringing = 0
        self._tasks: set[asyncio.Task[None]] = set()

    # ---- accept

    def explain(self, source: pb.Source, start: str, home: str) -> pb.Program:
        """What a program may ask, and how its lines stand. Raises Refusal."""
        manifest, who = self.intake.read(source, start, home, "", (0, 0))
        return self.questions.program(manifest, who)

    def accept(self, request: pb.RunRequest) -> Run:
        """Take a run in. Raises Refusal for what is no program, with file, line and the nearest right name.

        Raises JournalFull while there is no room to record it.
        """
        self._ledger.room()
        check_sizes(request)
        terminal = (request.terminal.leader, request.terminal.began_ticks)
        run_id = self._ledger.next_id("r")
        manifest, who = self.intake.read(request.source, request.start_folder, request.home_folder, run_id, terminal)
        if request.input:
            check_input(request.input)
        began = RunBegan(
            run_id, who.program, who.path, who.digest, request.start_folder, request.home_folder,
            tuple(request.arguments), request.input, time.time_ns() // 1000, int(request.ask),
            request.source.manifest_path, terminal,
        )  # fmt: skip
        run = self.active[run_id] = Run(began, request, manifest, who, self._ledger.durable)
        run.followed = True
        self._play.load_ahead(run)
        try:
            run.began_at = self._ledger.record(*self.intake.unseen(request.source, who), began)
        except BaseException:
            run.put_back()
            del self.active[run_id]
            raise
        self._spawn(self._play.drive(run))
        return run

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- for an event

    def deliver(self, began: RunBegan, *delivered: Delivered) -> None:
        """Begin a run that an event started, all records in one unit."""
        self._begin(began, delivered)

    def _begin(self, began: RunBegan, also: Sequence[Delivered | Grant]) -> None:
        """Begin a run that nobody follows."""
        self._ledger.record(began, *also)
        try:
            run = self.active[began.run] = self.intake.again(began)
        except Refusal as refusal:
            self._spawn(self._over(began, pb.RUN_STATUS_FAILED, refusal.fault))
            return
        self._play.load_ahead(run)
        self._spawn(self._play.drive(run))

    def waits(self, run_id: str) -> bool:
        """Whether it waits for the person."""
        run, until_ms = self.active.get(run_id), self._ledger.open.get(run_id)
        return run.asking if run else run_id in self.desk.asked or until_ms == own.FAR_MS

    def under_way(self) -> int:
        return sum(not run.asking for run in self.active.values())

    # ---- resume

    def resume(self) -> None:
        """Go on with all that was not over when the kernel ended; those that wait come back at their time."""
        for run_id, until_ms in list(self._ledger.open.items()):
            if parent(run_id) and parent(run_id) not in self._ledger.open:
                self._spawn(self.end_away(run_id))
            elif until_ms <= self.now_ms():
                self._bring(run_id)
        self._waking.look_ahead()

    def wake(self, run_id: str) -> None:
        """What a run waited for has come."""
        if run_id in self.active:
            self.active[run_id].woken.set()
        elif run_id in self._ledger.open:
            self._bring(run_id)

    def _bring(self, run_id: str) -> None:
        self._due.append(run_id)
        if self._bringing < COMING_BACK:
            self._bringing += 1
            self._spawn(self._bring_all())

    async def _bring_all(self) -> None:
        try:
            while self._due:
                await self._come_back(self._due.popleft())
        finally:
            self._bringing -= 1
            if self._due:  # one failed, the others go on
                self._bring(self._due.popleft())

    async def _come_back(self, run_id: str) -> None:
        past = None if run_id in self.active else self._ledger.past(run_id)
        if past is None or past.end:
            return
        try:
            run = self.active[run_id] = self.intake.again(past.began)
            run.began_with, run.continued = past.pinned, past.continued
        except Refusal as refusal:
            await self._over(past.began, pb.RUN_STATUS_FAILED, refusal.fault)
            return
        run.rewind(self._ledger.recorded(run_id))
        self.roster.changed(run_id)
        self._spawn(self._play.drive(run))
        with suppress(TimeoutError):
            await asyncio.wait_for(run.rested.wait(), COMING_BACK_S)

    async def settle(self, request: pb.SettleCallRequest) -> None:
        """What became of an unknown call, as the person says. Raises Refusal."""
        if request.seq not in self._ledger.unknown.get(request.run, ()):
            raise Refusal(error_pb2.CODE_NOT_FOUND, "no such call waits to be settled", "see: agentos ps --unknown")
        if not request.happened:
            made: CallAgain | CallSettled = CallAgain(request.run, request.seq)
        elif request.reply:
            check_input(request.reply)
            made = CallSettled(request.run, request.seq, 0, request.reply)
        else:
            made = CallSettled(request.run, request.seq, 0, fault=UNKNOWN)
        seq = self._ledger.record(made)
        self.wake(request.run)  # at once: a run on its way out of memory must not be recorded as away after this
        await self._ledger.durable(seq)

    # ---- end

    def cancel(self, run: Run) -> None:
        """End a run in memory, and what it started: at once what is in memory too, the rest as its end is recorded."""
        run.stop("cancelled")
        for child in self._ledger.below.get(run.id, ()):
            if child in self.active and not self.active[child].stopped:
                self.cancel(self.active[child])
        run.typed.put_nowait(None)
        self.desk.void_all(run.id)

    async def end(self, run_id: str) -> None:
        """Cancel a run wherever it is; one that is over stays as it is."""
        if run_id in self.active:
            self.cancel(self.active[run_id])
        elif run_id in self._ledger.open:
            await self.end_away(run_id)

    def _over_is(self, run_id: str) -> None:
        """A run is over: whoever joins it goes on."""
        above = parent(run_id)
        self._children.over(run_id)
        if above in self.active and self.active[above].joins == run_id:
            self.active[above].woken.set()
        elif above and above not in self.active and self._ledger.open.get(above) == 0:
            self.wake(above)

    async def end_away(self, run_id: str) -> None:
        """Cancel a run that is not in memory."""
        past = self._ledger.past(run_id)
        self.desk.void_all(run_id)
        if past:
            await self._over(past.began, *outcome.STOPPED["cancelled"])

    async def _over(self, began: RunBegan, status: pb.RunStatus.ValueType, fault: Fault) -> None:
        ended = RunEnded(began.run, int(status), "", "", False, 0, 0, 0, 0, time.time_ns() // 1000, fault)
        await self._children.end_below(began.run)
        await self._ledger.durable(self._ledger.record(ended))
        self.roster.changed(began.run)
        self.roster.look(began.path)
        self._over_is(began.run)

    async def close(self) -> None:
        """Cancel what somebody follows, let go of all else, to be resumed; wait until that is done."""
        self._waking.close()
        self._due.clear()
        for run in list(self.active.values()):
            run.left = not run.followed
            if run.actor:
                run.actor.let_go = run.left
            if run.left and run.cell:
                run.stop("cancelled")  # what it asks is asked again, not answered with a no
            else:
                self.cancel(run)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)
