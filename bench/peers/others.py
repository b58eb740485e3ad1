"""The other ways to run a program apart from the rest: each a process that takes orders, or the reason there is none.

Their packages are no part of ours. `python -m bench.peers.install` puts them into environments of their own, by their
own locks; whatever is not there, or does not work here, is told as "not measured: why" and never ends the bench.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import psutil

from bench.peers.install import NEWER, NODE, PYTHON, ROOT, why_not

# An own namespace of every kind, all of the disk to be read, none to be written.
SEEN = ("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", tempfile.gettempdir())
WALLS = ("--unshare-all", "--die-with-parent", "--clearenv", *SEEN)
T = TypeVar("T")
LAST_WORDS = 200
ORDER_S = 120


class Missing(Exception):
    """It cannot be measured here, or cannot do this at all; its text says why."""


class Other(Protocol):
    """What each of them can do. What it cannot raises Missing."""

    def run_ms(self, source: str) -> float: ...
    def first_ms(self, source: str) -> float: ...
    def calls_us(self, count: int, text: str) -> list[float]: ...
    def grow_ms(self, source: str, count: int) -> float: ...
    def weigh(self) -> int: ...


class Driven:
    """One that takes orders, as bench/peers/driven/orders.py has them."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._heard()

    def run_ms(self, source: str) -> float:
        return float(str(self._ask(do="run", source=source)["ms"]))

    def first_ms(self, source: str) -> float:
        """Until the program's first line has been heard of."""
        return float(str(self._ask(do="first", source=source)["ms"]))

    def calls_us(self, count: int, text: str) -> list[float]:
        found = self._ask(do="calls", count=count, text=text)["us"]
        assert isinstance(found, list)
        return [float(each) for each in found]

    def grow_ms(self, source: str, count: int) -> float:
        """How much more processor time main(2 * count) takes than main(count)."""
        return float(str(self._ask(do="grow", source=source, count=count)["ms"]))

    def weigh(self) -> int:
        """It and all it has started, while one sandbox is held, in bytes of PSS."""
        self._ask(do="hold")
        return _weight(self._process.pid)

    def _ask(self, **order: object) -> dict[str, object]:
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Missing("it has ended") from None
        return self._heard()

    def _heard(self) -> dict[str, object]:
        assert self._process.stdout
        if not select.select([self._process.stdout], [], [], ORDER_S)[0]:
            self._process.kill()
            raise Missing(f"it gave no answer within {ORDER_S} seconds")
        line = self._process.stdout.readline()
        if not line:
            raise Missing(f"it ended with {self._process.wait(10)}")
        answer: dict[str, object] = json.loads(line)
        if "error" in answer:
            raise Missing(str(answer["error"]))
        return answer


