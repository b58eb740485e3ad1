"""Each function below which the machine lies, found by its module and called: none may trap."""

from __future__ import annotations

import json

import pytest

from tests.guest.conftest import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

# What is tried on each function: plausible for some, wrong for most. A wrong call is a Python exception too.
ARGUMENTS = [
    "()", "(1,)", "(77,)", "('a.txt',)", "('none',)", "('sub',)", "('/etc/passwd',)", "(b'a.txt',)", "(None,)",
    "('a.txt', 'n.txt')", "('a.txt', 0)", "('n.txt', 65)", "(1, 2)", "(3, b'x')", "(1, b'x')", "(3, 4)", "(3, 1, 0)",
    "(1, 0, 0)", "(3, 0, 1, 0)", "('A', 'b')", "('SC_OPEN_MAX',)", "('a.txt', 'PC_NAME_MAX')", "(1, 'PC_NAME_MAX')",
    "(3, bytearray(2))", "(1.5,)", "('%Y',)", "('%Y', (2026, 1, 1, 1, 1, 1, 1, 1, 1))",
    "((2026, 1, 1, 1, 1, 1, 1, 1, 1),)",
    "('2026', '%Y')", "([1, 2, 3],)", "([1, 2, 3], 2)", "(range(9), 2)", "(0, 1, 0.5)", "(3, 2)", "('time',)",
    "(getattr(module, 'CLOCK_REALTIME', 1),)",
]  # fmt: skip

TRY = """
import contextlib, importlib, os
module = importlib.import_module({module!r})
tried = {{}}
for name in {names}:
    function = getattr(module, name)
    if not callable(function) or name in {skipped!r}:
        continue
    ends = set()
    with contextlib.suppress(OSError):
        open('/home/me/x/a.txt', 'w').close()
    for arguments in {arguments!r}:
        os.chdir('/home/me/x')
        held = os.open('b.md', os.O_RDWR)
        try:
            function(*eval(arguments))
            ends.add('answered')
        except BaseException as error:
            assert not isinstance(error, (SystemError, MemoryError)), (name, arguments)
            assert '[Errno' not in str(error), (name, arguments, str(error))
            ends.add(type(error).__name__)
        with contextlib.suppress(OSError):
            os.close(held)
    tried[name] = sorted(ends)
result = tried
"""


Ends = dict[str, list[str]]


async def tried(stage: Stage, module: str, names: str = "dir(module)", skipped: tuple[str, ...] = ()) -> Ends:
    """How each function of a module ended, for all arguments."""
    source = TRY.format(module=module, names=names, skipped=skipped, arguments=ARGUMENTS)
    played = await stage.play(source)
    assert played.ending.how == "returned", f"{played.ending.how} at {played.ending.reached}"
    assert played.status == "done", played.answer
    result: Ends = played.result
    return result


async def names_of(stage: Stage, module: str) -> list[str]:
    played = await stage.play(f"import {module} as m\nresult = [n for n in dir(m) if callable(getattr(m, n))]")
    names: list[str] = played.result
    return names


async def test_no_function_of_posix_traps(stage: Stage) -> None:
    ends = await tried(stage, "posix", skipped=("_exit", "abort"))
    known = set(await names_of(stage, "posix"))
    assert set(ends) == known - {"_exit", "abort"}
    for name in ("open", "stat", "listdir", "read", "write", "mkdir", "rename", "urandom", "scandir", "lseek"):
        assert "answered" in ends[name], name


async def test_no_function_of_os_traps(stage: Stage) -> None:
    ends = await tried(stage, "os", skipped=("_exit", "abort"))
    assert len(ends) > 100
    assert "PermissionError" in ends["system"]


async def test_no_clock_traps(stage: Stage) -> None:
    ends = await tried(stage, "time")
    for name in ("time", "monotonic", "sleep", "localtime", "strftime", "strptime", "mktime", "clock_gettime"):
        assert "answered" in ends[name], name
    for kind in ("datetime", "date"):
        assert await tried(stage, "datetime", f"[]: pass\nmodule = module.{kind}\nfor name in dir(module)")


async def test_no_random_source_traps(stage: Stage) -> None:
    for module in ("random", "secrets", "uuid"):
        ends = await tried(stage, module, skipped=("_test", "_test_generator", "main"))
        assert any("answered" in end for end in ends.values())


async def test_one_call_seeds_all_of_them(stage: Stage) -> None:
    source = (
        "import random, secrets, uuid, os, tempfile\n"
        "result = [random.random(), random.Random().random(), random.SystemRandom().random(), secrets.token_hex(), "
        "str(uuid.uuid4()), os.urandom(4).hex(), tempfile.mktemp()]"
    )
    first, second = await stage.play(source), await stage.play(source)
    assert first.actions == second.actions == ["random.bytes"]
    assert first.result == second.result
    assert json.dumps(first.result) != "[]"
