"""The functions of `posix` that take a file's number."""

from __future__ import annotations

import errno
import os
from typing import Any

from agentos.guests.python.shims import descriptors
from agentos.guests.python.shims.entries import stat_result
from agentos.guests.python.shims.failure import os_error
from agentos.guests.python.shims.functions import only_paths, shim


@shim
def open(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    only_paths(dir_fd)
    return descriptors.open_path(path, flags)


@shim
def close(fd: int) -> None:
    descriptors.close(fd)


@shim
def closerange(fd_low: int, fd_high: int) -> None:
    for fd in [fd for fd in descriptors.table if max(fd_low, 3) <= fd < fd_high]:
        descriptors.close(fd)


@shim
def dup(fd: int) -> int:
    return descriptors.add(descriptors.get(fd))


@shim
def read(fd: int, length: int) -> bytes:
    if length < 0:
        raise os_error(errno.EINVAL, "a length is not negative")
    return descriptors.read(descriptors.get(fd), length)


@shim
def readinto(fd: int, buffer: Any) -> int:
    view = memoryview(buffer).cast("B")
    piece = read(fd, len(view))
    view[: len(piece)] = piece
    return len(piece)


@shim
def pread(fd: int, length: int, offset: int) -> bytes:
    return descriptors.get(fd).bytes().read(offset, length)


@shim
def write(fd: int, data: Any) -> int:
    return descriptors.write(descriptors.get(fd), data)


@shim
def pwrite(fd: int, data: Any, offset: int) -> int:
    opened = descriptors.get(fd)
    held, opened.position = opened.position, offset
    try:
        return descriptors.write(opened, data)
    finally:
        opened.position = held


@shim
def lseek(fd: int, position: int, whence: int) -> int:
    if fd in (0, 1, 2):
        raise os_error(errno.ESPIPE, "a terminal has no position")
    return descriptors.seek(descriptors.get(fd), position, whence)


@shim
def ftruncate(fd: int, length: int) -> None:
    descriptors.get(fd).bytes().truncate(length)


@shim
def truncate(path: Any, length: int) -> None:
    fd = path if isinstance(path, int) else open(path, os.O_RDWR)
    ftruncate(fd, length)
    if fd is not path:
        close(fd)


@shim
def fsync(fd: int) -> None:
    opened = descriptors.get(fd)
    if opened.content is not None and opened.writes:
        opened.content.sync()


@shim
def fdatasync(fd: int) -> None:
    fsync(fd)


@shim
def isatty(fd: int, /) -> bool:
    return False


@shim
def fstat(fd: int) -> os.stat_result:
    opened = descriptors.get(fd)
    return stat_result(opened.path, descriptors.entry(opened))


@shim
def get_blocking(fd: int, /) -> bool:
    descriptors.get(fd)
    return True


@shim
def get_inheritable(fd: int, /) -> bool:
    descriptors.get(fd)
    return False


@shim
def set_blocking(fd: int, blocking: bool, /) -> None:
    descriptors.get(fd)


@shim
def set_inheritable(fd: int, inheritable: int, /) -> None:
    descriptors.get(fd)


@shim
def posix_fadvise(fd: int, offset: int, length: int, advice: int, /) -> None:
    descriptors.get(fd)


@shim
def device_encoding(fd: int) -> None:
    return None
