"""The peer of the kernel's own call: a socketpair between two processes, both blocking, frames of the same sizes.

`python -m bench.peers.line FD` answers on it until the other side hangs up.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

REQUEST_BYTES = 64
REPLY_BYTES = 128


def answer(line: socket.socket) -> None:
    while line.recv(REQUEST_BYTES, socket.MSG_WAITALL):
        line.sendall(bytes(REPLY_BYTES))


class Line:
    """The asker's side."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def each_us(self, count: int) -> float:
        """The mean of so many round trips, one after the other."""
        request = bytes(REQUEST_BYTES)
        began = time.perf_counter_ns()
        for _ in range(count):
            self._line.sendall(request)
            self._line.recv(REPLY_BYTES, socket.MSG_WAITALL)
        return (time.perf_counter_ns() - began) / count / 1e3


@contextmanager
def line() -> Iterator[Line]:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            command = [sys.executable, "-m", "bench.peers.line", str(theirs.fileno())]
            process = subprocess.Popen(command, pass_fds=(theirs.fileno(),))
        made = Line(ours)
        made.each_us(1)
        yield made
    process.wait(10)


if __name__ == "__main__":
    answer(socket.socket(fileno=int(sys.argv[1])))
