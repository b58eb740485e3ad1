"""The launcher of capability servers: `python -I -m agentos.kernel.cells.confine FD` reads a profile from descriptor FD
until its end, puts the walls on, and becomes the server.

The profile is one JSON object. `command` is required, all else has the narrowest default:

| key            | meaning                                                                                        |
|----------------|------------------------------------------------------------------------------------------------|
| `command`      | argument list; `[this python, "-m", module, ...]` is run in this process, so that the server's  |
|                | filter has no execve at all; anything else is exec'd and needs its program under `run`          |
| `read`         | files and folders that may be read (and listed)                                                 |
| `write`        | files and folders that may also be changed; making files needs the folder, not the file         |
| `listen`       | folders in which it may make (and remove) its socket; give each server a folder of its own      |
| `run`          | more files and folders that may be read and executed                                            |
| `network`      | true: IPv4 and IPv6 sockets and connect; false: only `socket(AF_UNIX, SOCK_STREAM)` to listen on |
|                | (and, of a server of ours, that only until it listens)                                          |
| `memory_bytes` | RLIMIT_DATA; 0 means 1 GiB                                                                      |
| `file_bytes`   | RLIMIT_FSIZE, the largest file it may make; 0 means 1 GiB                                       |
| `files`        | RLIMIT_NOFILE; 0 means 256                                                                      |
| `environment`  | the server's whole environment                                                                  |
| `watches`      | true: it may ask to be told of changes (inotify), for a server that is watched itself            |
| `folder`       | its working folder, by default `/`                                                              |

A path that does not exist gives nothing. Python itself (its prefix, its libraries, the source tree of an editable
install) is always readable and executable, and so are the system's shared libraries and time zones. The server keeps
descriptors 0 to 6 and nothing else: null, output, errors, boot pipe, ready pipe, lane, and what listens, if it was
given that. An unknown key, a wrong type or a relative path ends the launcher with status 78 before anything is started.

Missing walls are named on standard error, one line each, `wall missing: NAME: NOTE`. A server that was exec'd must
call `prctl(PR_SET_DUMPABLE, 0)` itself: an exec makes a process dumpable again.
"""

from __future__ import annotations

import os
import runpy
import site
import sys
from typing import Final, NoReturn

import msgspec

from agentos.kernel.cells import landlock, profiles, seccomp, walls
from agentos.kernel.cells.landlock import Rule
from agentos.kernel.cells.syscalls import machine, number

BAD_PROFILE: Final = 78
_KEPT: Final = range(7)
_MOST_PROFILE: Final = 1 << 20
_GIB: Final = 1 << 30

_LIBRARIES: Final = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache"]
_READABLE: Final = ["/usr/share/zoneinfo", "/etc/localtime", "/dev/urandom", "/dev/zero"]
_FOR_NETWORK: Final = [
    *("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services"),
    *("/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/usr/share/ca-certificates", "/run/systemd/resolve"),
]
_WHOLE_SYSTEM: Final = {"/", "/usr", "/usr/local", "/opt"}


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one capability server may do; the table above says what each field means."""

    command: list[str]
    read: list[str] = []
    write: list[str] = []
    listen: list[str] = []
    run: list[str] = []
    network: bool = False
    memory_bytes: int = 0
    file_bytes: int = 0
    files: int = 0
    environment: dict[str, str] = {}
    folder: str = "/"
    watches: bool = False

    def __post_init__(self) -> None:
        paths = [*self.read, *self.write, *self.listen, *self.run, self.folder]
        if not self.command or not all(path.startswith("/") and "\0" not in path for path in paths):
            raise ValueError("a command is needed, and absolute paths")


def python_places() -> list[str]:
    """What this Python consists of: interpreter, standard library, packages, and our own sources."""
    import agentos

    prefixes = [prefix for prefix in (sys.prefix, sys.base_prefix) if prefix not in _WHOLE_SYSTEM]
    programs = [sys.executable, os.path.realpath(sys.executable)]
    packages = [*site.getsitepackages(), os.path.dirname(os.__file__)]
    ours = list(agentos.__path__)
    linked = [entry.path for folder in ours if os.path.isdir(folder) for entry in os.scandir(folder)]
    return [*prefixes, *programs, *packages, *ours, *map(os.path.realpath, linked)]


def rules_of(profile: Profile) -> list[Rule]:
    """The profile's paths as Landlock rules."""
    readable = _READABLE + (_FOR_NETWORK if profile.network else [])
    return [
        *(Rule(path, landlock.RUN) for path in [*_LIBRARIES, *python_places(), *profile.run]),
        *(Rule(path, landlock.READ) for path in [*readable, *profile.read]),
        Rule("/dev/null", landlock.READ | landlock.WRITE),
        *(Rule(path, landlock.WRITE) for path in profile.write),
        *(Rule(path, landlock.LISTEN) for path in profile.listen),
    ]


