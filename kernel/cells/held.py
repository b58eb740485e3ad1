"""One cell as the kernel holds it: a line, a pidfd, one run.

What a cell sends is hostile: a frame of the wrong kind, a second result, or too many bytes end the cell, and only the
cell. Whatever it says of itself, it is killed through its pidfd when its run is over.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Literal

import msgspec

from agentos.kernel.cells import frames

PORTION: Final = 1 << 16
DEAD_WITHIN_S: Final = 2.0
LAST_CALL_S: Final = 1.0
# Linux numbers the clock of a process's CPU by its id: clock_getcpuclockid(3).
CPU_CLOCK: Final = 2
TOO_LARGE: Final = (
    b'{"error":{"code":"limit","reason":"the reply is larger than 8 MiB","hint":"read it in parts",'
    b'"detail":"too_large"}}'
)
Invoke = Callable[[str], Awaitable[str]]


class CellLimits(msgspec.Struct, frozen=True):
    """What one run may use: the guest's memory, and CPU of the whole cell."""

    memory_bytes: int
    cpu_seconds: int


class Start(msgspec.Struct, frozen=True):
    """What a cell loads ahead of its run: a program (see `guest.py`), and what each run of it may use."""

    request: str
    limits: CellLimits


class Ending(msgspec.Struct, frozen=True):
    """How a cell's run ended.

    `broke`: bad frames, or it vanished. `lost`: somebody else killed it, or its zygote. `reached` is the stub that a
    trap came from, like `wasi:clocks/wall-clock#now`, or `stack` at its end. `began_us`: unix microseconds, 0 if never.
    """

    how: Literal["returned", "trapped", "cpu", "killed", "lost", "broke"]
    reply: str = ""
    reached: str = ""
    began_us: int = 0


class Said(msgspec.Struct):
    """What a cell's last frame says beside the reply."""

    began_ns: int = 0
    reached: str = ""


