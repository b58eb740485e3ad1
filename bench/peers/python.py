"""The peer of a run: `python3 -c 1`, from spawn to wait.

It is the interpreter that the kernel itself runs on, in an environment with no packages: what somebody installed beside
an interpreter can make its start three times slower, and would flatter us.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Python:
    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._environment = {"PATH": os.defpath}

    def once_ms(self) -> float:
        began = time.perf_counter_ns()
        _wait(self._spawn())
        return (time.perf_counter_ns() - began) / 1e6

    def at_once_ms(self, count: int) -> float:
        """So many of them started at once, until the last has ended."""
        began = time.perf_counter_ns()
        for pid in [self._spawn() for _ in range(count)]:
            _wait(pid)
        return (time.perf_counter_ns() - began) / 1e6

    def packages(self) -> list[Path]:
        """What is installed beside it."""
        return [entry for site in Path(self._path).parents[1].glob("lib/*/site-packages") for entry in site.iterdir()]

    @contextmanager
    def idle(self) -> Iterator[int]:
        """The pid of one that has started and waits."""
        command, pipe = [self._path, "-c", "print(flush=True); input()"], subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=self._environment) as process:
            assert process.stdout
            process.stdout.readline()
            yield process.pid
            process.communicate(b"\n")

    def _spawn(self) -> int:
        return os.posix_spawn(self._path, [self._path, "-c", "1"], self._environment)


def _wait(pid: int) -> None:
    _, status = os.waitpid(pid, 0)
    assert status == 0


@contextmanager
def python() -> Iterator[Python]:
    with tempfile.TemporaryDirectory(prefix="agentos-bench-python-") as place:
        venv.create(place, with_pip=False)
        made = Python(Path(place) / "bin" / "python3")
        made.once_ms()
        yield made
