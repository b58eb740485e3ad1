"""Every function of the C module `posix`, over the kernel's calls, the run's own folder, or fixed bland answers.

Those on files are in `numbered` and `named`; the rest is here.
"""

from __future__ import annotations

import errno
import os
import posix
from collections.abc import Callable
from typing import Any, NoReturn

from agentos.guests.python.shims import chance, clock, named, place
from agentos.guests.python.shims.entries import DirEntry
from agentos.guests.python.shims.failure import os_error, refuse
from agentos.guests.python.shims.functions import shim, table
from agentos.guests.python.shims.replace import instead

# ---- where the program is


@shim
def getcwd() -> str:
    return place.folder


@shim
def getcwdb() -> bytes:
    return os.fsencode(place.folder)


@shim
def chdir(path: Any) -> None:
    place.enter(named.folder_of(path))


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


@shim
def fpathconf(fd: int, name: Any, /) -> int:
    return pathconf(fd, name)


@shim
def umask(mask: int, /) -> int:
    return 0o022


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
    for name, function in table.items():
        instead(posix, name, function)
        if not hasattr(os, name):
            instead(os, name, function)
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
    os.supports_follow_symlinks.add(named.stat)
