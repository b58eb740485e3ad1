"""The table of open files: numbers for `os.open`, `os.read` and `fileno()`, and what stands behind each.

0, 1 and 2 are the console. All others are files of the person's or of the run's own memory.
"""

from __future__ import annotations

import errno
import os
import weakref
from dataclasses import dataclass
from typing import Any

from agentos.guests.python.shims import console, memory
from agentos.guests.python.shims.contents import Appending, Content, InMemory, Reading, Writing
from agentos.guests.python.shims.entries import FILE, FOLDER, TERMINAL, Entry
from agentos.guests.python.shims.failure import ask, fail, os_error
from agentos.guests.python.shims.place import absolute

WAYS = os.O_RDONLY | os.O_WRONLY | os.O_RDWR


@dataclass(slots=True)
class Opened:
    """One open file, or a folder (without content)."""

    path: str
    flags: int
    content: Content | None
    position: int = 0
    top: weakref.ref[Any] | None = None

    @property
    def reads(self) -> bool:
        return self.flags & WAYS in (os.O_RDONLY, os.O_RDWR)

    @property
    def writes(self) -> bool:
        return self.flags & WAYS in (os.O_WRONLY, os.O_RDWR)

    def bytes(self) -> Content:
        if self.content is None:
            fail("is_folder", f"{self.path} is a folder", self.path)
        return self.content


table: dict[int, Opened] = {}
unsent: list[BaseException] = []
"""Why something a program wrote was not sent, where Python closed the file and so nobody could be told."""


def begin() -> None:
    """Forget all open files; the console is always there."""
    table.clear()
    unsent.clear()
    table[0] = Opened("/dev/stdin", os.O_RDONLY, console.Typed())
    for stream, name in ((1, "/dev/stdout"), (2, "/dev/stderr")):
        table[stream] = Opened(name, os.O_WRONLY | os.O_APPEND, console.Printed(stream))


def get(fd: int) -> Opened:
    try:
        return table[fd]
    except KeyError:
        raise os_error(errno.EBADF, "bad file descriptor") from None


def add(opened: Opened) -> int:
    fd = 3
    while fd in table:
        fd += 1
    table[fd] = opened
    return fd


def open_path(path: Any, flags: int) -> int:
    whole = absolute(path)
    return add(Opened(whole, flags, _in_memory(whole, flags) if memory.holds(whole) else _outside(whole, flags)))


def _in_memory(path: str, flags: int) -> Content | None:
    node = memory.create(path, only=bool(flags & os.O_EXCL)) if flags & os.O_CREAT else memory.find(path)
    if node.content is None:
        if flags & WAYS != os.O_RDONLY:
            fail("is_folder", f"{path} is a folder", path)
        return None
    if flags & os.O_TRUNC:
        node.content.clear()
    return InMemory(node)


def _outside(path: str, flags: int) -> Content | None:
    """Open a file of the person's. Each way in asks for what it needs, and for nothing else."""
    create = flags & os.O_CREAT
    if flags & os.O_DIRECTORY or flags & WAYS == os.O_RDONLY:
        return _for_reading(path, flags)
    if create and flags & os.O_EXCL:
        return Writing.exclusive(path)
    if create and flags & os.O_TRUNC:
        return Writing(path)
    if create and flags & os.O_APPEND and flags & WAYS == os.O_WRONLY:
        return Appending(path)
    try:
        changed = Writing.changing(path)
    except FileNotFoundError:
        if not create:
            raise
        return Writing(path)
    if flags & os.O_TRUNC:
        changed.truncate(0)
    return changed


def _for_reading(path: str, flags: int) -> Content | None:
    if flags & os.O_DIRECTORY:
        ask("files.list", path, path=path)
        return None
    return Reading(path)  # pyright: ignore[reportReturnType]  # it is read here, never written


def read(opened: Opened, count: int) -> bytes:
    if not opened.reads:
        raise os_error(errno.EBADF, "the file is not open for reading", opened.path)
    piece = opened.bytes().read(opened.position, count)
    opened.position += len(piece)
    return piece


def write(opened: Opened, piece: Any) -> int:
    if not opened.writes:
        raise os_error(errno.EBADF, "the file is not open for writing", opened.path)
    given = bytes(piece)
    content = opened.bytes()
    if opened.flags & os.O_APPEND:
        opened.position = content.append(given)
    else:
        content.write(opened.position, given)
        opened.position += len(given)
    return len(given)


def seek(opened: Opened, offset: int, whence: int) -> int:
    content = opened.bytes()
    base = (0, opened.position, None)[whence] if whence in (0, 1, 2) else -1
    if base == -1:
        raise os_error(errno.EINVAL, "whence is 0, 1 or 2")
    position = (content.size() if base is None else base) + offset
    if position < 0:
        raise os_error(errno.EINVAL, "a position is not negative")
    opened.position = position
    return position


def entry(opened: Opened) -> Entry:
    name = opened.path.rpartition("/")[2]
    if isinstance(opened.content, (console.Typed, console.Printed)):
        return Entry(name, TERMINAL)
    return Entry(name, FOLDER) if opened.content is None else Entry(name, FILE, opened.content.size())


def close(fd: int) -> None:
    opened = get(fd)
    del table[fd]
    if opened.content is not None and opened.writes and not any(other is opened for other in table.values()):
        opened.content.sync(last=True)


def finish() -> None:
    """At the end of the program: send what is still held, as Python does when it closes what was left open.

    A program that was never told of a write that failed has not done its work, whatever it thinks: it ends here.
    """
    for fd in [fd for fd in table if fd > 2]:
        opened = table.get(fd)
        if opened is None or not opened.writes:
            continue
        top = opened.top() if opened.top else None
        try:
            if top is not None:
                top.close()
            else:
                close(fd)
        except Exception as error:
            unsent.append(error)
    if unsent:
        raise unsent[0]
