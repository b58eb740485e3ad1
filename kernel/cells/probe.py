"""Tries every wall on this machine: `python -m agentos.kernel.cells.probe` prints a JSON list of
`{"name", "about", "held", "note"}`.

Nothing is believed from a version number. A process confines itself with the very functions that cells use, or is
started by the launcher of capability servers, and then really tries the forbidden thing. A wall holds when the try
ends in a refusal or in the death of who tried. `held` false with a note means that the try could not be made.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, NoReturn

from agentos.kernel.cells import landlock, walls, zygote

WITHIN_S: Final = 10.0
SUCCEEDED, REFUSED, NOT_TRIED = 0, 7, 8
FAR_DESCRIPTOR: Final = 200
_PTRACE_ATTACH: Final = 16


@dataclass(frozen=True, slots=True)
class Found:
    """One wall as tried."""

    name: str
    about: str
    held: bool
    note: str = ""


def _open_file() -> object:
    return os.open("/etc/hostname", os.O_RDONLY)


def _write_file() -> object:
    return os.open("/tmp/agentos-probe", os.O_WRONLY | os.O_CREAT)  # noqa: S108 (it must fail)


def _read_parent() -> object:
    return os.open(f"/proc/{os.getppid()}/mem", os.O_RDWR)


def _trace_parent() -> object:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(_PTRACE_ATTACH, os.getppid(), None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    return None


def _signal_parent() -> object:
    os.kill(os.getppid(), 0)
    return None


def _datagram() -> object:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def _stream() -> object:
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM)


def _connect() -> object:
    socket.socket(socket.AF_UNIX).connect(os.fspath(_SOCKET))
    return None


def _run_program() -> object:
    return os.execv(sys.executable, [sys.executable, "-I", "-c", ""])  # noqa: S606 (it must fail)


def _fork() -> object:
    if os.fork() == 0:
        os._exit(SUCCEEDED)
    return None


def _machine_code() -> object:
    return mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)


def _to_machine_code() -> object:
    page = mmap.mmap(-1, mmap.PAGESIZE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mprotect(ctypes.c_void_p(address), mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) != 0:
        raise OSError(ctypes.get_errno(), "mprotect")
    return None


def _inherited() -> object:
    return os.fstat(FAR_DESCRIPTOR)


def _environment() -> object:
    if "AGENTOS_PROBE" not in os.environ:
        raise OSError(0, "absent")
    return None


_SOCKET: Path = Path("/tmp")  # noqa: S108 (no file of ours: main sets a folder of its own)
Try = Callable[[], object]

OF_BOTH: Final[dict[str, tuple[str, Try]]] = {
    "files": ("opens no file it was not given", _open_file),
    "writing": ("makes no file where it was not allowed to", _write_file),
    "memory": ("cannot open the memory of its parent", _read_parent),
    "trace": ("cannot trace its parent", _trace_parent),
    "signals": ("cannot signal its parent", _signal_parent),
    "network": ("makes no internet socket", _stream),
    "datagrams": ("sends no datagrams, hence no DNS", _datagram),
    "connect": ("connects to no socket of ours", _connect),
    "programs": ("starts no program", _run_program),
    "processes": ("starts no process", _fork),
    "code": ("makes no memory that is writable and executable", _machine_code),
    "protect": ("turns no memory into machine code", _to_machine_code),
    "descriptors": ("inherits no descriptor but its own", _inherited),
}
OF_SERVERS: Final = {**OF_BOTH, "environment": ("sees nothing of the environment", _environment)}


def _try(attempt: Try) -> NoReturn:
    try:
        attempt()
    except OSError:
        os._exit(REFUSED)
    except BaseException:  # noqa: BLE001 (a child of a fork must not return)
        os._exit(NOT_TRIED)
    os._exit(SUCCEEDED)


def _as_cell() -> None:
    walls_of_cells = zygote.cell_walls(os.getppid())
    zygote.shut_in(os.getppid())
    walls_of_cells.put_on([])


def _verdict(name: str, about: str, status: int) -> Found:
    if os.WIFSIGNALED(status):
        return Found(name, about, held=True)
    code = os.WEXITSTATUS(status)
    return Found(name, about, code == REFUSED, "" if code in (REFUSED, SUCCEEDED) else "it could not be tried")


def _in_cell(name: str, about: str, attempt: Try) -> Found:
    pid = os.fork()
    if pid == 0:
        _as_cell()
        _try(attempt)
    return _verdict(f"cell.{name}", f"a cell {about}", os.waitpid(pid, 0)[1])


def _in_server(name: str, about: str) -> Found:
    profile = {"command": [sys.executable, "-m", "agentos.kernel.cells.probe", name, os.fspath(_SOCKET)]}
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as out:
        json.dump(profile, out)
    launcher = [sys.executable, "-I", "-B", "-m", "agentos.kernel.cells.confine", str(reading)]
    with subprocess.Popen(
        launcher, env={"AGENTOS_PROBE": "1"}, cwd="/", pass_fds=(reading, FAR_DESCRIPTOR),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as server:  # fmt: skip
        os.close(reading)
        try:
            code = server.wait(WITHIN_S)
        except subprocess.TimeoutExpired:
            server.kill()
            return Found(f"server.{name}", f"a capability server {about}", held=False, note="it could not be tried")
    status = -code if code < 0 else code << 8
    return _verdict(f"server.{name}", f"a capability server {about}", status)


def _leaves_no_core() -> Found:
    pid = os.fork()
    if pid == 0:
        _as_cell()
        ctypes.string_at(0)
    return Found("cell.core", "a cell that crashes leaves no core", held=not os.WCOREDUMP(os.waitpid(pid, 0)[1]))


def _dies_with_parent() -> Found:
    """A child's child is confined and told to wait for ever; the child ends; the pipe that both hold must end too."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        if os.fork() == 0:
            walls.put_on("parent", lambda: walls.die_with(os.getppid()))
            os.write(writing, os.getpid().to_bytes(4, "big"))
            select.select([], [], [], WITHIN_S)
        else:
            select.select([reading], [], [], WITHIN_S)
        os._exit(0)
    os.close(writing)
    os.waitpid(pid, 0)
    left = os.read(reading, 4)
    ended = bool(select.select([reading], [], [], 2.0)[0])
    os.close(reading)
    if not ended:
        os.kill(int.from_bytes(left, "big"), signal.SIGKILL)
    return Found("cell.parent", "a cell does not outlive its zygote, nor a zygote the kernel", held=ended)


def _is_current() -> Found:
    version = landlock.abi()
    about = "the kernel scopes files, TCP, signals and abstract sockets by Landlock"
    return Found("landlock", about, version >= 6, "" if version >= 6 else f"its ABI here is {version}, all need 6")


def probe() -> list[Found]:
    """Try all walls; takes a second or two."""
    global _SOCKET
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listening:
        _SOCKET = Path(folder) / "s"
        listening.bind(os.fspath(_SOCKET))
        listening.listen()
        os.dup2(0, FAR_DESCRIPTOR, inheritable=True)
        cells = [_in_cell(name, *each) for name, each in OF_BOTH.items()]
        servers = [_in_server(name, about) for name, (about, _) in OF_SERVERS.items()]
    return [_is_current(), *cells, _leaves_no_core(), _dies_with_parent(), *servers]


def main() -> None:
    """With an argument: be the server that tries one thing. Without: print what was found."""
    if len(sys.argv) > 2:
        global _SOCKET
        _SOCKET = Path(sys.argv[2])
        _try(OF_SERVERS[sys.argv[1]][1])
    sys.stdout.write(json.dumps([asdict(found) for found in probe()], indent=1))


if __name__ == "__main__":
    main()
