"""The walls: small, independent ways in which a process gives up what it does not need, for good.

Each wall is a function that raises OSError where this kernel or platform lacks it. `put_on` turns that into a report
instead of a crash: a missing wall is something the person is told (`agentos doctor`, `--require-walls`), and the other
walls still stand. No wall can be taken off again. Two orders matter: no_new_privs comes before Landlock and seccomp,
and seccomp comes last, since it may forbid what the others need.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from agentos.kernel.cells import landlock, seccomp
from agentos.kernel.cells.syscalls import NoSuchCall, syscall

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_SIGKILL: Final = 9
_CAPABILITY_VERSION_3: Final = 0x20080522
_NO_LIMIT: Final = resource.RLIM_INFINITY


@dataclass(frozen=True, slots=True)
class Wall:
    """One wall as found: `held` is whether it stands; `note` says in our own words why not."""

    name: str
    held: bool
    note: str = ""


def put_on(name: str, build: Callable[[], object]) -> Wall:
    """Raise one wall, and report whether it stands."""
    try:
        build()
    except NoSuchCall:
        return Wall(name, False, "this platform does not have it")
    except (OSError, ValueError) as refused:
        code = getattr(refused, "errno", None)
        return Wall(name, False, f"this kernel refused it (errno {code})" if code else "this kernel refused it")
    return Wall(name, True)


def no_new_privileges() -> None:
    """No setuid program, no file capability gives this process, or what it starts, more than it has."""
    syscall("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def not_dumpable() -> None:
    """No core dump, no ptrace and no /proc/<pid>/mem by others of the same user. An execve takes this off again."""
    syscall("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)


def die_with(parent: int) -> None:
    """SIGKILL when the parent's thread that made us ends; at once if it already has. A fork takes this off again."""
    syscall("prctl", _PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def no_capabilities() -> None:
    """Not even root's powers: empty bounding, permitted and effective sets."""
    for capability in range(64):
        try:
            syscall("prctl", _PR_CAPBSET_DROP, capability, 0, 0, 0)
        except NoSuchCall:
            raise
        except OSError:
            break
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), 8)
    syscall("capset", header, ctypes.create_string_buffer(24))


@dataclass(frozen=True, slots=True)
class Limits:
    """Resource limits (soft and hard). None leaves one as it is; no process of ours ever leaves a core."""

    files: int | None = None
    processes: int | None = None
    file_bytes: int | None = None
    data_bytes: int | None = None
    space_bytes: int | None = None
    cpu_seconds: int | None = None


def limit(limits: Limits) -> None:
    """Lower the limits; never raises one above what is in force."""
    wanted = [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, limits.files),
        (resource.RLIMIT_NPROC, limits.processes),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_DATA, limits.data_bytes),
        (resource.RLIMIT_AS, limits.space_bytes),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
    ]
    for which, value in wanted:
        if value is not None:
            lower(which, value)


def lower(which: int, value: int) -> None:
    """Lower one limit, soft and hard."""
    hard = resource.getrlimit(which)[1]
    lowered = value if hard == _NO_LIMIT else min(value, hard)
    resource.setrlimit(which, (lowered, lowered))


def close_descriptors(keep: Iterable[int]) -> None:
    """Close every descriptor but these."""
    start = 0
    for kept in sorted(set(keep)):
        if start < kept:
            os.closerange(start, kept)
        start = kept + 1
    try:
        syscall("close_range", start, 0xFFFFFFFF, 0)
    except OSError:
        os.closerange(start, 65_536)


def single_threaded() -> None:
    """Not a wall but what the zygote stands on: a fork copies one thread, and a filter covers one."""
    if sys.platform == "linux" and len(os.listdir("/proc/self/task")) != 1:
        raise OSError(0, "more than one thread")


def shut_in(
    filter_: seccomp.Filter,
    limits: Limits,
    *,
    parent: int,
    rules: Iterable[landlock.Rule] = (),
    connect: bool = False,
) -> list[Wall]:
    """All the walls, in the order they need. What is open stays open: close descriptors before."""
    return [
        put_on("parent", lambda: die_with(parent)),
        put_on("dump", not_dumpable),
        put_on("limits", lambda: limit(limits)),
        put_on("capabilities", no_capabilities),
        put_on("privileges", no_new_privileges),
        put_on("landlock", lambda: landlock.put_on(rules, connect=connect)),
        put_on("seccomp", lambda: seccomp.Program(filter_).put_on()),
    ]
