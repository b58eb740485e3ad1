"""A cell: one guest, one run, one descriptor. Runs after the zygote's fork and never returns.

Our own guest is instantiated and warmed before the run is known, always by the same request, so that a program meets
the same guest whether its cell waited or was made for it. Of a foreign component nothing runs before its run begins:
its start function already counts against that run's limits.

The one open descriptor is the line to the kernel (beside null on 0 to 2, and what wasmtime maps the sealed image from).
It is used with read and write alone: the filter has no socket calls.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NoReturn

from agentos.kernel.cells import frames, landlock, walls
from agentos.kernel.cells.runtime import Image, Instance, Trapped
from agentos.kernel.cells.seccomp import Program

WARM: Final = '{"warm":{}}'
WARM_MEMORY: Final = 512 << 20
WARM_CPU_S: Final = 10
REHEARSAL: Final = b'{"memory":8589934592,"cpu_s":86400}'
"""Limits beyond all that a run may have: putting them on once touches what putting on the real ones will need."""

HOST_MEMORY: Final = 256 << 20
"""What the host side of a cell may hold beside the guest's memory: three copies of the largest frame, and Python."""

TOO_LARGE: Final = (
    '{"error":{"code":"limit","reason":"the request is larger than 8 MiB","hint":"send it in parts",'
    '"detail":"too_large"}}'
)
NOT_YET: Final = (
    '{"error":{"code":"denied","reason":"the program has not begun","hint":"call from run","detail":"not_begun"}}'
)


@dataclass(frozen=True, slots=True)
class Nest:
    """What the zygote prepares once for all its cells. `keep` are the descriptors that wasmtime holds."""

    image: Image
    warm: bool
    zygote: int
    filter: Program | None
    keep: tuple[int, ...]


def main(line: int, nest: Nest) -> NoReturn:
    """Serve one run on this line, then exit. Nothing is flushed, run at exit, or raised into the zygote's code."""
    try:
        confine(nest.zygote, nest.filter, [line, *nest.keep])
        _serve(Line(line), nest)
    finally:
        os._exit(0)


def confine(zygote: int, filter_: Program | None, keep: Iterable[int]) -> None:
    """What a cell gives up beyond what the zygote already has."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    walls.close_descriptors([0, 1, 2, *keep])
    walls.put_on("parent", lambda: walls.die_with(zygote))
    walls.put_on("limits", lambda: walls.limit(walls.Limits(processes=0, files=64)))
    walls.put_on("landlock", landlock.put_on)
    if filter_ is not None:
        walls.put_on("seccomp", filter_.put_on)


class Line:
    """The cell's end of the socketpair."""

    def __init__(self, line: int) -> None:
        self._line = line
        self._open = False
        self.began_ns = 0

    def receive(self, kind: bytes) -> bytes:
        """The next frame's body. A kernel that hung up ends the cell."""
        length = frames.header(self._exactly(frames.HEAD_BYTES), kind)
        self._open = True
        return self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        held = bytearray()
        while len(held) < count:
            portion = os.read(self._line, min(count - len(held), 1 << 20))
            if not portion:
                os._exit(0)
            held += portion
        return bytes(held)

    def send(self, kind: bytes, body: bytes) -> None:
        left = memoryview(frames.pack(kind, body))
        while left:
            left = left[os.write(self._line, left) :]

    def invoke(self, request: str) -> str:
        """What stands behind the guest's import. The empty request says: the program begins now."""
        if not self._open:
            return NOT_YET
        if not request:
            self.began_ns = self.began_ns or time.monotonic_ns()
            return ""
        try:
            self.send(b"I", request.encode())
        except frames.BadFrame:
            return TOO_LARGE
        return self.receive(b"R").decode()


def _serve(line: Line, nest: Nest) -> None:
    instance = _warmed(nest, line) if nest.warm else None
    line.send(b"W", b"")
    head, _, request = line.receive(b"S").partition(b"\n")
    memory = _limit(head)
    try:
        if instance is None:
            instance = Instance(nest.image, memory, line.invoke)
        else:
            instance.limit(memory)
        reply = instance.run(request.decode())
        line.send(b"E", json.dumps({"began_ns": line.began_ns}).encode() + b"\n" + reply.encode())
    except Trapped as trapped:
        line.send(b"T", json.dumps({"reached": trapped.reached, "began_ns": line.began_ns}).encode())


def _warmed(nest: Nest, line: Line) -> Instance:
    """The first, fixed run of every instance. One that traps on it ends the cell before it was offered."""
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (WARM_CPU_S, hard))
    instance = Instance(nest.image, WARM_MEMORY, line.invoke)
    instance.run(WARM)
    _limit(REHEARSAL)
    return instance


def _limit(head: bytes) -> int:
    """The run's limits put on; returns the guest's memory, in bytes.

    The timer ends it to the tick (SIGPROF); the limit, which nothing can take off, at the second after.
    """
    limits = json.loads(head)
    memory_bytes, cpu_s = limits["memory"], limits["cpu_s"]
    ceiling = int(time.process_time()) + cpu_s + 1
    resource.setrlimit(resource.RLIMIT_CPU, (ceiling, ceiling + 1))
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    walls.limit(walls.Limits(data_bytes=memory_bytes + HOST_MEMORY))
    return int(memory_bytes)
