"""The person's terminal, as the one place where a question is put.

Questions go to /dev/tty, never to standard input: what a program or a pipe feeds there cannot answer. Before each
question everything typed ahead is thrown away, so that a key pressed before the question was seen is not its answer.
A wait for an answer also watches a wake descriptor, since a question may be settled elsewhere meanwhile.
"""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from agentos.shell.failure import Exit, Failure
from agentos.shell.text import escaped

LONGEST_LINE = 4096


class Unanswered(Failure):
    """The terminal is gone or at its end: that is a no."""

    def __init__(self) -> None:
        super().__init__("nobody answered", "nothing was done", Exit.FAILED)


class Terminal:
    """Asks lines of the person. `wake` is readable when `woken` has something to look at."""

    def __init__(self, descriptor: int, wake: int = -1, woken: Callable[[], None] = lambda: None) -> None:
        self._descriptor = descriptor
        self._wake = wake
        self._woken = woken
        self.colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"

    @property
    def width(self) -> int:
        """Columns, at least 40."""
        try:
            return max(40, os.get_terminal_size(self._descriptor).columns)
        except OSError:
            return 80

    def watch(self, wake: int, woken: Callable[[], None]) -> None:
        """Look at `wake` too while waiting."""
        self._wake, self._woken = wake, woken

    def say(self, text: str = "") -> None:
        self._write(text + "\n")

    def line(self, question: str) -> str:
        """One line, typed after the question was shown. Raises Unanswered at the end of input."""
        try:
            return self._typed(question)
        except (KeyboardInterrupt, Unanswered):
            with suppress(OSError):  # no Enter was pressed, so what comes next would stand behind the question
                self.say()
            raise

    def _typed(self, question: str) -> str:
        termios.tcflush(self._descriptor, termios.TCIFLUSH)
        self._write(question)
        self._wait()
        typed = os.read(self._descriptor, LONGEST_LINE)
        if not typed:
            raise Unanswered
        return typed.decode("utf-8", "replace").strip()

    def secret(self, question: str) -> str:
        """One line that is not echoed."""
        with self._changed(lambda flags: flags & ~termios.ECHO):
            try:
                return self._typed(question)
            finally:
                self.say()

    def edit(self, question: str, text: str) -> str:
        """One line, with this text in it to begin with."""
        with self._changed(lambda flags: flags & ~(termios.ECHO | termios.ICANON | termios.ISIG)):
            line = list(text)
            for key in self._keys(question, line):
                if key in "\r\n":
                    break
                if key == "\x03" or (key == "\x04" and not line):
                    self.say()
                    raise KeyboardInterrupt
                _edited(line, key)
            self.say()
            return "".join(line).strip()

    def _keys(self, question: str, line: list[str]) -> Iterator[str]:
        termios.tcflush(self._descriptor, termios.TCIFLUSH)
        while True:
            shown, room = escaped("".join(line)), self.width - len(question) - 2
            self._write("\r\x1b[K" + question + ("…" + shown[-room:] if len(shown) > room else shown))
            self._wait()
            typed = os.read(self._descriptor, 256).decode("utf-8", "ignore")
            if not typed:
                raise Unanswered
            # Arrow and function keys arrive as one piece that begins with ESC: there is nowhere to move to.
            yield from "" if typed.startswith("\x1b") else typed

    def _wait(self) -> None:
        watched = [self._descriptor] + ([self._wake] if self._wake >= 0 else [])
        while True:
            ready, _, _ = select.select(watched, [], [])
            if self._wake in ready:
                self._woken()
            if self._descriptor in ready:
                return

    def _write(self, text: str) -> None:
        left = text.encode("utf-8", "replace")
        while left:
            left = left[os.write(self._descriptor, left) :]

    @contextmanager
    def _changed(self, local: Callable[[int], int]) -> Iterator[None]:
        before = termios.tcgetattr(self._descriptor)
        during = termios.tcgetattr(self._descriptor)
        during[tty.LFLAG] = local(during[tty.LFLAG])
        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, during)
        try:
            yield
        finally:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, before)


def _edited(line: list[str], key: str) -> None:
    """What one key does to the line: erase one, erase a path segment, erase all, or add."""
    if key in "\x7f\b":
        del line[-1:]
    elif key == "\x15":
        line.clear()
    elif key == "\x17":
        while line and line[-1] == "/":
            line.pop()
        while line and line[-1] != "/":
            line.pop()
    elif key.isprintable() and len(line) < LONGEST_LINE:
        line.append(key)


def open_terminal() -> Terminal | None:
    """The terminal to ask at: only where standard input and standard error are one."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    try:
        return Terminal(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return None
