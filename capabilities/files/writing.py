"""Writing so that the old content is there until the new one is on disk, whatever goes wrong.

A whole file is written to a file without a name in the same folder (O_TMPFILE), synced, given a name and renamed over
the old one, and the folder is synced. If the server dies before the rename, nothing is left. Where the disk knows no
O_TMPFILE, the new file has a dot-name of its own from the start. A file that is new gets its name by a link, which
fails if the name is taken by then. A replaced file keeps its mode, without setuid and setgid; a new one can be run by
nobody. Ownership by others, extended attributes and further hard links of a replaced file are not carried over.

An append that does not fit is taken back to the length before. What was appended is marked on the file (marks.py).
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from agentos.capabilities.files import faults, marks
from agentos.capabilities.files.syscalls import rename_exclusive, reopen

NEW_MODE = 0o666
_TMPFILE: int = getattr(os, "O_TMPFILE", 0)
# Comparing what is there and replacing it is one step for all calls of this server.
settling = threading.Lock()
# One append to a file after the other: what is taken back of one must not be another's, which was told it is there.
_appending = tuple(threading.Lock() for _ in range(64))

Check = Callable[[os.stat_result | None], None]


def replace(folder: int, name: str, content: bytes, check: Check) -> os.stat_result:
    """Give `name` in this folder a new content. `check` is called with what is there, before and again at the end,
    and raises to stop it. Returns what is there now. Raises OSError."""
    old = look(folder, name)
    check(old)
    with _unnamed(folder) as (fd, temporary):
        if old is not None:
            os.fchmod(fd, stat.S_IMODE(old.st_mode) & 0o777)
        write_all(fd, content)
        os.fsync(fd)
        with settling:
            old = look(folder, name)
            check(old)
            _take_place(fd, folder, temporary, name, new=old is None)
        os.fsync(folder)
        return os.fstat(fd)


def make(folder: int, name: str, key: str) -> None:
    """Make an empty file for the append of this key. Raises FileExistsError."""
    with _unnamed(folder) as (fd, temporary):
        kept = marks.Marks(time.time_ns() // 1_000_000)
        kept.add(key, 0)
        kept.write(fd)
        _take_place(fd, folder, temporary, name, new=True)
    os.fsync(folder)


def append(fd: int, content: bytes, key: str) -> os.stat_result:
    """Add to the end of a file opened with O_APPEND: all of it or nothing. Raises OSError.

    Of a call that was cut off in its middle, what is there already is not added again.
    """
    with _appending[os.fstat(fd).st_ino % len(_appending)]:
        before, written = _marked(fd, content, key)
        try:
            write_all(fd, content[written:])
            os.fdatasync(fd)
        except OSError:
            os.ftruncate(fd, before)
            raise
        return os.fstat(fd)


def _marked(fd: int, content: bytes, key: str) -> tuple[int, int]:
    """Where this append begins, and how much of it is there; from now on the file says so."""
    kept, size = marks.begun(fd), os.fstat(fd).st_size
    mark = kept.of(key, time.time_ns() // 1_000_000)
    if mark is not None and mark.before <= size < mark.before + len(content):
        reading = reopen(fd, os.O_RDONLY)
        try:
            if (written := marks.there(reading, mark, content)) is not None:
                return mark.before, written
        finally:
            os.close(reading)
    kept.add(key, size)
    kept.write(fd)
    return size, 0


def rename_pinned(folder: int, name: str, to_folder: int, to: str, inode: tuple[int, int], path: str) -> None:
    """Move what was pinned as `inode` (device, number); another thing that took its name is put back."""
    rename_exclusive(folder, name, to_folder, to)
    found = os.stat(to, dir_fd=to_folder, follow_symlinks=False)
    if (found.st_dev, found.st_ino) != inode:
        with suppress(OSError):
            rename_exclusive(to_folder, to, folder, name)
        raise faults.changed(path)
    os.fsync(to_folder)
    os.fsync(folder)


def write_all(fd: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(fd, rest) :]


def look(folder: int, name: str) -> os.stat_result | None:
    """What has this name in the folder, perhaps a link; None if nothing."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


@contextmanager
def _unnamed(folder: int) -> Iterator[tuple[int, str]]:
    """A new file in this folder and the name it has; "" for none. Gone at the end if the name is still there."""
    fd, temporary = _open_unnamed(folder)
    try:
        yield fd, temporary
    finally:
        os.close(fd)
        if temporary:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)


def _open_unnamed(folder: int) -> tuple[int, str]:
    if _TMPFILE:
        try:
            return os.open(".", _TMPFILE | os.O_WRONLY, NEW_MODE, dir_fd=folder), ""
        except OSError as problem:
            if problem.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
                raise
    temporary = _dot_name()
    return os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, NEW_MODE, dir_fd=folder), temporary


def _take_place(fd: int, folder: int, temporary: str, name: str, *, new: bool) -> None:
    """Give the finished file its name: a new one only if the name is free, else over what has it."""
    if new:
        if temporary:
            rename_exclusive(folder, temporary, folder, name)
        else:
            _link(fd, folder, name)
        return
    if temporary:
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        return
    between = _dot_name()
    _link(fd, folder, between)
    try:
        os.rename(between, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        os.unlink(between, dir_fd=folder)
        raise


def _link(fd: int, folder: int, name: str) -> None:
    os.link(f"/proc/self/fd/{fd}", name, dst_dir_fd=folder, follow_symlinks=True)


def _dot_name() -> str:
    return f".agentos-{secrets.token_hex(12)}.tmp"
