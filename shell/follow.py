"""A run, followed to its end: output as it comes, questions at the terminal, refused calls in red.

The stream is read in a thread, so that the person can be asked while it goes on: each event is laid in a queue and
a byte in a pipe, which every wait of this thread watches too. While a question is open nothing else is shown; what
the run prints meanwhile comes after the answer. Ctrl-C cancels the run, a second one leaves.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from agentos.shell import sheet
from agentos.shell.connect import Events, Kernel
from agentos.shell.failure import Exit, Failure, no_kernel
from agentos.shell.paint import coloured, columns, paint, say, width_of
from agentos.shell.prompt import Asking, Settled
from agentos.shell.terminal import Terminal
from agentos.shell.text import plural, printable, quoted
from agentos.v1 import control_pb2 as pb

SHOWN_REFUSALS = 10
_STDIN = 0


class Follower:
    """One run. `quiet` shows no output, refusals and notes (for --json); questions are asked all the same."""

    def __init__(self, kernel: Kernel, terminal: Terminal | None, quiet: bool = False) -> None:
        self._kernel = kernel
        self._terminal = terminal
        self._quiet = quiet
        self._run = ""
        self._program = pb.Program()
        self._events: deque[pb.RunResponse | Failure] = deque()
        self._woken, self._wake = os.pipe()
        self._refusals = 0
        # The first of the calls that differ in nothing that is shown, and how many came after it.
        self._alike: dict[tuple[str, str, str], tuple[pb.Call, int]] = {}
        self._midline = False
        self._wants_line = False
        self._typed = b""
        self._interrupted = False
        self._joined = False
        # The run goes on without whoever follows it.
        self._stays = False

    def follow(self, request: pb.RunRequest) -> pb.Run:
        """Start the run and stay with it. Raises Failure if the kernel refuses it or goes away."""
        self._stays = request.ask == pb.ASK_WAIT
        return self._with(self._kernel.run(request))

    def join(self, run: str) -> pb.Run:
        """Stay with a run that is under way. Leaving does not end it."""
        self._run, self._joined, self._stays = run, True, True
        return self._with(self._kernel.follow(run))

    def _with(self, events: Events) -> pb.Run:
        reader = threading.Thread(target=self._read, args=(events,), daemon=True)
        reader.start()
        try:
            return self._to_the_end()
        except BrokenPipeError:
            fate = f"goes on: agentos follow {self._run}" if self._stays else "was cancelled"
            reason, hint = f"nobody reads the output any more; the run {fate}", "let what reads it read to the end"
            raise Failure(reason, hint, Exit.FAILED, "unavailable") from None
        finally:
            events.hang_up()
            reader.join(5)

    def _read(self, events: Events) -> None:
        try:
            for event in events:
                self._put(event)
            hint = f"it goes on where it was with the next kernel: agentos follow {self._run}" if self._run else ""
            self._put(no_kernel("the kernel is gone", hint or "see: agentos doctor"))
        except Failure as failed:
            self._put(failed)

    def _put(self, event: pb.RunResponse | Failure) -> None:
        self._events.append(event)
        os.write(self._wake, b".")

    def _to_the_end(self) -> pb.Run:
        while True:
            try:
                event = self._next()
                if isinstance(event, Failure):
                    raise event
                if event.WhichOneof("event") == "ended":
                    self._count_alike()
                    return event.ended
                self._happened(event)
            except KeyboardInterrupt:
                self._interrupt()

    def _next(self) -> pb.RunResponse | Failure:
        while not self._events:
            watched = [self._woken] + ([_STDIN] if self._wants_line else [])
            ready, _, _ = select.select(watched, [], [])
            if self._woken in ready:
                os.read(self._woken, 4096)
            if _STDIN in ready:
                self._type()
        return self._events.popleft()

    def _happened(self, event: pb.RunResponse) -> None:
        match event.WhichOneof("event"):
            case "accepted":
                self._run, self._program = event.accepted.run, event.accepted.program
            case "prompt":
                self._ask(event.prompt)
            case "output":
                self._show(event.output)
            case "input_wanted":
                self._show(pb.Output(stream=1, text=event.input_wanted))
                self._wants_line = True
                self._type_buffered()
            case "refused":
                self._refused(event.refused)
            case "notice":
                self._tell(quoted(event.notice, 2000), "yellow")
            case "granted":
                self._granted(event.granted)

    def _interrupt(self) -> None:
        """Ctrl-C: cancel, and wait for the end; at the second one leave."""
        if self._interrupted or self._joined or not self._run:
            raise KeyboardInterrupt
        self._interrupted = True
        self._tell(f"cancelling {self._run} (Ctrl-C again leaves at once)", "yellow")
        with self._unless_ended():
            self._kernel.call(self._kernel.stub.Cancel, pb.CancelRequest(run=self._run))

    @contextmanager
    def _unless_ended(self) -> Iterator[None]:
        """Within, it does not matter that the run has ended by now: its end is on the way to us."""
        try:
            yield
        except Failure as failed:
            if failed.code != "not_found":
                raise

    # ---- questions

    def _ask(self, prompt: pb.Prompt) -> None:
        self._end_line()
        if self._terminal is None:
            self._show_question(prompt)
            return
        self._terminal.watch(self._woken, lambda: self._look(prompt.id))
        try:
            while not self._answered(prompt, self._terminal):
                pass
        except Settled:
            self._terminal.say("\n  (settled elsewhere)")
        finally:
            self._terminal.watch(-1, lambda: None)

    def _answered(self, prompt: pb.Prompt, terminal: Terminal) -> bool:
        decisions = Asking(prompt, terminal, counts=self._kernel.local).decisions()
        request = pb.AnswerRequest(prompt=prompt.id, digest=prompt.digest, decisions=decisions)
        try:
            minted = self._kernel.call(self._kernel.stub.Answer, request).grants
        except Failure as failed:
            if failed.code == "not_found":
                raise Settled from None
            terminal.say(paint("  " + printable(failed.shown), "red", on=terminal.colour))
            return False
        if minted:
            terminal.say(paint(f"  granted {', '.join(minted)}", "dim", on=terminal.colour))
        return True

    def _look(self, prompt: str) -> None:
        """Something came while a question is open: does it close the question?"""
        os.read(self._woken, 4096)
        for event in list(self._events):
            if isinstance(event, Failure) or event.HasField("ended") or event.settled == prompt:
                raise Settled

    def _show_question(self, prompt: pb.Prompt) -> None:
        self._tell(question(prompt, self._kernel.local, sys.stderr))
        self._tell(f"  nobody is here to answer: agentos inbox, agentos approve {prompt.id}", "dim")

    # ---- what the person sees

    def _show(self, output: pb.Output) -> None:
        if self._quiet or not output.text:
            return
        stream = sys.stderr if output.stream == 2 else sys.stdout
        text = printable(output.text) if stream.isatty() else output.text
        stream.flush()
        stream.buffer.write(text.encode("utf-8", "replace"))
        stream.buffer.flush()
        if stream.isatty():
            self._midline = not text.endswith("\n")

    def _refused(self, call: pb.Call) -> None:
        alike = call.action, sheet.aim(call.targets), call.error.reason
        first, more = self._alike.get(alike, (call, -1))
        self._alike[alike] = first, more + 1
        if first is not call:
            return
        self._refusals += 1
        if self._refusals == SHOWN_REFUSALS + 1:
            self._tell("… further refused calls are only counted", "red")
        if self._refusals > SHOWN_REFUSALS:
            return
        self._tell(f"✗ call {call.seq} refused: {quoted(call.action)} {sheet.aim(call.targets)}".rstrip(), "red")
        self._tell(f"  {quoted(call.error.reason, 400)} · agentos why {self._run} {call.seq}")

    def _count_alike(self) -> None:
        """Say how often what was told once came again, of the calls that were shown."""
        for first, more in list(self._alike.values())[:SHOWN_REFUSALS]:
            if more:
                said = f"{more:,} more like call {first.seq}: {quoted(first.action)} {sheet.aim(first.targets)}"
                self._tell(f"✗ {said.rstrip()}", "red")

    def _granted(self, granted: pb.Granted) -> None:
        self._tell(f"granted what {sheet.name(self._program)} asks, while this version lives:", "bold")
        for row in columns([row for line in granted.lines for row in sheet.grant(line)]):
            self._tell(row)

    def _tell(self, text: str, *styles: str) -> None:
        if not self._quiet:
            self._end_line()
            say(text, *styles)

    def _end_line(self) -> None:
        if self._midline:
            sys.stderr.write("\n")
            self._midline = False

    # ---- lines for the program's input()

    def _type(self) -> None:
        piece = os.read(_STDIN, 65_536)
        self._typed += piece
        self._midline = False
        if not piece:
            self._send(self._typed, end=not self._typed)
        self._type_buffered()

    def _type_buffered(self) -> None:
        line, newline, rest = self._typed.partition(b"\n")
        if self._wants_line and newline:
            self._send(line, rest=rest)

    def _send(self, line: bytes, end: bool = False, rest: bytes = b"") -> None:
        self._typed, self._wants_line = rest, False
        request = pb.TypeRequest(run=self._run, text=line.decode("utf-8", "replace"), end=end)
        with self._unless_ended():
            self._kernel.call(self._kernel.stub.Type, request)


def question(prompt: pb.Prompt, counts: bool, stream: TextIO) -> str:
    """A prompt as it would be asked on this stream, without the keys. What is a program's in it is escaped."""
    colour, width = coloured(stream), width_of(stream)
    if prompt.review:
        return sheet.review(prompt, {}, counts, colour, width)
    if len(prompt.lines) == 1:
        return sheet.call(prompt, prompt.lines[0], counts, colour, width)
    return sheet.batch(prompt, colour, width)


def closing(run: pb.Run) -> list[tuple[str, str]]:
    """What to say when a run is over, each line with its colour."""
    said = []
    if run.status != pb.RUN_STATUS_DONE:
        ended = {pb.RUN_STATUS_LIMIT: "reached a limit", pb.RUN_STATUS_CANCELLED: "was cancelled"}
        ended |= {pb.RUN_STATUS_REFUSED: "ended at a refusal", pb.RUN_STATUS_FAILED: "failed"}
        told = run.error.reason and run.status != pb.RUN_STATUS_CANCELLED
        reason = f": {quoted(run.error.reason, 400)}" if told else ""
        said.append((f"{run.id} {ended.get(run.status, 'ended')}{reason}", "red"))
        said += [(f"  {quoted(run.error.hint, 400)}", "")] if run.error.hint else []
    if run.refused:
        said.append((f"{plural(run.refused, 'call was', 'calls were')} refused: agentos why {run.id}", "yellow"))
    if run.output_cut:
        said.append(("its output was cut at the limit", "yellow"))
    if run.manifest_offered:
        command = f"agentos manifest {run.path} --from {run.id}"
        said.append((f"it has no manifest; what it turned out to need: {printable(command)}", "yellow"))
    return said
