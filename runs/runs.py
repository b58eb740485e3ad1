"""Runs: one execution of one program for one input, from the request to its end.

    accept -> review -> load -> cell -> calls ... -> end

The run's record is appended before anything else of it, and since the journal has one order, no effect of the run
can be on disk before the run is. What happens is told to the follower as a stream of events; a follower that hangs
up takes an attached run with it. The wall clock stops while the run waits for a person.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress

import msgspec
from google.protobuf.message import Message

from agentos.events.waking import Waking
from agentos.home.happenings import Delivered
from agentos.home.history import CallAgain, CallUnknown, Pinned, ProgramSeen, RunBegan, RunParked
from agentos.home.journal import JournalBroken, JournalFull
from agentos.home.records import CallSettled, Fault, RunEnded
from agentos.home.refusal import Refusal
from agentos.kernel import own, views
from agentos.kernel.call import Call
from agentos.kernel.cells.images import BadComponent
from agentos.kernel.cells.pool import Cell, Ending, NoCells
from agentos.kernel.decide import Ask
from agentos.kernel.grants import Standing
from agentos.kernel.lately import Lately
from agentos.kernel.ledger import Ledger
from agentos.kernel.own import Parted, Powers
from agentos.kernel.path import Actor, Path
from agentos.kernel.programs import Loader, check_bytes
from agentos.kernel.replay import UNKNOWN, Diverged, Recorded
from agentos.kernel.secrets import Secrets
from agentos.kernel.wire import error
from agentos.manifest.lines import Manifest
from agentos.manifest.reading import program_digest, read
from agentos.manifest.rules import Catalog
from agentos.manifest.toml import ManifestError
from agentos.runs import outcome, prompts
from agentos.runs.desk import Desk
from agentos.runs.questions import Questions
from agentos.runs.run import Run
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2

CELL_WITHIN_S = 120
KEPT_SOURCE = 8 << 20
MAX_INPUT = 4 << 20
KNOWN = 64
MOST_LOST = 3
# So many that were cut off come back at once; one that is still at it after some seconds does not hold up the next.
COMING_BACK, COMING_BACK_S = 32, 5.0
LOOK_EVERY_S = 60.0


class Away(Exception):
    """A run waits, and nobody follows it: it is not in memory any more."""


class Runs:
    def __init__(
        self, catalog: Catalog, ledger: Ledger, desk: Desk, path: Path, loader: Loader, secrets: Secrets,
        powers: Powers,
    ) -> None:  # fmt: skip
        self.active: dict[str, Run] = {}
        self._manifests: Lately[tuple[str | int, ...], Manifest] = Lately(KNOWN)
        self._tasks: set[asyncio.Task[None]] = set()
        self._catalog = catalog
        self._ledger = ledger
        self.desk = desk
        self.questions = Questions(catalog, ledger, desk, secrets, self.wake)
        self._path = path
        self._loader = loader
        self._powers, self.now_ms = powers, powers.unix_ms
        self._waking = Waking(powers.unix_ms, self.wake)
        self._coming = asyncio.Semaphore(COMING_BACK)
        # Told of a program (by path) when one of its runs ends or begins to wait for the person.
        self.look: Callable[[str], None] = lambda path: None

    # ---- accept

    def explain(self, source: pb.Source, start: str, home: str) -> pb.Program:
        """What a program may ask, and how its lines stand. Raises Refusal."""
        manifest, who = self.read(source, start, home, "", (0, 0))
        return self.questions.program(manifest, who)

    def accept(self, request: pb.RunRequest) -> Run:
        """Take a run in. Raises Refusal for what is no program, with file, line and the nearest right name."""
        terminal = (request.terminal.leader, request.terminal.began_ticks)
        run_id = self._ledger.next_id("r")
        manifest, who = self.read(request.source, request.start_folder, request.home_folder, run_id, terminal)
        if request.input:
            _check_input(request.input)
        began = RunBegan(
            run_id, who.program, who.path, who.digest, request.start_folder, request.home_folder,
            tuple(request.arguments), request.input, time.time_ns() // 1000, int(request.ask),
            request.source.manifest_path, terminal,
        )  # fmt: skip
        run = self.active[run_id] = Run(began, request, manifest, who)
        run.followed = True
        self._load_ahead(run)
        self._ledger.record(*self.unseen(request.source, who), began)
        self._spawn(self._drive(run))
        return run

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def read(
        self, source: pb.Source, start: str, home: str, run_id: str, terminal: tuple[int, int]
    ) -> tuple[Manifest, Standing]:
        check_bytes(source)
        if not all(folder.startswith("/") for folder in (start, home, source.path)):
            raise Refusal(error_pb2.CODE_INVALID, "a program's path and folders must be absolute")
        digest = program_digest(source.content, source.manifest)
        key = (digest, source.path, source.manifest_path, start, home, self._catalog.changes)
        try:
            manifest = self._manifests.get(key) or self._manifests.put(key, read(
                source.content, source.path, source.manifest, source.manifest_path, self._catalog, start, home
            ))  # fmt: skip
        except ManifestError as wrong:
            reason = f"{wrong.file}:{wrong.line}: {wrong.reason}" if wrong.line else f"{wrong.file}: {wrong.reason}"
            raise Refusal(error_pb2.CODE_INVALID, reason, wrong.hint, "manifest") from None
        return manifest, Standing(run_id, manifest.name, source.path, digest, terminal)

    def unseen(self, source: pb.Source, who: Standing) -> list[ProgramSeen]:
        if who.digest in self._ledger.programs:
            return []
        content = source.content if len(source.content) <= KEPT_SOURCE else b""
        return [ProgramSeen(who.digest, who.path, who.program, content, source.manifest)]

    def _load_ahead(self, run: Run) -> None:
        """Have a cell load the program while it is seen to that it may run."""
        found = self._loader.ahead(run.request)
        if found:
            loaded, cell = found
            run.take(cell, loaded)

    # ---- drive

    async def _drive(self, run: Run) -> None:
        fault: Fault | None
        status, fault, end = pb.RUN_STATUS_FAILED, None, outcome.GuestEnd("failed")
        began_us = 0
        try:
            program = self.questions.program(run.manifest, run.who)
            run.tell(accepted=pb.RunAccepted(run=run.id, program=program))
            if any(map(prompts.asks, program.lines)):
                run.put_back()
            await self.questions.review(run, program.lines)
            ending = await self._played(run)
            began_us = ending.began_us
            status, fault, end = outcome.of(ending, run.stopped)
            fault = outcome.diverged(run.diverged) if run.diverged else fault
        except Away:
            run.left = True
        except Refusal as refusal:
            fault = refusal.fault
            status = pb.RUN_STATUS_REFUSED if fault.code == error_pb2.CODE_DENIED else pb.RUN_STATUS_FAILED
            status = pb.RUN_STATUS_CANCELLED if run.stopped == "cancelled" else status
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
                del self.active[run.id]
                self.look(run.who.path)
                run.feed.end()
            else:
                self.desk.void_all(run.id)
                await self._end(run, status, fault, end, began_us)

    async def _played(self, run: Run) -> Ending:
        """Play it until it is over: again where it waited, and some times where its cell was lost or none was there."""
        lost = done = no_cell = 0
        while True:
            for seq, each in run.past.items():
                await self._spend(run.id, seq, each)
            try:
                ending = await self._in_cell(run)
            except NoCells:
                if run.stopped or no_cell == MOST_LOST:
                    raise
                no_cell += 1
                await asyncio.sleep(no_cell)
                continue
            run.clock(False)
            if run.parted and not run.stopped:
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
        until_ms = parted.until_ms if parted else 0
        back_ms = 0 if parted and parted.asks else until_ms
        if not run.woken.is_set():  # what it waits for may have come just now, and is on record before this would be
            await self._ledger.durable(self._ledger.record(RunParked(run.id, back_ms)))
        if not run.followed and not run.woken.is_set():
            self._waking.at(until_ms, run.id)
            raise Away
        while not run.stopped and (left_ms := until_ms - self._powers.unix_ms()) > 0 and not run.woken.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(run.woken.wait(), min(left_ms / 1000, LOOK_EVERY_S))
        run.woken.clear()

    # ---- for an event

    def deliver(self, began: RunBegan, delivered: Delivered) -> None:
        """Begin a run that nobody follows, both records in one unit."""
        self._ledger.record(began, delivered)
        try:
            run = self._again(began)
        except Refusal as refusal:
            self._spawn(self._over(began, pb.RUN_STATUS_FAILED, refusal.fault))
            return
        self._load_ahead(run)
        self._spawn(self._drive(run))

    def waits(self, run_id: str) -> bool:
        """Whether it waits for the person."""
        if run_id in self.active:
            return self.active[run_id].asking
        asked = any(each.prompt.run == run_id for each in self.desk.open.values())
        return asked or self._ledger.open.get(run_id) == own.FAR_MS

    def under_way(self) -> int:
        return sum(not run.asking for run in self.active.values())

    # ---- resume

    def resume(self) -> None:
        """Go on with all that was not over when the kernel ended; those that wait come back at their time."""
        for run_id, until_ms in list(self._ledger.open.items()):
            if until_ms > self._powers.unix_ms():
                self._waking.at(until_ms, run_id)
            else:
                self._spawn(self._come_back(run_id))

    def wake(self, run_id: str) -> None:
        """What a run waited for has come."""
        if run_id in self.active:
            self.active[run_id].woken.set()
        elif run_id in self._ledger.open:
            self._spawn(self._come_back(run_id))

    async def _come_back(self, run_id: str) -> None:
        async with self._coming:
            past = None if run_id in self.active else self._ledger.past(run_id)
            if past is None or past.end:
                return
            try:
                run = self._again(past.began)
                run.began_with = past.pinned
            except Refusal as refusal:
                await self._over(past.began, pb.RUN_STATUS_FAILED, refusal.fault)
                return
            run.past = self._ledger.recorded(run_id)
            self._spawn(self._drive(run))
            with suppress(TimeoutError):
                await asyncio.wait_for(run.rested.wait(), COMING_BACK_S)

    async def _spend(self, run_id: str, seq: int, past: Recorded) -> Recorded:
        """What the person cleared is made once more, and only once: cut off again, it is unknown again."""
        if past.cleared and not past.settled:
            await self._ledger.durable(self._ledger.record(CallAgain(run_id, seq, spent=True)))
        return past

    def _again(self, began: RunBegan) -> Run:
        """A run as it was accepted. Nobody follows it: what it asks waits in the inbox. Raises Refusal."""
        seen = self._ledger.program(began.digest)
        if seen is None or program_digest(seen.content, seen.manifest) != began.digest:
            raise Refusal(error_pb2.CODE_LIMIT, f"a program above {KEPT_SOURCE >> 20} MiB is not kept", "run it again")
        source = pb.Source(
            path=began.path, content=seen.content, manifest=seen.manifest, manifest_path=began.manifest_path
        )
        ask = pb.ASK_DENY if began.ask == pb.ASK_DENY else pb.ASK_WAIT
        request = pb.RunRequest(
            source=source, start_folder=began.start_folder, home_folder=began.home_folder,
            arguments=began.arguments, input=began.input, ask=ask,
        )  # fmt: skip
        manifest, who = self.read(source, began.start_folder, began.home_folder, began.run, began.terminal)
        run = self.active[began.run] = Run(began, request, manifest, who)
        return run

    async def end_away(self, run_id: str) -> None:
        """Cancel a run that is not in memory."""
        past = self._ledger.past(run_id)
        self.desk.void_all(run_id)
        if past:
            await self._over(past.began, *outcome.STOPPED["cancelled"])

    async def _over(self, began: RunBegan, status: pb.RunStatus.ValueType, fault: Fault) -> None:
        ended = RunEnded(began.run, int(status), "", "", False, 0, 0, 0, 0, time.time_ns() // 1000, fault)
        await self._ledger.durable(self._ledger.record(ended))
        self.look(began.path)

    async def _in_cell(self, run: Run) -> Ending:
        if run.cell:
            return await self._execute(run, run.cell)
        async with self._loader.load(run.request) as loaded:
            if run.began_with not in (None, Pinned(run.id, loaded.component, loaded.code)):
                reason = "it began with another guest, and cannot be played again in this one"
                raise Refusal(error_pb2.CODE_UNAVAILABLE, reason, "run it anew", "pinned")
            try:
                async with asyncio.timeout(CELL_WITHIN_S):
                    cell = await loaded.cells.take()
            except TimeoutError:
                raise NoCells("none was free") from None
            run.take(cell, loaded)
            return await self._execute(run, cell)

    async def _execute(self, run: Run, cell: Cell) -> Ending:
        if run.stopped:
            cell.kill()
        self._ledger.record(run.pinned)
        run.clock(True)
        actor = run.actor = self._actor(run)

        async def invoke(request: str) -> str:
            try:
                return await self._path.invoke(actor, request)
            except (JournalFull, JournalBroken):
                run.stop("journal")
                return error(Fault(error_pb2.CODE_UNAVAILABLE, "nothing can be recorded now", "", "disk_full"))
            except Diverged as other:
                run.diverged = other
                run.stop("diverged")
            except Parted as wait:
                run.parted = wait
                cell.kill()
            return error(Fault(error_pb2.CODE_UNAVAILABLE, "it goes on in another cell, if at all"))

        return await cell.run(invoke)

    def _actor(self, run: Run) -> Actor:
        async def ask(asking: Sequence[tuple[Call, Ask]]) -> set[str] | None:
            try:
                run.asking = True
                self.look(run.who.path)
                return await self.questions.ask(run, actor, asking)
            except Refusal:  # the desk is full: as good as nobody there, and a refusal to record, not the run's end
                return None
            finally:
                run.asking = False

        async def read_line(text: str) -> str | None:
            return await self._read_line(run, text)

        began_ms = self._powers.monotonic_ms() - max(self._powers.unix_ms() - run.began.queued_us // 1000, 0)

        async def own_call(call: Call, asked_ms: int) -> Message:
            return await own.serve(call.request, self._powers, began_ms, read_line, asked_ms, actor.alone)

        async def settled(call: Call) -> Recorded:
            return await self._unknown(run, call, actor.alone)

        def refused(call: Call, fault: Fault) -> None:
            run.tell(refused=views.refused(call, fault))

        actor = Actor(
            run.who, run.manifest, run.request.start_folder, run.request.home_folder, own_call, ask, settled,
            run.printed, refused, run.stop, past=run.past,
            declined=self._ledger.answered(run.id) if run.past else set(),
        )  # fmt: skip
        return actor

    async def _unknown(self, run: Run, call: Call, alone: bool) -> Recorded:
        """Put to the person what nobody can tell; the run is away until then."""
        known = self._ledger.recorded(run.id)[call.seq]
        if known.settled or known.cleared:  # since it came back
            return await self._spend(run.id, call.seq, known)
        if (run.id, call.seq) not in self._ledger.unknown:
            await self._ledger.durable(self._ledger.record(CallUnknown(run.id, call.seq, self._powers.unix_ms())))
        run.tell(
            notice=f"nobody can tell whether call {call.seq} happened; say so with: agentos settle {run.id} {call.seq}"
        )
        if alone:
            raise Parted(own.FAR_MS)
        run.clock(False)
        while (run.id, call.seq) in self._ledger.unknown:
            run.woken.clear()
            await run.woken.wait()
        run.clock(True)
        return await self._spend(run.id, call.seq, self._ledger.recorded(run.id)[call.seq])

    async def settle(self, request: pb.SettleCallRequest) -> None:
        """What became of an unknown call, as the person says. Raises Refusal."""
        if (request.run, request.seq) not in self._ledger.unknown:
            raise Refusal(error_pb2.CODE_NOT_FOUND, "no such call waits to be settled", "see: agentos ps --unknown")
        if not request.happened:
            made: CallAgain | CallSettled = CallAgain(request.run, request.seq)
        elif request.reply:
            _check_input(request.reply)
            made = CallSettled(request.run, request.seq, 0, request.reply)
        else:
            made = CallSettled(request.run, request.seq, 0, fault=UNKNOWN)
        await self._ledger.durable(self._ledger.record(made))
        self.wake(request.run)

    async def _read_line(self, run: Run, text: str) -> str | None:
        if not run.request.interactive:
            return None
        run.clock(False)
        run.tell(input_wanted=text)
        line = await run.typed.get()
        run.clock(True)
        return line

    # ---- end

    def cancel(self, run: Run) -> None:
        run.stop("cancelled")
        run.typed.put_nowait(None)
        self.desk.void_all(run.id)

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
            await self._ledger.durable(self._ledger.record(ended))
        except (JournalFull, JournalBroken) as broken:
            run.tell(notice=f"the end of this run could not be recorded: {broken.reason}")
        del self.active[run.id]
        self.look(run.who.path)
        run.tell(ended=views.run(run.began, ended))
        run.feed.end()

    async def close(self) -> None:
        """Cancel what somebody follows, let go of all else, to be resumed; wait until that is done."""
        self._waking.close()
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


def _check_input(text: str) -> None:
    if len(text) > MAX_INPUT:
        hint = "write it to a file, and let the program read that"
        raise Refusal(error_pb2.CODE_LIMIT, f"the input is larger than {MAX_INPUT >> 20} MiB", hint, "too_large")
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except msgspec.DecodeError:
        raise Refusal(error_pb2.CODE_INVALID, "the input is not JSON", "try: --input '{\"key\": 1}'") from None
