"""Walls: the tables they are built from, and that each one really stands."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from agentos.kernel.cells import landlock, probe, profiles, seccomp, syscalls, walls, zygote
from agentos.kernel.cells.confine import BAD_PROFILE
from agentos.kernel.cells.syscalls import NUMBERS
from tests.forked import begun, ended

X86 = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
GENERIC = Path("/usr/include/asm-generic/unistd.h")
SERVERS = (profiles.server(network=True, execs=True), profiles.server(network=True, execs=False, writes=False))
RENAMED = {"newfstatat": 79, "fstat": 80, "fadvise64": 223, "mmap": 222}


def in_child(work: Callable[[], object]) -> int:
    """The wait status of a child that does this: exit 0 when it could, 1 when it was refused."""
    return ended(begun(work))


@pytest.mark.skipif(not X86.exists(), reason="no kernel headers")
def test_call_numbers_are_those_of_the_kernels_headers() -> None:
    x86 = {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)", X86.read_text())}
    generic = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", GENERIC.read_text())
    arm = {name: int(number) for name, number in generic} | RENAMED
    for name, (on_x86, on_arm) in NUMBERS.items():
        assert on_x86 == x86.get(name), name
        assert on_arm == arm.get(name), name


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize(
    "rules",
    [profiles.CELL, profiles.ZYGOTE, profiles.COMPILER, *SERVERS],
    ids=["cell", "zygote", "compiler", "server", "net server"],
)
def test_every_profile_assembles_for_both_machines(rules: seccomp.Filter, machine: str) -> None:
    code = seccomp.assemble(rules, machine)
    assert len(code) % 8 == 0
    assert len(code) // 8 <= 4096
    assert not rules.kill & rules.allow.keys()


def test_profiles_never_grow_from_the_zygote_to_the_cell() -> None:
    assert profiles.CELL.allow.keys() <= profiles.ZYGOTE.allow.keys()


TRIES: dict[str, Callable[[], object]] = {
    "a raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "packets": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM),
    "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "virtual machines": lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM),
    "the system's ciphers": lambda: socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET),
    "datagrams to other programs": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
    "another protocol over streams": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262),
    "another protocol over datagrams": lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM, 136),
    "a folder": lambda: os.mkdir("/tmp/agentos-try"),
    "another name": lambda: os.rename("/tmp/agentos-try", "/tmp/agentos-try2"),
    "a shorter file": lambda: os.truncate("/tmp/agentos-try", 0),
    "a link": lambda: os.symlink("/etc", "/tmp/agentos-try"),
    "a time": lambda: os.utime("/tmp"),
    "a process": os.fork,
    "a program": lambda: os.execv("/bin/true", ["/bin/true"]),  # noqa: S606
    "namespaces": lambda: syscalls.syscall("unshare", 0x10000000),
    "what changes": lambda: syscalls.syscall("inotify_init1", 0),
}


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp")
@pytest.mark.parametrize("what", TRIES)
def test_a_server_of_the_network_without_folders_may_not_ask_the_system_for(what: str) -> None:
    def confined() -> None:
        walls.no_new_privileges()
        seccomp.Program(SERVERS[1]).put_on()
        try:
            TRIES[what]()
        except OSError as refused:
            os._exit(refused.errno or 255)

    assert os.WEXITSTATUS(in_child(confined)) == errno.EPERM


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp")
@pytest.mark.parametrize("watches", [False, True])
def test_only_a_server_that_is_watched_may_be_told_of_changes_and_it_writes_nothing(watches: bool) -> None:
    # A server of files that serves calls may write, and one that is watched may not.
    rules = profiles.server(network=False, execs=False, writes=not watches, watches=watches, begins=False)

    def may(call: Callable[[], object]) -> bool:
        try:
            call()
        except OSError as refused:
            return refused.errno != errno.EPERM
        return True

    def confined() -> None:
        walls.no_new_privileges()
        seccomp.Program(rules).put_on()
        watched = may(lambda: syscalls.syscall("inotify_init1", 0))
        wrote = may(lambda: os.mkdir("/tmp/agentos-no-such-folder/a"))
        os._exit(10 + watched + 2 * wrote)

    assert os.WEXITSTATUS(in_child(confined)) == (11 if watches else 12)


BREAK_INS = ("ptrace", "process_vm_readv", "bpf", "keyctl", "userfaultfd", "io_uring_setup", "mount", "perf_event_open")


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp")
@pytest.mark.parametrize("call", BREAK_INS)
def test_a_server_that_tries_to_break_in_elsewhere_is_ended(call: str) -> None:
    def confined() -> None:
        walls.no_new_privileges()
        seccomp.Program(SERVERS[1]).put_on()
        syscalls.syscall(call, 0, 0, 0, 0, 0)

    assert os.WTERMSIG(in_child(confined)) == signal.SIGSYS


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp")
def test_a_server_of_the_network_has_the_sockets_that_it_needs() -> None:
    def confined() -> None:
        walls.no_new_privileges()
        seccomp.Program(SERVERS[1]).put_on()
        for family in (socket.AF_INET, socket.AF_INET6):
            socket.socket(family, socket.SOCK_STREAM).close()
            socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC, socket.IPPROTO_TCP).close()
            socket.socket(family, socket.SOCK_DGRAM, socket.IPPROTO_UDP).close()
        socket.socketpair()

    assert in_child(confined) == 0


def test_a_call_that_is_not_in_the_table_is_refused_and_one_with_other_arguments_too() -> None:
    table = {**profiles.CELL.allow, "getppid": ((seccomp.Match(0, 1),),)}
    table.pop("uname", None)

    def confined() -> None:
        walls.no_new_privileges()
        seccomp.Program(seccomp.Filter(table)).put_on()
        os.uname()

    assert os.WEXITSTATUS(in_child(confined)) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp")
@pytest.mark.parametrize(("whose", "policy", "may"), [(0, 0, True), (0, 3, False), (0, 5, False), (1, 0, False)])
def test_a_cell_may_have_itself_scheduled_as_any_other_process_and_in_no_other_way(
    whose: int, policy: int, may: bool
) -> None:
    process = os.getpid() if whose else 0

    def confined() -> None:
        walls.no_new_privileges()
        seccomp.Program(profiles.CELL).put_on()
        os.sched_setscheduler(process, policy, os.sched_param(0))

    assert os.WEXITSTATUS(in_child(confined)) == (0 if may else 1)


def test_every_try_of_the_probe_succeeds_where_there_is_no_wall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the probe would prove nothing."""
    import socket

    monkeypatch.setenv("AGENTOS_PROBE", "1")
    os.dup2(0, probe.FAR_DESCRIPTOR)
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.setattr(probe, "_SOCKET", tmp_path / "s")
        listening.bind(os.fspath(tmp_path / "s"))
        listening.listen()
        failed = [
            name for name, (_, attempt) in probe.OF_SERVERS.items()
            if name not in ("trace", "memory") and in_child(attempt) != 0
        ]  # fmt: skip
    os.close(probe.FAR_DESCRIPTOR)
    assert failed == []


