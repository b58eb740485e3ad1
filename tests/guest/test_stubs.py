"""A program that digs below Python on purpose: there is nothing but named stubs, and each ends the run."""

from __future__ import annotations

import pytest

from tests.guest.conftest import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

# The modules of C as they were before the shims. Nothing hinders a program from making them again; nothing is gained.
FRESH = (
    "import _imp, importlib.machinery\n"
    "def fresh(name):\n"
    "    made = _imp.create_builtin(importlib.machinery.ModuleSpec(name, None))\n"
    "    _imp.exec_builtin(made)\n"
    "    return made\n"
)
PREOPENS = "wasi:filesystem/preopens#get-directories"
WAYS = {
    "fresh('posix').stat('/')": PREOPENS,
    "fresh('posix').listdir('/home')": PREOPENS,
    "fresh('posix').unlink('a.txt')": PREOPENS,
    "fresh('posix').mkdir('d')": PREOPENS,
    "fresh('posix').urandom(4)": "wasi:random/random#get-random-bytes",
    "fresh('posix').times()": "wasi:clocks/monotonic-clock#now",
    "fresh('posix').write(1, b'x')": "wasi:cli/stdout#get-stdout",
    "fresh('posix').isatty(1)": "wasi:cli/terminal-stdout#get-terminal-stdout",
    "fresh('posix')._exit(0)": "wasi:cli/exit#exit",
    "fresh('time')": "wasi:clocks/wall-clock#now",
    "fresh('_socket').socket()": "wasi:sockets/tcp-create-socket#create-tcp-socket",
    "fresh('_random').Random()": "wasi:random/random#get-random-bytes",
    "fresh('faulthandler').dump_traceback(2)": "wasi:cli/stderr#get-stderr",
    "import random; random.Random.__mro__[1]()": "wasi:random/random#get-random-bytes",
    "import sqlite3; sqlite3.Connection.__mro__[1](':memory:').execute('attach \"a.db\" as x')": PREOPENS,
    "import time; time.localtime.__globals__['_c_localtime']()": "wasi:clocks/wall-clock#now",
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
async def test_each_way_below_python_ends_at_a_stub_that_has_a_name(stage: Stage, way: str) -> None:
    played = await stage.play(f"{FRESH}{way}\n")
    assert (played.ending.how, played.ending.reached) == ("trapped", WAYS[way])
    assert not played.kit.calls


@pytest.mark.parametrize(
    "source",
    [
        "import io\n[kind for kind in io.RawIOBase.__subclasses__() if kind.__doc__][-1]('/etc/passwd')",
        "fresh('posix').open('/etc/passwd', 0)",
        "fresh('_io').open('/etc/passwd')",
        "fresh('_sqlite3').connect('a.db')",
        "import _frozen_importlib_external as e\ne._path_stat('/etc/passwd')",
    ],
)
async def test_some_ways_end_before_a_stub_as_an_exception(stage: Stage, source: str) -> None:
    played = await stage.play(f"{FRESH}{source}\n")
    assert played.ending.how == "returned"
    assert played.status in ("failed", "refused")
    assert "Errno" not in played.says
