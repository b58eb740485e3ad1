"""Every function of the C module `posix`, over the kernel's calls, the run's own folder, or fixed bland answers."""

from __future__ import annotations

import errno
import os
import posix
import stat as modes
from collections.abc import Callable
from typing import Any, NoReturn

from agentos.guests.python.shims import chance, clock, descriptors, folders, memory, place
from agentos.guests.python.shims.entries import DirEntry, Entry, Scan, stat_result
from agentos.guests.python.shims.failure import fail, os_error, refuse
from agentos.guests.python.shims.place import absolute
from agentos.guests.python.shims.replace import instead

functions: dict[str, Callable[..., Any]] = {}


def shim(function: Callable[..., Any]) -> Callable[..., Any]:
    functions[function.__name__.rstrip("_")] = function
    return function


def _only_paths(dir_fd: int | None) -> None:
    if dir_fd is not None:
        raise NotImplementedError("dir_fd unavailable on this platform")


# ---- files by number


@shim
def open(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    _only_paths(dir_fd)
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


functions["fdatasync"] = lambda fd: fsync(fd)


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


# ---- files by path


def _entry(path: Any) -> tuple[str, Entry]:
    whole = absolute(path)
    return whole, folders.entry(whole)


@shim
def stat(path: Any, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
    _only_paths(dir_fd)
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
    given = "." if path is None else os.fspath(_folder(path))
    return Scan(folders.scan(given))


def _folder(path: Any) -> Any:
    return descriptors.get(path).path if isinstance(path, int) else path


@shim
def listdir(path: Any = None) -> list[Any]:
    given = "." if path is None else os.fspath(_folder(path))
    return [entry.name for entry in folders.scan(given)]


@shim
def mkdir(path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
    _only_paths(dir_fd)
    folders.make(absolute(path))


@shim
def unlink(path: Any, *, dir_fd: int | None = None) -> None:
    _only_paths(dir_fd)
    folders.remove_file(absolute(path))


@shim
def remove(path: Any, *, dir_fd: int | None = None) -> None:
    unlink(path, dir_fd=dir_fd)


@shim
def rmdir(path: Any, *, dir_fd: int | None = None) -> None:
    _only_paths(dir_fd)
    folders.remove_empty(absolute(path))


@shim
def rename(src: Any, dst: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
    _only_paths(src_dir_fd if dst_dir_fd is None else dst_dir_fd)
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


# ---- where the program is


@shim
def getcwd() -> str:
    return place.folder


@shim
def getcwdb() -> bytes:
    return os.fsencode(place.folder)


@shim
def chdir(path: Any) -> None:
    place.enter(_folder(path))


# ---- the machine: the same answers everywhere


@shim
def getpid() -> int:
    return 1


@shim
def cpu_count() -> int:
    return 1


@shim
def uname() -> os.uname_result:
    return posix.uname_result(("agentos", "guest", "1", "1", "wasm32"))


@shim
def times() -> os.times_result:
    elapsed = clock.monotonic()
    return posix.times_result((elapsed, 0.0, 0.0, 0.0, elapsed))


@shim
def urandom(size: int, /) -> bytes:
    return chance.draw(size)


@shim
def sched_yield() -> None:
    return None


@shim
def confstr(name: Any, /) -> None:
    if isinstance(name, str) and name not in os.confstr_names:
        raise ValueError("unrecognized configuration name")


@shim
def sysconf(name: Any, /) -> int:
    if isinstance(name, str) and name not in os.sysconf_names:
        raise ValueError("unrecognized configuration name")
    pages = {"SC_PAGESIZE": 65536, "SC_PAGE_SIZE": 65536, "SC_NPROCESSORS_ONLN": 1, "SC_NPROCESSORS_CONF": 1}
    return pages.get(name, -1)


@shim
def pathconf(path: Any, name: Any) -> int:
    known = {"PC_NAME_MAX": 255, "PC_PATH_MAX": 4096}
    if isinstance(name, str) and name not in os.pathconf_names:
        raise ValueError("unrecognized configuration name")
    return known.get(name, -1)


functions["fpathconf"] = lambda fd, name, /: pathconf(fd, name)


@shim
def putenv(name: Any, value: Any, /) -> None:
    """`os.environ` holds it; there is no other environment."""


@shim
def unsetenv(name: Any, /) -> None:
    """See `putenv`."""


@shim
def strerror(code: int, /) -> str:
    name = errno.errorcode.get(code)
    return f"error {name}" if name else f"Unknown error {code}"


# ---- other processes


@shim
def _exit(status: int) -> NoReturn:
    raise SystemExit(status)


@shim
def abort() -> NoReturn:
    raise SystemExit("aborted")


def _no_process(*_: object, **__: object) -> NoReturn:
    refuse("a program starts no other program", "do it in Python; for files use open, shutil and os")


def _no_signal(*_: object, **__: object) -> NoReturn:
    refuse("a program sends no signals", "end with sys.exit()")


def _no_terminal(*_: object) -> NoReturn:
    raise os_error(errno.ENOTTY, "there is no terminal")


_PROCESSES = """system fork forkpty vfork execv execve execvp execvpe execl execle execlp execlpe spawnv spawnve spawnvp
    spawnvpe spawnl spawnle spawnlp spawnlpe posix_spawn posix_spawnp popen startfile waitpid wait""".split()
_BLAND: dict[str, Any] = {"getuid": 1000, "geteuid": 1000, "getgid": 1000, "getegid": 1000, "getppid": 0}


def _bland(answer: object) -> Callable[[], object]:
    return lambda: answer


def install() -> None:
    for name, function in functions.items():
        instead(posix, name, function)
    instead(posix, "DirEntry", DirEntry)
    instead(os, "DirEntry", DirEntry)
    for name in _PROCESSES:
        instead(os, name, lambda *_, **__: _no_process())
    for name in ("kill", "killpg"):
        instead(os, name, lambda *_: _no_signal())
    for name, answer in _BLAND.items():
        instead(os, name, _bland(answer))
    instead(os, "get_terminal_size", _no_terminal)
    instead(os, "process_cpu_count", cpu_count)
    for flags in (os.supports_fd, os.supports_dir_fd, os.supports_effective_ids, os.supports_follow_symlinks):
        flags.clear()
    os.supports_follow_symlinks.add(stat)
