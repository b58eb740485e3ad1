"""The program's output and input: what it prints rides along with its calls, what it asks for the person types."""

from __future__ import annotations

import builtins
import codecs
import errno
import io
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

from agentos.guests.python.shims.failure import ask, os_error
from agentos.guests.python.shims.replace import instead
from agentos.sdk import wire


def read_line(prompt: str = "") -> str | None:
    """One typed line without its end; None where there is no more, or nobody at a terminal."""
    try:
        reply = ask("console.read_line", prompt=prompt)
    except OSError as error:
        if getattr(error, "code", "") == "unavailable":
            return None
        raise
    return None if reply.get("end") else str(reply.get("text", ""))


class Printed:
    """Standard output or error as an open file."""

    def __init__(self, stream: int) -> None:
        self.stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def append(self, piece: bytes) -> int:
        wire.printed(self.stream, self._decoder.decode(piece))
        return 0

    def write(self, start: int, piece: bytes) -> None:
        self.append(piece)

    def read(self, start: int, count: int) -> bytes:
        return b""

    def size(self) -> int:
        raise os_error(errno.ESPIPE, "a terminal has no position")

    def truncate(self, size: int) -> None:
        raise os_error(errno.EINVAL, "a terminal cannot be cut")

    def sync(self, *, last: bool = False) -> None:
        wire.flush()


class Typed(Printed):
    """Standard input as an open file."""

    def __init__(self) -> None:
        super().__init__(0)
        self._left = b""
        self._ended = False

    def read(self, start: int, count: int) -> bytes:
        if not self._left and not self._ended:
            line = read_line()
            self._ended = line is None
            self._left = b"" if line is None else line.encode() + b"\n"
        piece, self._left = self._left[:count], self._left[count:]
        return piece


class Out(io.TextIOBase):
    """`sys.stdout` and `sys.stderr`."""

    encoding = "utf-8"
    errors = "backslashreplace"
    newlines = None
    line_buffering = True
    write_through = False
    mode = "w"

    def __init__(self, stream: int, name: str) -> None:
        self._stream, self.name = stream, name
        self._bytes: io.BufferedWriter | None = None

    def write(self, text: str, /) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        wire.printed(self._stream, text)
        return len(text)

    def writelines(self, lines: Iterable[Any], /) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if not self.closed:
            wire.flush()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream

    def isatty(self) -> bool:
        return False

    def reconfigure(self, **_: object) -> None:
        """Text goes out as UTF-8 and lines as they are, whatever is asked for."""

    @property
    def buffer(self) -> Any:
        """The stream for bytes, unbuffered, so that text and bytes keep their order."""
        return _Bytes(self)

    def __repr__(self) -> str:
        return f"<stream name={self.name!r} mode='w' encoding='utf-8'>"


class _Bytes(io.RawIOBase):
    def __init__(self, text: Out) -> None:
        self._text = text
        self.name, self.mode = text.name, "wb"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._text.fileno()

    def flush(self) -> None:
        self._text.flush()

    def write(self, piece: Any, /) -> int:
        given = bytes(piece)
        _decoded[self._text.fileno()].append(given)
        return len(given)


_decoded = {1: Printed(1), 2: Printed(2)}


class _Input(io.RawIOBase):
    """What `sys.stdin` is made of."""

    name, mode = "<stdin>", "rb"

    def __init__(self) -> None:
        self._typed = Typed()

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 0

    def isatty(self) -> bool:
        return False

    def readinto(self, into: Any, /) -> int:
        piece = self._typed.read(0, len(into))
        into[: len(piece)] = piece
        return len(piece)


def _input(prompt: object = "", /) -> str:
    """Ask the person for a line. EOFError where the input has ended, or where nobody is at a terminal."""
    if sys.stdin is not sys.__stdin__:
        return _input_of(sys.stdin, prompt)
    line = read_line(str(prompt))
    if line is None:
        raise EOFError("EOF when reading a line: nobody is at a terminal, or the input has ended")
    return line


def _input_of(stdin: Any, prompt: object) -> str:
    """A line of what the program itself put in the place of its input."""
    if stdin is None:
        raise RuntimeError("input(): lost sys.stdin")
    print(prompt, end="", flush=True)
    line = stdin.readline()
    if not line:
        raise EOFError("EOF when reading a line")
    return str(line).removesuffix("\n")


def no_debugger(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("there is no debugger in a cell: print what you want to see")


def begin() -> None:
    """Fresh streams, so that no run sees what another left half decoded or closed."""
    sys.stdout = sys.__stdout__ = Out(1, "<stdout>")  # type: ignore[assignment, misc]
    sys.stderr = sys.__stderr__ = Out(2, "<stderr>")  # type: ignore[assignment, misc]
    stdin = io.TextIOWrapper(io.BufferedReader(_Input(), 1024), encoding="utf-8", errors="replace")
    sys.stdin = sys.__stdin__ = stdin  # type: ignore[misc]


def install() -> None:
    instead(builtins, "input", _input)
    sys.breakpointhook = no_debugger
    begin()