def test_all_walls_stand_on_this_machine() -> None:
    found = json.loads(subprocess.check_output([sys.executable, "-m", "agentos.kernel.cells.probe"], text=True))
    assert {wall["name"] for wall in found} >= {f"cell.{name}" for name in probe.OF_BOTH}
    assert {wall["name"] for wall in found} >= {f"server.{name}" for name in probe.OF_SERVERS}
    if landlock.abi() >= 6:
        assert [wall for wall in found if not wall["held"]] == []


def test_a_missing_wall_is_reported_and_the_others_still_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*args: object, **more: object) -> int:
        raise OSError(38, "not here")

    monkeypatch.setattr(landlock, "put_on", absent)

    def confined() -> None:
        raised = walls.shut_in(profiles.ZYGOTE, zygote.LIMITS, parent=os.getppid())
        missing = [wall for wall in raised if not wall.held]
        if [wall.name for wall in missing] != ["landlock"] or "38" not in missing[0].note:
            os._exit(5)
        os.open("/etc/passwd", os.O_RDONLY)

    assert os.WEXITSTATUS(in_child(confined)) == 1


def test_where_there_is_no_seccomp_it_is_said_and_nothing_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "machine", lambda: None)
    assert zygote.cell_walls(os.getpid()).filter is None
    wall = walls.put_on("seccomp", lambda: seccomp.Program(profiles.CELL).put_on())
    assert (wall.held, wall.note) == (False, "this platform does not have it")


