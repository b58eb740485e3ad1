"""What cells promise about the Python guest in particular: deep recursion is an exception, a stub has a name."""

from __future__ import annotations

import json

import pytest

from agentos.kernel.cells import guest, runtime
from agentos.kernel.cells.pool import CellLimits, Cells, Ending, Start
from tests.cells.conftest import gone, told
from tests.compiled import guest_image

LIMITS = CellLimits(memory_bytes=256 << 20, cpu_seconds=10)


async def no_calls(request: str) -> str:
    return json.dumps({"error": {"code": "denied", "reason": "no calls", "hint": "", "detail": ""}})


async def run(cells: Cells, source: str) -> Ending:
    compiling = Start(guest.to_compile(source, "deep.py"), LIMITS)
    compiled = await (await cells.take(compiling)).run(no_calls)
    loading = Start(guest.to_load(guest.letters(json.loads(compiled.reply)["code"]), source.encode()), LIMITS)
    known = guest.to_tell({"input": "", "start_folder": "/tmp", "home_folder": "/tmp"})
    return await told(await cells.take(loading), known).run(no_calls)


async def test_recursion_however_deep_is_an_exception_and_never_a_trap() -> None:
    cells = await Cells.start(await guest_image())
    dives = [
        "import json\njson.loads('[' * 100_000)",
        "def f(): f()\nf()",
        "class A:\n    def __getattr__(self, name): return getattr(self, name + 'x')\nA().x",
        "x = []\nfor _ in range(100_000): x = [x]\nrepr(x)",
        "eval('-' * 50_000 + '1')",
    ]
    for dive in dives:
        body = "\n    ".join(dive.splitlines())
        ending = await run(cells, f"try:\n    {body}\nexcept (RecursionError, MemoryError): result = 'caught'\n")
        assert ending.how == "returned", dive
        assert json.loads(ending.reply)["result"] == "caught", ending.reply
    assert await gone(lambda: cells.busy == 0)
    await cells.close()


TRAP = """error while executing at wasm backtrace:
    0: 0xba72f7 - <unknown>!<wasm function 1>
    1: 0x126ba13 - <unknown>!<wasm function 16>
    2: 0xbbb1d9 - libc.so!{}
    3: 0xbb1de9 - libc.so!__clock_gettime

Caused by:
    wasm trap: wasm `unreachable` instruction executed
"""


@pytest.mark.parametrize(
    ("function", "reached"),
    [
        ("wall_clock_now", "wasi:clocks/wall-clock#now"),
        ("filesystem_preopens_get_directories", "wasi:filesystem/preopens#get-directories"),
        ("random_get_random_bytes", "wasi:random/random#get-random-bytes"),
        ("stdout_get_stdout", "wasi:cli/stdout#get-stdout"),
        ("tcp_create_socket_create_tcp_socket", "wasi:sockets/tcp-create-socket#create-tcp-socket"),
        ("abort", ""),
        ("wall_clock_/etc/passwd", ""),
    ],
)
def test_a_stub_is_named_by_our_own_table(function: str, reached: str) -> None:
    assert runtime.reached_by(TRAP.format(function)) == reached


def test_other_traps_reach_nothing() -> None:
    assert runtime.reached_by(TRAP.format("wall_clock_now").replace("`unreachable`", "call stack exhausted")) == ""
    assert runtime.reached_by(TRAP.format("wall_clock_now").replace("<wasm function 16>", "named")) == ""
    assert runtime.reached_by("") == ""
