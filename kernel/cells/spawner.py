"""The zygote as the kernel holds it: started, asked for cells, listened to, ended. It is believed: it runs no guest.

It is spawned from the loop's own thread, since what a dead parent means to Linux is the thread that made the child.
"""

from __future__ import annotations

import array
import asyncio
import os
import socket
import subprocess
import sys
from typing import Final, Protocol

from agentos.kernel.cells.frames import EXITED
from agentos.kernel.cells.images import Image

START_WITHIN_S: Final = 30.0
# Where there are no packets, datagrams keep messages apart as well.
_MESSAGES: Final = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM


class NoCells(Exception):
    """No cell can be had: the zygote does not start, or what it forks dies before it is ready."""


class Listener(Protocol):
    """Who is told what the zygote says."""

    def forked(self, pid: int, pidfd: int) -> None:
        """The oldest request not yet answered became this process."""

    def exited(self, pid: int, status: int, cpu_s: float) -> None:
        """A cell ended, with this wait status, having used this much CPU."""

    def lost(self) -> None:
        """The zygote is gone, and with it all its cells."""


class Zygote:
    """One zygote process. `missing` names the walls that this machine lacks."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket, listener: Listener) -> None:
        self.missing: tuple[str, ...] = ()
        self._process = process
        self._control = control
        self._listener = listener
        self._started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._over = False
        asyncio.get_running_loop().add_reader(control.fileno(), self._heard)

    @classmethod
    async def start(cls, image: Image, listener: Listener) -> Zygote:
        """Start one and wait until it is shut in. Raises NoCells."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, _MESSAGES)
        ours.setblocking(False)
        with theirs:
            zygote = cls(_spawn(theirs.fileno(), image), ours, listener)
        try:
            said = await asyncio.wait_for(zygote._started, START_WITHIN_S)
        except TimeoutError:
            said = ""
        except asyncio.CancelledError:
            zygote.end()
            raise
        if not said.startswith("r"):
            await zygote.end()
            raise NoCells("the zygote did not start")
        zygote.missing = tuple(filter(None, said[1:].split(",")))
        return zygote

    def fork(self, line: socket.socket) -> bool:
        """Ask for a cell on this end of a line. False when the zygote cannot take the request now."""
        passed = array.array("i", [line.fileno()])
        try:
            self._control.sendmsg([b"F"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed)])
        except OSError:
            return False
        return True

    def _heard(self) -> None:
        while not self._over:
            try:
                message, ancillary, _, _ = self._control.recvmsg(64, socket.CMSG_SPACE(4))
            except BlockingIOError:
                return
            except OSError:
                message, ancillary = b"", []
            self._understand(message, ancillary)

    def _understand(self, message: bytes, ancillary: list[tuple[int, int, bytes]]) -> None:
        if not self._started.done():
            self._started.set_result(message.decode(errors="replace"))
        elif not message:
            self._hang_up()
            self._listener.lost()
        elif message[:1] == b"f":
            pidfd = array.array("i", ancillary[0][2][:4])[0] if ancillary else -1
            self._listener.forked(int.from_bytes(message[1:5], "big"), pidfd)
        elif message[:1] == b"x":
            _, pid, status, user_us, system_us, _ = EXITED.unpack(message)
            self._listener.exited(pid, status, (user_us + system_us) / 1e6)

    def _hang_up(self) -> None:
        if not self._over:
            self._over = True
            asyncio.get_running_loop().remove_reader(self._control.fileno())
            self._control.close()

    def end(self) -> asyncio.Future[int]:
        """End it and its cells now. The future is done when it is buried, and need not be awaited."""
        self._hang_up()
        self._process.kill()
        return asyncio.get_running_loop().run_in_executor(None, self._process.wait)


def _spawn(control: int, image: Image) -> subprocess.Popen[bytes]:
    words = (os.getpid(), control, image.descriptor, int(image.own))
    return subprocess.Popen(
        [sys.executable, "-I", "-B", "-m", "agentos.kernel.cells.zygote", *map(str, words)],
        env={},
        cwd="/",
        pass_fds=(control, image.descriptor),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
