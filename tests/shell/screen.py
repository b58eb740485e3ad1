"""A pseudo-terminal to type at and to read from, so that questions are tested as a person meets them."""

from __future__ import annotations

import os
import pty
import select
import termios
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

from agentos.shell.terminal import Terminal

# Long enough for a kernel's first start, which compiles the guest.
SECONDS = 60.0
Result = TypeVar("Result")


class Screen:
    """The person's side of a pseudo-terminal."""

    def __init__(self, columns: int = 80) -> None:
        self.person, self.program = pty.openpty()
        termios.tcsetwinsize(self.program, (24, columns))
        self.seen = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for descriptor in (self.person, self.program):
            os.close(descriptor)

    def terminal(self) -> Terminal:
        return Terminal(self.program)

    def type(self, text: str) -> None:
        os.write(self.person, text.encode())

    def until(self, text: str) -> str:
        """Read until this text is on the screen; returns all that came since the last such wait."""
        deadline = time.monotonic() + SECONDS
        while text not in self.seen:
            ready, _, _ = select.select([self.person], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"never saw {text!r} in: {self.seen!r}")
            self.seen += os.read(self.person, 65_536).decode().replace("\r\n", "\n")
        shown, _, self.seen = self.seen.partition(text)
        return shown + text

    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.program)[3] & termios.ECHO)


class Asked(Generic[Result]):
    """A question that is put in a thread of its own, while the test plays the person."""

    def __init__(self, question: Callable[[], Result]) -> None:
        self._results: list[Result | BaseException] = []
        self._thread = threading.Thread(target=self._ask, args=(question,), daemon=True)
        self._thread.start()

    def _ask(self, question: Callable[[], Result]) -> None:
        try:
            self._results.append(question())
        except BaseException as error:  # noqa: BLE001  it is raised again in the test
            self._results.append(error)

    @property
    def settled(self) -> bool:
        return bool(self._results)

    def answer(self) -> Result:
        self._thread.join(SECONDS)
        assert self._results, "the question is still open"
        result = self._results[0]
        if isinstance(result, BaseException):
            raise result
        return result