class Cell:
    """One cell, for one run. Made by Cells; `run` is called once, and always gives the cell back to nobody."""

    def __init__(self, line: socket.socket) -> None:
        self.killed = False
        self.start: Start | None = None
        self._told = self._begun = False
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._loop = asyncio.get_running_loop()
        self._line = line
        self._listens = False
        self._due: asyncio.Future[tuple[bytes, bytes]] | None = None
        self._closed = False
        self._pid = self._pidfd = -1
        self._cpu_s = 0.0
        self._unsent = b""
        self._heard = frames.Conversation()
        self._answering: asyncio.Timeout | None = None

    def born(self, pid: int, pidfd: int) -> None:
        """The zygote forked it. One that nobody wants any more is killed at once."""
        self._pid, self._pidfd = pid, pidfd
        if self.killed:
            self._signal()
        if self._closed:
            self.close()

    @property
    def cpu_s(self) -> float:
        """How much processor time it has used: by its own clock while it lives, by its zygote's account after that."""
        if self._pid > 0 and not self.ended.done():
            with suppress(OSError):  # it ended just now, or there are no such clocks here
                self._cpu_s = time.clock_gettime(~self._pid << 3 | CPU_CLOCK)
        return self._cpu_s

    def died(self, status: int, cpu_s: float = 0.0) -> None:
        """The zygote buried it, with this wait status; or it is gone itself, and nobody counted."""
        self._cpu_s = cpu_s or self._cpu_s
        if not self.ended.done():
            self.ended.set_result(status)

    def kill(self) -> None:
        """End it now. A run under way returns `killed`. May be called again, and after the end."""
        self.killed = True
        self._signal()
        self._hurry()

    @property
    def given_back(self) -> bool:
        """A run took it, and did not begin in it."""
        return self._told and not self._begun

    def close(self) -> None:
        """Make sure that it is dead, and give its descriptors back."""
        self._closed = True
        self._signal()
        self._listen(False)
        if self._due and not self._due.done():
            self._due.set_exception(EOFError())
        self._line.close()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1

    def _signal(self) -> None:
        if self._pidfd >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def warm(self) -> None:
        """Wait until it offers itself. Raises EOFError when it died, BadFrame when it says anything else."""
        await self._frame(b"W")

    def load(self, start: Start) -> None:
        """Give it a program. It loads it meanwhile, and executes nothing of it before `run`; it runs no other."""
        self.start = start
        head = frames.LIMITS.pack(start.limits.memory_bytes, start.limits.cpu_seconds)
        self._say(frames.pack(b"S", head + start.request.encode()))

    def tell(self, known: str) -> None:
        """Say what is for this run alone. After that there is no other."""
        self._told = True
        self._say(frames.pack(b"K", known.encode()))

    def _say(self, frame: bytes) -> None:
        self._unsent += frame
        with suppress(OSError):  # it takes no more now, or it died: `run` sends the rest, and says how it ended
            self._unsent = self._unsent[self._line.send(self._unsent) :]

    async def run(self, invoke: Invoke) -> Ending:
        """Let it run to its end, answering its calls. One that was told nothing knows nothing.

        Never raises for what a cell can do; always closes the cell.

        When the cell ends while a call is under way, the call has a second to finish, and is then cancelled; where
        somebody else killed the cell the run goes on in another, and the call is waited for: it must not be made twice.
        """
        started_ns = time.monotonic_ns()
        self._begun = True
        if not self._told:
            self.tell("")
        try:
            await self._send(self._unsent + frames.pack(b"G", b""))
            async with asyncio.timeout(None) as patience:
                self.ended.add_done_callback(self._hurry)
                while True:
                    kind, body = await self._frame(b"IET")
                    if kind != b"I":
                        return _ending(kind, body, started_ns)
                    self._answering = patience
                    self._hurry()
                    reply = (await invoke(body.decode())).encode()
                    self._answering = None
                    if self.ended.done():
                        raise EOFError
                    await self._send(frames.pack(b"R", reply if len(reply) <= frames.MAX_BODY else TOO_LARGE))
        except (frames.BadFrame, UnicodeError, msgspec.MsgspecError):
            return Ending("killed" if self.killed else "broke")
        except (EOFError, OSError):
            return await self._gone()
        finally:
            self.close()

    def _hurry(self, _: object = None) -> None:
        """A call is under way whose cell ended: it is waited for a while."""
        if self._answering and self.ended.done() and (self.killed or not self._lost()):
            with suppress(RuntimeError):  # that while is over
                self._answering.reschedule(self._loop.time() + LAST_CALL_S)

    async def _send(self, said: bytes) -> None:
        """At once, as far as it takes that."""
        try:
            sent = self._line.send(said)
        except BlockingIOError:
            sent = 0
        if sent < len(said):
            await self._loop.sock_sendall(self._line, said[sent:])

    async def _frame(self, kinds: bytes) -> tuple[bytes, bytes]:
        """What it says next. A descriptor is watched from frame to frame: to begin anew costs more than to read."""
        if self._closed:
            raise EOFError
        self._heard.expect(kinds)
        self._due = self._loop.create_future()
        self._listen(True)
        return await self._due

    def _listen(self, on: bool) -> None:
        if on and not self._listens:
            self._loop.add_reader(self._line, self._hear)
        elif self._listens and not on:
            self._loop.remove_reader(self._line)
        self._listens = on

    def _hear(self) -> None:
        if self._due is None or self._due.done():  # it says something, or hung up, when it is not its turn
            self._listen(False)
            return
        try:
            portion = self._line.recv(PORTION)
            frame = self._heard.feed(portion)
        except BlockingIOError:
            return
        except (OSError, frames.BadFrame) as wrong:
            self._due.set_exception(wrong)
            return
        if frame is not None:
            self._due.set_result(frame)
        elif not portion:
            self._due.set_exception(EOFError())

    def _lost(self) -> bool:
        """Whether it ended because somebody else killed it."""
        status = self.ended.result()
        return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL

    async def _gone(self) -> Ending:
        """It left without a word: killed by us, by its CPU limit, or by what it did."""
        if self.killed:
            return Ending("killed")
        await asyncio.wait((self.ended,), timeout=DEAD_WITHIN_S)
        if not self.ended.done() or not os.WIFSIGNALED(self.ended.result()):
            return Ending("broke")
        by = os.WTERMSIG(self.ended.result())
        if self._lost():
            return Ending("lost")
        return Ending("cpu" if by in (signal.SIGPROF, signal.SIGXCPU) else "broke")


def _ending(kind: bytes, body: bytes, started_ns: int) -> Ending:
    head, _, reply = body.partition(b"\n")
    said = msgspec.json.decode(head, type=Said)
    began_us = _unix_us(said.began_ns, started_ns)
    if kind == b"T":
        return Ending("trapped", reached=_plain(said.reached), began_us=began_us)
    return Ending("returned", reply.decode(), began_us=began_us)


def _plain(reached: str) -> str:
    allowed = "abcdefghijklmnopqrstuvwxyz0123456789:/_.@#-"
    return "".join(letter for letter in reached[:80] if letter in allowed)


def _unix_us(monotonic_ns: int, started_ns: int) -> int:
    """A cell's CLOCK_MONOTONIC as unix microseconds, within the run; 0 for never."""
    if monotonic_ns <= 0:
        return 0
    now_ns = time.monotonic_ns()
    ago_ns = now_ns - min(max(monotonic_ns, started_ns), now_ns)
    return (time.time_ns() - ago_ns) // 1000
