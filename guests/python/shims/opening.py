"""`open` in all its modes: buffers and text layer are Python's own, what lies under them is a `FileIO` of ours."""

from __future__ import annotations

import _io
import builtins
import errno
import io
import os
import weakref
from typing import Any

from agentos.guests.python.shims import descriptors
from agentos.guests.python.shims.contents import Appending
from agentos.guests.python.shims.failure import os_error
from agentos.guests.python.shims.replace import instead

_FLAGS = {
    "r": os.O_RDONLY,
    "w": os.O_CREAT | os.O_TRUNC,
    "x": os.O_CREAT | os.O_EXCL,
    "a": os.O_CREAT | os.O_APPEND,
}


class FileIO(io.RawIOBase):
    """An open file without a buffer."""

    def __init__(self, file: Any, mode: str = "r", closefd: bool = True, opener: Any = None) -> None:
        self._fd = -1
        self._opened: descriptors.Opened | None = None
        if isinstance(file, float):
            raise TypeError("integer argument expected, got float")
        kind, updating = _kind(mode)
        ways = os.O_RDWR if updating else os.O_RDONLY if kind == "r" else os.O_WRONLY
        self.name, self.closefd = file, closefd
        self.mode = {"r": "rb", "w": "wb", "x": "xb", "a": "ab"}[kind] + ("+" if updating else "")
        self.mode = "rb+" if kind == "w" and updating else self.mode
        if isinstance(file, int):
            if file < 0:
                raise ValueError("negative file descriptor")
            self._fd = int(file)
        elif not closefd:
            raise ValueError("Cannot use closefd=False with file name")
        elif opener is not None:
            self._fd = opener(file, _FLAGS[kind] | ways | os.O_CLOEXEC)
        else:
            self._fd = descriptors.open_path(file, _FLAGS[kind] | ways)
        self._opened = descriptors.get(self._fd)
        if self._opened.content is None:
            self._opened.bytes()
        self._reads, self._writes = kind == "r" or updating, kind != "r" or updating

    def _file(self) -> descriptors.Opened:
        if self._opened is None or self.closed:
            raise ValueError("I/O operation on closed file")
        return self._opened

    def readable(self) -> bool:
        self._file()
        return self._reads

    def writable(self) -> bool:
        self._file()
        return self._writes

    def seekable(self) -> bool:
        self._file()
        return self._fd > 2

    def fileno(self) -> int:
        self._file()
        return self._fd

    def isatty(self) -> bool:
        self._file()
        return False

    def readinto(self, into: Any, /) -> int:
        view = memoryview(into).cast("B")
        piece = self._read(len(view))
        view[: len(piece)] = piece
        return len(piece)

    def read(self, size: int | None = -1, /) -> bytes:
        return self.readall() if size is None or size < 0 else self._read(size)

    def readall(self) -> bytes:
        pieces = []
        while piece := self._read(1 << 62):
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read(self, count: int) -> bytes:
        opened = self._file()
        if not self._reads:
            raise io.UnsupportedOperation("not readable")
        return descriptors.read(opened, count)

    def write(self, piece: Any, /) -> int:
        opened = self._file()
        if not self._writes:
            raise io.UnsupportedOperation("not writable")
        return descriptors.write(opened, memoryview(piece).cast("B"))

    def seek(self, offset: int, whence: int = 0, /) -> int:
        opened = self._file()
        if self._fd <= 2:
            raise os_error(errno.ESPIPE, "a terminal has no position")
        return descriptors.seek(opened, offset, whence)

    def tell(self) -> int:
        opened = self._file()
        if self._fd <= 2:
            raise os_error(errno.ESPIPE, "a terminal has no position")
        if isinstance(opened.content, Appending) and opened.top is not None:
            opened.position = opened.content.size()
        return opened.position

    def truncate(self, size: int | None = None, /) -> int:
        opened = self._file()
        if not self._writes:
            raise io.UnsupportedOperation("truncate")
        size = self.tell() if size is None else size
        opened.bytes().truncate(size)
        return size

    def sync(self) -> None:
        """Send what was written, so that it is there for others."""
        if self._opened is not None and self._writes and not self.closed:
            self._opened.bytes().sync()

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        if self.closefd and self._opened is not None and descriptors.table.get(self._fd) is self._opened:
            descriptors.close(self._fd)

    def __repr__(self) -> str:
        if self.closed:
            return "<_io.FileIO [closed]>"
        return f"<_io.FileIO name={self.name!r} mode={self.mode!r} closefd={self.closefd}>"


class BufferedWriter(io.BufferedWriter):
    """Python's own, whose flush goes all the way."""

    def flush(self) -> None:
        super().flush()
        raw: Any = self.raw
        raw.sync()


class BufferedRandom(io.BufferedRandom):
    """Python's own, whose flush goes all the way."""

    def flush(self) -> None:
        super().flush()
        raw: Any = self.raw
        if not raw.closed:
            raw.sync()


for _ours in (FileIO, BufferedWriter, BufferedRandom):
    _ours.__module__ = "_io"


def _kind(mode: str) -> tuple[str, bool]:
    letters = mode.replace("b", "").replace("t", "")
    kind = letters.replace("+", "")
    if len(kind) != 1 or kind not in _FLAGS or letters.count("+") > 1:
        raise ValueError("Must have exactly one of create/read/write/append mode and at most one plus")
    return kind, "+" in letters


def _open(
    file: Any, mode: str = "r", buffering: int = -1, encoding: str | None = None, errors: str | None = None,
    newline: str | None = None, closefd: bool = True, opener: Any = None,
) -> Any:  # fmt: skip
    """Open a file, as Python's own `open` does. Each read and write of it is a call under the program's manifest."""
    if not isinstance(file, int):
        file = os.fspath(file)
    _check(mode, buffering, encoding, errors, newline)
    binary = "b" in mode
    raw = FileIO(file, mode, closefd, opener)
    top: Any = raw
    try:
        if buffering != 0:
            size = buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE
            kind: Any = BufferedRandom if "+" in mode else io.BufferedReader if raw.readable() else BufferedWriter
            top = kind(raw, size)
        if not binary:
            top = io.TextIOWrapper(top, encoding or "utf-8", errors, newline, buffering == 1)
            top.mode = mode
    except BaseException:
        top.close()
        raise
    if raw.writable() and raw._opened is not None:
        raw._opened.top = weakref.ref(top)
    return top


def _check(mode: Any, buffering: Any, encoding: Any, errors: Any, newline: Any) -> None:
    if not isinstance(mode, str):
        raise TypeError(f"open() argument 'mode' must be str, not {type(mode).__name__}")
    if set(mode) - set("axrwb+t") or len(mode) > len(set(mode)):
        raise ValueError(f"invalid mode: '{mode}'")
    if "b" in mode and "t" in mode:
        raise ValueError("can't have text and binary mode at once")
    _kind(mode)
    if "b" in mode:
        for name, given in (("an encoding", encoding), ("an errors", errors), ("a newline", newline)):
            if given is not None:
                raise ValueError(f"binary mode doesn't take {name} argument")
    elif buffering == 0:
        raise ValueError("can't have unbuffered text I/O")


def _open_code(path: str) -> Any:
    return _open(path, "rb")


def install() -> None:
    for module in (io, _io):
        instead(module, "open", _open)
        instead(module, "open_code", _open_code)
        instead(module, "FileIO", FileIO)
    instead(builtins, "open", _open)
    FileIO.__name__ = FileIO.__qualname__ = "FileIO"
