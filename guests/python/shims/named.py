"""The functions of `posix` that take a path."""

from __future__ import annotations

import os
import stat as modes
from typing import Any, NoReturn

from agentos.guests.python.shims import descriptors, folders, memory, place
from agentos.guests.python.shims.entries import Entry, Scan, stat_result
from agentos.guests.python.shims.failure import fail, refuse
from agentos.guests.python.shims.functions import only_paths, shim
from agentos.guests.python.shims.numbered import fstat
from agentos.guests.python.shims.place import absolute


def _entry(path: Any) -> tuple[str, Entry]:
    whole = absolute(path)
    return whole, folders.entry(whole)


@shim
def stat(path: Any, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
    only_paths(dir_fd)
    return fstat(path) if isinstance(path, int) else stat_result(*_entry(path))


@shim
def lstat(path: Any, *, dir_fd: int | None = None) -> os.stat_result:
    return stat(path, dir_fd=dir_fd)


@shim
def access(
    path: Any, mode: int, *, dir_fd: int | None = None, effective_ids: bool = False, follow_symlinks: bool = True
) -> bool:
    """Whether it is there. Whether it may be changed, only a call can tell."""
    try:
        is_folder = modes.S_ISDIR(stat(path, dir_fd=dir_fd).st_mode)
    except OSError:
        return False
    return is_folder or not mode & os.X_OK


@shim
def scandir(path: Any = None) -> Scan:
    given = "." if path is None else os.fspath(folder_of(path))
    return Scan(folders.scan(given))


def folder_of(path: Any) -> Any:
    return descriptors.get(path).path if isinstance(path, int) else path


@shim
def listdir(path: Any = None) -> list[Any]:
    given = "." if path is None else os.fspath(folder_of(path))
    return [entry.name for entry in folders.scan(given)]


@shim
def mkdir(path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
    only_paths(dir_fd)
    folders.make(absolute(path))


@shim
def unlink(path: Any, *, dir_fd: int | None = None) -> None:
    only_paths(dir_fd)
    folders.remove_file(absolute(path))


@shim
def remove(path: Any, *, dir_fd: int | None = None) -> None:
    unlink(path, dir_fd=dir_fd)


@shim
def rmdir(path: Any, *, dir_fd: int | None = None) -> None:
    only_paths(dir_fd)
    folders.remove_empty(absolute(path))


@shim
def rename(src: Any, dst: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
    only_paths(src_dir_fd if dst_dir_fd is None else dst_dir_fd)
    folders.move(absolute(src), absolute(dst))


@shim
def replace(src: Any, dst: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
    rename(src, dst, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)


@shim
def chmod(path: Any, mode: int, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> None:
    """Content with the mode that every file is shown with (copying gives it); any other is refused."""
    if modes.S_IMODE(mode) not in (0o644, 0o755) and not (isinstance(path, str) and memory.holds(path)):
        refuse("no program changes the mode of a file", "leave the mode as it is", str(path))


@shim
def chown(path: Any, uid: int, gid: int, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> None:
    """Content with the one owner that there is, or with -1 for "as it is"."""
    if {uid, gid} - {-1, 1000}:
        refuse("no program changes the owner of a file", "leave the owner as it is", str(path))


@shim
def utime(
    path: Any, times: Any = None, *, ns: Any = None, dir_fd: int | None = None, follow_symlinks: bool = True
) -> None:
    """Content where the file is there and no time is given; a time of its own choosing is refused."""
    stat(path, dir_fd=dir_fd)
    if times is not None or ns is not None:
        refuse("no program changes the times of a file", "leave the times as they are", str(path))


@shim
def link(
    src: Any, dst: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None, follow_symlinks: bool = True
) -> NoReturn:
    refuse("no program makes links", "copy the file, or move it", str(dst))


@shim
def symlink(src: Any, dst: Any, target_is_directory: bool = False, *, dir_fd: int | None = None) -> NoReturn:
    refuse("no program makes links", "copy the file, or move it", str(dst))


@shim
def readlink(path: Any, *, dir_fd: int | None = None) -> NoReturn:
    fail("bad_name", f"{place.text(path)} is not a link that can be read", place.text(path))
