"""A cell: one guest, one run, one descriptor. Runs after the zygote's fork and never returns.

Our own guest was instantiated in the zygote, once for all cells, so that a program meets the same guest whether its
cell waited or was made for it; the memory that it will touch is made ready here, before the run is known. Of a foreign
component nothing runs before its run begins: its start function already counts against that run's limits.

The one open descriptor is the line to the kernel (beside null on 0 to 2, and what wasmtime maps the sealed image from).
It is used with read and write alone: the filter has no socket calls.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NoReturn

from agentos.kernel.cells import frames, walls
from agentos.kernel.cells.landlock import Ruleset
from agentos.kernel.cells.runtime import Image, Instance, Trapped
from agentos.kernel.cells.seccomp import Program

PORTION: Final = 1 << 16
HOST_MEMORY: Final = 256 << 20
"""What the host side of a cell may hold beside the guest's memory: three copies of the largest frame, and Python."""

LIMITS: Final = walls.Limits(processes=0, files=64)

TOO_LARGE: Final = (
    '{"error":{"code":"limit","reason":"the request is larger than 8 MiB","hint":"send it in parts",'
    '"detail":"too_large"}}'
)
NOT_YET: Final = (
    '{"error":{"code":"denied","reason":"the program has not begun","hint":"call from run","detail":"not_begun"}}'
)


@dataclass(frozen=True, slots=True)
class Walls:
    """What a cell gives up beyond what its zygote already has, made ready by it. None where the machine lacks it.

    A page that a cell writes to costs as much as a dozen system calls, and whatever Python looks at it writes to.
    """

    zygote: int
    ruleset: Ruleset | None
    filter: Program | None

    def put_on(self, keep: Iterable[int]) -> None:
        """Confine this process; the ruleset is closed with all else that is not kept."""
        signal.set_wakeup_fd(-1)
        walls.put_on("parent", lambda: walls.die_with(self.zygote))
        walls.put_on("limits", lambda: walls.limit(LIMITS))
        if self.ruleset is not None:
            walls.put_on("landlock", self.ruleset.put_on)
        walls.close_descriptors([0, 1, 2, *keep])
        if self.filter is not None:
            walls.put_on("seccomp", self.filter.put_on)


@dataclass(frozen=True, slots=True)
class Nest:
    """What the zygote prepares once for all its cells.

    `guest` is our own, instantiated; None for another. `keep` are the descriptors that wasmtime holds, `make_ready` is
    what to do about memory.
    """

    image: Image
    guest: Instance | None
    keep: tuple[int, ...]
    walls: Walls
    make_ready: Callable[[], None] = lambda: None


def main(line: int, nest: Nest) -> NoReturn:
    """Serve one run on this line, then exit. Nothing is flushed, run at exit, or raised into the zygote's code."""
    try:
        nest.make_ready()
        nest.walls.put_on([line, *nest.keep])
        serve(Line(line), nest)
    finally:
        os._exit(0)


class Line:
    """The cell's end of the socketpair."""

    def __init__(self, line: int) -> None:
        self._line = line
        self._held = b""
        self._known = self._ordinary = False
        self.may_begin = False
        self.began_ns = 0

    def receive(self, kind: bytes) -> bytes:
        """The next frame's body. A kernel that hung up ends the cell."""
        held = self._held or self._more()
        while len(held) < frames.HEAD_BYTES:
            held += self._more()
        whole = frames.HEAD_BYTES + frames.header(held, kind)
        while len(held) < whole:
            held += self._more()
        self._held = held[whole:]
        return held[frames.HEAD_BYTES : whole]

    def _more(self) -> bytes:
        """What is there: of one frame, or of a run and the word to begin."""
        portion = os.read(self._line, PORTION)
        if not portion:
            os._exit(0)
        return portion

    def to_know(self) -> str:
        """What is for this run alone; the kernel says it when there is one."""
        self._known = True
        return self.receive(b"K").decode()

    def wait_for_go(self) -> None:
        """Until the kernel says that the run may begin; it says so once."""
        if not self._known:
            self.to_know()
        if not self.may_begin:
            self.receive(b"G")
            self.may_begin = True

    def begin(self) -> None:
        """From here on the program runs, and may make calls."""
        if not self.began_ns:
            self.wait_for_go()
            self.began_ns = time.monotonic_ns()

    def send(self, kind: bytes, body: bytes) -> None:
        left = memoryview(frames.pack(kind, body))
        while left:
            left = left[os.write(self._line, left) :]

    def invoke(self, request: str) -> str:
        """What stands behind the guest's import.

        The first empty request says that the program is loaded, and asks what this run is to know; the next says
        that it begins now.
        """
        if not request:
            if not self._known:
                return self.to_know()
            self.begin()
            return ""
        if not self.began_ns:
            return NOT_YET
        if not self._ordinary:
            self._ordinary = True
            stop_giving_way()
        try:
            self.send(b"I", request.encode())
        except frames.BadFrame:
            return TOO_LARGE
        return self.receive(b"R").decode()


def stop_giving_way() -> None:
    """Be scheduled as all others are. A zygote and what waits for a run give way to them (`zygote._give_way`)."""
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def serve(line: Line, nest: Nest) -> None:
    """One run, from the offer to its end."""
    instance = nest.guest
    line.send(b"W", b"")
    start = line.receive(b"S")
    memory = _limit(*frames.LIMITS.unpack_from(start))
    request = start[frames.LIMITS.size :]
    try:
        if instance is None:
            request += line.to_know().encode()
            line.begin()
            instance = Instance(nest.image, memory, line.invoke)
        else:
            instance.invoke = line.invoke
            instance.limit(memory)
        reply = instance.run(request)
        line.wait_for_go()
        line.send(b"E", b'{"began_ns":%d}\n' % line.began_ns + reply)
    except Trapped as trapped:
        line.wait_for_go()
        line.send(b"T", json.dumps({"reached": trapped.reached, "began_ns": line.began_ns}).encode())


def _limit(memory_bytes: int, cpu_s: int) -> int:
    """The run's limits put on; returns the guest's memory, in bytes.

    The timer ends it to the tick (SIGPROF); the limit, which nothing can take off, at the second after.
    """
    ceiling = int(time.process_time()) + cpu_s + 1
    resource.setrlimit(resource.RLIMIT_CPU, (ceiling, ceiling + 1))
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    walls.lower(resource.RLIMIT_DATA, memory_bytes + HOST_MEMORY)
    return memory_bytes
