"""Walls that stand behind others, each looked at by itself: another wall must not hide that one is gone."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import struct
import sys
from pathlib import Path

import psutil
import pytest
import wasmtime

from agentos.kernel.cells import cell, landlock, profiles, runtime, seccomp, syscalls, walls
from tests.cells.components import TEMPLATE
from tests.cells.conftest import Open
from tests.cells.test_walls import in_child

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the walls are Landlock and seccomp")
_PR_GET_DUMPABLE, _PR_GET_NO_NEW_PRIVS = 3, 39


def test_what_is_shut_in_has_every_wall() -> None:
    """As a zygote is, but for a filter that lets it be asked. The exit status names the first wall that is missing."""
    asks = {**profiles.ZYGOTE.allow, **seccomp.always("prctl prlimit64")}

    def confined() -> None:
        libc = ctypes.CDLL(None)
        status = os.open("/proc/self/status", os.O_RDONLY)
        raised = walls.shut_in(seccomp.Filter(asks), walls.Limits(files=64, file_bytes=0), parent=os.getppid())
        sets = re.findall(r"Cap(?:Prm|Eff|Bnd):\t(\w+)", os.read(status, 1 << 16).decode())
        stands = [
            all(wall.held for wall in raised),
            libc.prctl(_PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1,
            libc.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 0,
            not any(int(each, 16) for each in sets) or os.geteuid() != 0,
            resource.getrlimit(resource.RLIMIT_FSIZE) == (0, 0),
        ]
        os._exit(next((10 + number for number, each in enumerate(stands) if not each), 0))

    assert os.waitstatus_to_exitcode(in_child(confined)) == 0


def test_whose_parent_is_gone_already_ends_at_once() -> None:
    def orphan() -> None:
        walls.die_with(os.getppid() + 1)
        os._exit(9)

    assert os.waitstatus_to_exitcode(in_child(orphan)) == 1


def test_a_cell_may_have_no_process_and_few_files() -> None:
    def confined() -> None:
        cell.Walls(os.getppid(), None, None).put_on([])
        if resource.getrlimit(resource.RLIMIT_NPROC) != (0, 0) or resource.getrlimit(resource.RLIMIT_NOFILE)[1] > 64:
            os._exit(9)

    assert os.waitstatus_to_exitcode(in_child(confined)) == 0


def test_a_cell_opens_nothing_even_where_no_filter_stands() -> None:
    """Behind a ruleset that was made before the fork, as all cells of a zygote are."""
    ruleset = landlock.Ruleset()

    def confined() -> None:
        walls.no_new_privileges()
        cell.Walls(os.getppid(), ruleset, None).put_on([])
        try:
            os.open("/etc/passwd", os.O_RDONLY)
        except PermissionError:
            os._exit(0)
        os._exit(9)

    try:
        assert [os.waitstatus_to_exitcode(in_child(confined)) for _ in range(2)] == [0, 0]
    finally:
        ruleset.close()


def test_a_zygote_asks_for_no_memory_but_its_own() -> None:
    def confined() -> None:
        walls.no_new_privileges()
        seccomp.Program(profiles.ZYGOTE).put_on()
        try:
            syscalls.syscall("process_madvise", 0, None, 0, 22, 0)
        except PermissionError:
            os._exit(0)
        except OSError:
            os._exit(9)

    assert os.waitstatus_to_exitcode(in_child(confined)) == 0


def test_a_call_of_another_architecture_kills() -> None:
    """int 0x80 enters the kernel as i386, whose numbers mean other calls: 20 is getpid there and writev here."""
    if syscalls.machine() != "x86_64":
        pytest.skip("only x86-64 has a second door")
    code = seccomp.assemble(profiles.CELL, "x86_64")
    i386 = 0x40000003
    assert verdict_of(code, number=20, architecture=i386) == 0x80000000
    assert verdict_of(code, number=20 | 0x40000000, architecture=0xC000003E) == 0x80000000  # x32
    assert verdict_of(code, number=20, architecture=0xC000003E) == 0x7FFF0000


def verdict_of(code: bytes, number: int, architecture: int) -> int:
    """What a filter says of a call without arguments: the few instructions of BPF that ours are made of."""
    held, at = 0, 0
    while True:
        operation, yes, no, constant = struct.unpack_from("=HBBI", code, 8 * at)
        at += 1
        if operation == 0x06:
            return int(constant)
        if operation == 0x20:
            held = {0: number, 4: architecture}.get(constant, 0)
        elif operation == 0x54:
            held &= constant
        else:
            at += yes if (held == constant if operation == 0x15 else held >= constant) else no


async def test_a_zygote_has_nothing_of_the_environment(open_cells: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTOS_PASSPHRASE", "correct horse")
    cells = await open_cells("echo")
    assert cells._zygote
    assert psutil.Process(cells._zygote._process.pid).environ() == {}


GREEDY = (
    "(if (i32.eq (memory.grow (i32.const 1024)) (i32.const -1)) (then (i32.store (i32.const 12) (i32.const 4))) "
    "(else (i32.store (i32.const 12) (i32.const 3)))) (i32.store (i32.const 8) (i32.const 64)) (i32.const 8)"
)


def test_a_guest_has_the_memory_of_its_run_and_no_more(tmp_path: Path) -> None:
    """64 MiB more are refused by the guest's own limit, long before what the cell as a process may hold."""
    content = bytes(wasmtime.wat2wasm(TEMPLATE.replace("BODY", GREEDY).replace("START", "")))
    (tmp_path / "image").write_bytes(runtime.compile_component(content, threads=False))
    image = runtime.Image(str(tmp_path / "image"))
    few, many = runtime.Instance(image, 32 << 20, str), runtime.Instance(image, 128 << 20, str)
    assert (len(few.run(b"")), len(many.run(b""))) == (4, 3)