class Command:
    """One that is started anew for each program, which it gets as a file; nobody can be called from inside."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self._command = command
        self._folder = folder

    def run_ms(self, source: str) -> float:
        command = self._with(source)
        began = time.perf_counter_ns()
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        took_ms = (time.perf_counter_ns() - began) / 1e6
        if ended.returncode:
            raise Missing(" ".join(ended.stderr.split())[-LAST_WORDS:] or f"it ended with {ended.returncode}")
        return took_ms

    def first_ms(self, source: str) -> float:
        command, pipe = self._with(f"print(flush=True)\n{source}"), subprocess.PIPE
        began = time.perf_counter_ns()
        with subprocess.Popen(command, stdout=pipe, stderr=subprocess.DEVNULL) as process:
            assert process.stdout
            heard = process.stdout.readline()
            took_ms = (time.perf_counter_ns() - began) / 1e6
        if not heard:
            raise Missing(f"it ended with {process.returncode}")
        return took_ms

    def _with(self, source: str) -> list[str]:
        program = self._folder / "program.py"
        program.write_text(source, encoding="utf-8")
        return [*self._command, str(program)]

    def calls_us(self, count: int, text: str) -> list[float]:
        raise Missing("there is nobody to call from inside")

    def grow_ms(self, source: str, count: int) -> float:
        raise Missing("it is the native one")

    def weigh(self) -> int:
        pipe = subprocess.PIPE
        command = [*self._command, "-c", "print(flush=True); input()"]
        with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
            assert process.stdout
            if not process.stdout.readline():
                raise Missing(f"it ended with {process.wait(10)}")
            weight = _weight(process.pid)
            process.communicate(b"\n")
        return weight


def _weight(pid: int) -> int:
    first = psutil.Process(pid)
    return sum(int(each.memory_full_info().pss) for each in (first, *first.children(recursive=True)))


@contextmanager
def driving(command: list[str], made: Callable[[subprocess.Popen[str]], T]) -> Iterator[T]:
    pipe, quiet = subprocess.PIPE, subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=quiet, text=True, cwd=ROOT)
    with process:
        try:
            yield made(process)
        finally:
            assert process.stdin
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def driven(command: list[str]) -> AbstractContextManager[Other]:
    return driving(command, Driven)


@contextmanager
def _module(environment: Path, name: str, *more: str) -> Iterator[Other]:
    if why := why_not(environment):
        raise Missing(why)
    with driven([str(environment / "bin" / "python"), "-m", f"bench.peers.driven.{name}", *more]) as made:
        yield made


@contextmanager
def _pyodide() -> Iterator[Other]:
    if why := why_not(NODE):
        raise Missing(why)
    script, package = Path(__file__).parent / "driven" / "pyodide.mjs", NODE / "node_modules/pyodide/pyodide.mjs"
    with driven(["node", str(script), str(package)]) as made:
        yield made


@contextmanager
def _bubblewrap() -> Iterator[Other]:
    bwrap = shutil.which("bwrap")
    if not bwrap:
        raise Missing("bwrap is not installed; on Debian: apt install bubblewrap")
    with tempfile.TemporaryDirectory(prefix="agentos-bench-bwrap-") as place:
        interpreter = os.path.realpath(sys.executable)
        made = Command([bwrap, *WALLS, "--ro-bind", place, place, interpreter], Path(place))
        made.run_ms("1")
        yield made


Made = Callable[[], AbstractContextManager[Other]]
TOOL = "MCP stdio server"
# It keeps its workers, and clears them between programs; ours is a process for each. So it is measured in both ways.
STAYS, FRESH = "pydantic-monty, a pool that stays", "pydantic-monty, a new pool each"
ALL: dict[str, Made] = {
    "bubblewrap + python3": _bubblewrap,
    STAYS: partial(_module, PYTHON, "monty"),
    FRESH: partial(_module, PYTHON, "monty", "fresh"),
    "pyeryx": partial(_module, NEWER, "eryx"),
    "Pyodide in Node": _pyodide,
    TOOL: partial(_module, PYTHON, "client"),
}
# Of those, what computes by an interpreter other than the native one, and the native one.
NATIVE = "native CPython"
COMPUTING: dict[str, Made] = {
    NATIVE: partial(driven, [sys.executable, "-m", "bench.peers.driven.native"]),
    **{name: ALL[name] for name in (STAYS, "Pyodide in Node")},
}
# Who runs programs, who can be called, who can be weighed: what differs between the two ways is the start alone.
SANDBOXES = tuple(name for name in ALL if name != TOOL)
CALLED = tuple(name for name in ALL if name != FRESH)
WEIGHED = tuple(name for name in SANDBOXES if name != FRESH)


class Others:
    """Those that are up, and why the rest is not."""

    def __init__(self) -> None:
        self.up: dict[str, Other] = {}
        self.missing: dict[str, str] = {}


@contextmanager
def others(made: Mapping[str, Made] = ALL) -> Iterator[Others]:
    found = Others()
    with ExitStack() as stack:
        for name, start in made.items():
            try:
                found.up[name] = stack.enter_context(start())
            except (Missing, OSError) as why:
                found.missing[name] = str(why)
        yield found