def _module_of(command: list[str]) -> str | None:
    """The module, when the command is this very Python running one."""
    return command[2] if len(command) > 2 and command[:2] == [sys.executable, "-m"] else None


def _read_profile(descriptor: int) -> Profile:
    with os.fdopen(descriptor, "rb") as source:
        return msgspec.json.decode(source.read(_MOST_PROFILE), type=Profile)


def confine(profile: Profile, parent: int) -> list[walls.Wall]:
    """Put on all the walls of a profile."""
    limits = walls.Limits(
        files=profile.files or 256,
        file_bytes=profile.file_bytes or _GIB,
        data_bytes=profile.memory_bytes or _GIB,
    )
    execs = _module_of(profile.command) is None
    # What runs in this process is Python, and known; of what is exec'd nobody knows what it needs to begin.
    filter_ = profiles.server(
        network=profile.network, execs=execs, writes=execs or bool(profile.write), watches=profile.watches
    )
    return walls.shut_in(filter_, limits, parent=parent, rules=rules_of(profile), connect=profile.network)


def narrowed(profile: Profile) -> str:
    """What a server of ours puts on once it listens (`capabilities/narrow.py`): call number and code; or nothing.

    What is exec'd does not know of it. It is no more than the first filter allows, without what is for beginning.
    """
    here = machine()
    if here is None or not seccomp.available() or _module_of(profile.command) is None:
        return ""
    filter_ = profiles.server(
        network=profile.network, execs=False, writes=bool(profile.write), watches=profile.watches, begins=False
    )
    return f"{number('seccomp', here)}:{seccomp.assemble(filter_, here).hex()}"


def _become(profile: Profile) -> NoReturn:
    module = _module_of(profile.command)
    if module is None:
        os.execve(profile.command[0], profile.command, profile.environment)  # noqa: S606 (that is the point)
    sys.argv = [module, *profile.command[3:]]
    sys.path[:0] = [path for path in profile.environment.get("PYTHONPATH", "").split(":") if path]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    sys.exit(0)


def main() -> NoReturn:
    """Confine this process by the profile on the named descriptor, then be the server."""
    parent = os.getppid()
    try:
        profile = _read_profile(int(sys.argv[1]))
    except (IndexError, OSError, ValueError):  # msgspec's errors are ValueErrors
        sys.stderr.write("confine: the profile is not valid\n")
        sys.exit(BAD_PROFILE)
    walls.close_descriptors(_KEPT)
    os.chdir(profile.folder)
    os.environ.clear()
    os.environ.update(profile.environment)
    narrower = narrowed(profile)
    for wall in confine(profile, parent):
        if not wall.held:
            sys.stderr.write(f"wall missing: {wall.name}: {wall.note}\n")
    if narrower:
        os.environ["AGENTOS_NARROWER"] = narrower
    _become(profile)


if __name__ == "__main__":
    main()