def test_limits_are_lowered_and_never_raised() -> None:
    import resource

    def confined() -> None:
        walls.limit(walls.Limits(files=64, file_bytes=0))
        walls.limit(walls.Limits(files=128))
        if resource.getrlimit(resource.RLIMIT_NOFILE) != (64, 64) or resource.getrlimit(resource.RLIMIT_CORE) != (0, 0):
            os._exit(5)

    assert in_child(confined) == 0


def test_a_cell_has_no_capability_even_as_root() -> None:
    def confined() -> None:
        status = os.open("/proc/self/status", os.O_RDONLY)
        walls.no_capabilities()
        sets = re.findall(r"Cap(?:Prm|Eff|Bnd):\t(\w+)", os.read(status, 1 << 16).decode())
        if os.geteuid() == 0 and any(int(each, 16) for each in sets):
            os._exit(5)

    assert in_child(confined) == 0


def test_everything_dies_with_the_kernel() -> None:
    """A kernel is killed with SIGKILL; its zygote and its cell, which loops, are gone soon after."""
    script = (
        "import asyncio, sys, os\n"
        "from pathlib import Path\n"
        "from agentos.kernel.cells.images import Images\n"
        "from agentos.kernel.cells.pool import Cells, CellLimits, Start\n"
        "async def main():\n"
        "    content = Path(sys.argv[1]).read_bytes()\n"
        "    cells = await Cells.start(await Images(Path(sys.argv[2]), bytes(32)).open(content, own=False))\n"
        "    cell = await cells.take(Start('', CellLimits(1 << 26, 600)))\n"
        "    print(cells._zygote._process.pid, *cells._live, flush=True)\n"
        "    await cell.run(None)\n"
        "asyncio.run(main())\n"
    )
    import tempfile

    from tests.cells.components import component

    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "spin.wasm"
        program.write_bytes(component("spin"))
        with subprocess.Popen(
            [sys.executable, "-c", script, program, f"{folder}/images"], stdout=subprocess.PIPE, text=True
        ) as kernel:
            assert kernel.stdout
            pids = [int(word) for word in kernel.stdout.readline().split()]
            kernel.send_signal(signal.SIGKILL)
    assert len(pids) >= 2
    left = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    _, alive = psutil.wait_procs(left, timeout=5)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


def confine(profile: object, *, code: str = "") -> subprocess.CompletedProcess[str]:
    reading, writing = os.pipe()
    os.write(writing, json.dumps(profile).encode())
    os.close(writing)
    try:
        return subprocess.run(
            [sys.executable, "-I", "-m", "agentos.kernel.cells.confine", str(reading)], pass_fds=(reading,),
            env={"SECRET": "1"}, cwd="/", capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
    finally:
        os.close(reading)


@pytest.mark.parametrize(
    "profile",
    [
        pytest.param({}, id="no command"),
        pytest.param({"command": []}, id="empty command"),
        pytest.param({"command": ["/bin/true"], "reads": ["/"]}, id="unknown key"),
        pytest.param({"command": ["/bin/true"], "read": ["etc"]}, id="relative path"),
        pytest.param({"command": ["/bin/true"], "network": "yes"}, id="wrong type"),
    ],
)
def test_a_profile_that_is_not_valid_starts_nothing(profile: object) -> None:
    ended = confine(profile)
    assert (ended.returncode, ended.stdout) == (BAD_PROFILE, "")


def test_a_program_in_any_language_is_confined_too(tmp_path: Path) -> None:
    """A command that is not a module of this Python is exec'd, behind the same walls."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").write_text("granted")
    (tmp_path / "out").write_text("not granted")
    script = (
        "import os, socket\n"
        f"print(open({str(tmp_path / 'in' / 'file')!r}).read(), sorted(os.environ))\n"
        f"for try_ in (lambda: open({str(tmp_path / 'out')!r}), lambda: open({str(tmp_path / 'in' / 'new')!r}, 'w'),\n"
        "             os.fork, lambda: socket.socket(), lambda: os.kill(os.getppid(), 0)):\n"
        "    try:\n"
        "        try_()\n"
        "        print('done')\n"
        "    except OSError:\n"
        "        print('refused')\n"
    )
    ended = confine({
        "command": [sys.executable, "-I", "-c", script],
        "read": [str(tmp_path / "in")],
        "environment": {"LC_CTYPE": "C.UTF-8"},
    })  # fmt: skip
    assert ended.stdout.splitlines() == ["granted ['LC_CTYPE']", *["refused"] * 5], ended.stderr
