"""The peer of a whole start: the bare bones of one.

A process that has mapped the image forks a cell for each run, which instantiates the guest, does one trivial run and
waits on its end of a socketpair. There is no kernel, no wall, no limit, no record and nobody who is asked; the guest,
its image and the program are the same as ours.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from agentos.kernel.cells import guest
from agentos.kernel.cells.images import TAG, sealed
from agentos.kernel.cells.runtime import Image, Instance

MEMORY = 512 << 20
HEAD = struct.Struct("=QI")
TOLD: dict[str, str | list[str]] = {"input": "", "arguments": [], "start_folder": "/tmp", "home_folder": "/tmp"}  # noqa: S108
TRIVIAL = "result = 1"


class Took(NamedTuple):
    """From the request on its way to the program's first line, and to its result, in ms."""

    first_line: float
    ended: float


class Bare:
    def __init__(self, control: socket.socket, code: str, source: bytes) -> None:
        self._control = control
        self._request = guest.to_load(code, source).encode()
        self._next = self._forked()

    def once(self) -> Took:
        """One run, in the cell that waits; then the next cell is made."""
        with self._next as line:
            sent = time.monotonic_ns()
            line.sendall(HEAD.pack(0, len(self._request)) + self._request)
            began, size = HEAD.unpack(_exactly(line, HEAD.size))
            reply = _exactly(line, size)
            heard = time.monotonic_ns()
        assert b'"done"' in reply, reply
        self._next = self._forked()
        return Took((began - sent) / 1e6, (heard - sent) / 1e6)

    def close(self) -> None:
        self._next.close()

    def _forked(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"F"], [theirs.fileno()])
        assert ours.recv(1) == b"W"
        return ours


@contextmanager
def bare(home: Path, program: Path) -> Iterator[Bare]:
    """The prototype with the image that a kernel has made in its home."""
    (kept,) = home.rglob("*.own")
    image = sealed(kept.read_bytes()[:-TAG])
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", "bench.peers.bare", str(theirs.fileno()), str(image)]
    with ours, subprocess.Popen(command, pass_fds=(theirs.fileno(), image)) as process:
        theirs.close()
        source = program.read_bytes()
        instance = Instance(Image(f"/dev/fd/{image}"), MEMORY, lambda request: "")
        made = Bare(ours, _code(instance, source.decode()), source)
        yield made
        made.close()
        ours.close()
        process.wait(10)
    os.close(image)


def _code(instance: Instance, source: str) -> str:
    reply = json.loads(instance.run(guest.to_compile(source, "ledger.py").encode()))
    return guest.letters(reply["code"])


def _exactly(line: socket.socket, count: int) -> bytes:
    held = bytearray()
    while len(held) < count:
        portion = line.recv(count - len(held))
        if not portion:
            raise EOFError
        held += portion
    return bytes(held)


def _cell(image: Image, trivial: bytes, line: socket.socket) -> None:
    began, asked, told = [0], [0], guest.to_tell(TOLD)

    def invoke(request: str) -> str:
        asked[0] += 1
        if asked[0] % 2:
            return told
        began[0] = time.monotonic_ns()
        return ""

    instance = Instance(image, MEMORY, invoke)
    instance.run(trivial)
    line.sendall(b"W")
    _, size = HEAD.unpack(_exactly(line, HEAD.size))
    reply = instance.run(_exactly(line, size))
    line.sendall(HEAD.pack(began[0], len(reply)) + reply)


def main() -> None:
    """Arguments: the control socket's descriptor, and the image's."""
    control, image = socket.socket(fileno=int(sys.argv[1])), Image(f"/dev/fd/{sys.argv[2]}")
    code = _code(Instance(image, MEMORY, lambda request: ""), TRIVIAL)
    trivial = guest.to_load(code, TRIVIAL.encode()).encode()
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            return
        pid = os.fork()
        if pid == 0:
            try:
                _cell(image, trivial, socket.socket(fileno=descriptors[0]))
            finally:
                os._exit(0)
        os.close(descriptors[0])
        _bury()


def _bury() -> None:
    """Those that have ended by now."""
    while os.waitpid(-1, os.WNOHANG)[0]:
        pass


if __name__ == "__main__":
    main()
