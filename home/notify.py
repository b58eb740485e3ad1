"""What a process tells whoever keeps it running: the sd_notify protocol of systemd, and of all that speak it.

    READY=1        once, when it really serves
    STATUS=...     one line for the person
    WATCHDOG=1     from the event loop itself, twice in the time that is given: a loop that hangs says nothing,
                   and is ended and started anew
    STOPPING=1     when it begins to end

The variables are taken out of the environment, so that nothing we start can speak for us. Where nobody listens, all of
this does nothing; that a word was lost is no reason to stop.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import asyncio

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
LOOK_EVERY_S = 5.0


class Keeper(msgspec.Struct):
    """Who keeps us running, if anybody: an address to write to, and how long we may be silent."""

    address: str = ""
    silent_s: float = 0.0
    given: dict[str, str] = {}
    _said: str = ""
    _timer: asyncio.TimerHandle | None = None

    @classmethod
    def taken(cls) -> Keeper:
        """The one that the environment names, which then names it no more."""
        given = {name: value for name in VARIABLES if (value := os.environ.pop(name, None)) is not None}
        address, of = given.get("NOTIFY_SOCKET", ""), given.get("WATCHDOG_PID", "")
        if address[:1] not in ("/", "@"):
            return cls()
        usec = given.get("WATCHDOG_USEC", "")
        ours = usec.isascii() and usec.isdigit() and of in ("", str(os.getpid()))
        return cls(address, int(usec) / 1e6 if ours else 0.0, given)

    def give_back(self) -> None:
        """Name it in the environment again: for a program that takes our place, in this same process."""
        self.close()
        os.environ.update(self.given)

    def ready(self, status: Callable[[], str]) -> None:
        """It serves now; from here on the event loop shows that it lives, and what `status` says."""
        self.close()  # what it was until now
        self._said = status()
        self._tell("READY=1", f"STATUS={self._said}")
        self._beat(status)

    def status(self, text: str) -> None:
        self._tell(f"STATUS={text}")

    def stopping(self, text: str = "stopping") -> None:
        self._tell("STOPPING=1", f"STATUS={text}")

    def close(self) -> None:
        if self._timer:
            self._timer.cancel()

    def _beat(self, status: Callable[[], str]) -> None:
        if not self.address:
            return
        if (now := status()) != self._said:
            self._said = now
            self._tell(f"STATUS={now}")
        if self.silent_s:
            self._tell("WATCHDOG=1")
        from asyncio import get_running_loop  # whoever asks only whether a home opens does without it

        pause = min(self.silent_s / 2 or LOOK_EVERY_S, LOOK_EVERY_S)
        self._timer = get_running_loop().call_later(pause, self._beat, status)

    def _tell(self, *words: str) -> None:
        if not self.address:
            return
        # "@" stands for the zero byte that names outside of any folder begin with.
        address = "\0" + self.address[1:] if self.address[0] == "@" else self.address
        told = "\n".join(word.replace("\n", " ") for word in words).encode()
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.setblocking(False)
            to.connect(address)
            to.send(told)
