"""A copy of the tree with an environment of its own, in which a mutation can be tried and is then undone.

The kernel starts its zygote, compiler and servers with `python -I`, which heeds no PYTHONPATH. So the copy has a venv:
the same interpreter, the packages of this one as hard links (a server's walls let it read its own venv only), and a
.pth file that leads to the copy's sources and not to ours. That this is so is looked at before anything is believed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.sabotage.mutation import ROOT, Mutation

LEFT_OUT = {"build", "dist", "__pycache__"}
WITHIN_S, ALL_WITHIN_S = 300, 3600
ASKED = "import agentos.kernel.decide as d, agentos.v1.seal as s; print(d.__file__); print(s.__file__)"


@dataclass(frozen=True)
class Outcome:
    """What pytest said: its exit status, the tests that failed, those that could not begin, and all of its text."""

    status: int
    failed: tuple[str, ...]
    text: str
    seconds: float
    broken: tuple[str, ...] = ()

    @property
    def noticed(self) -> bool:
        """A test ran and failed; not: it could not be run."""
        return self.status == 1 and bool(self.failed)


class Copy:
    def __init__(self, place: Path) -> None:
        self.tree = place / "tree"
        self.base = place / "t"
        self._venv = place / "venv"
        self.python = self._venv / "bin" / "python"
        for each in ROOT.iterdir():
            if not each.name.startswith(".") and each.name not in LEFT_OUT:
                _copied(each, self.tree / each.name)
        venv.EnvBuilder(symlinks=True, with_pip=False).create(self._venv)
        _packages(Path(sysconfig.get_path("purelib")), self._site(), self.tree / "dev")
        said = self._run([str(self.python), "-I", "-c", ASKED]).stdout.split()
        if len(said) != 2 or not all(Path(path).resolve().is_relative_to(self.tree.resolve()) for path in said):
            raise RuntimeError(f"the copy would run other sources than its own: {said}")

    def _site(self) -> Path:
        return next((self._venv / "lib").glob("python3*/site-packages"))

    def _run(self, command: list[str], within_s: int = WITHIN_S) -> subprocess.CompletedProcess[str]:
        hidden = ("AGENTOS_", "PYTHON", "PYTEST", "COV_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        # Into a file: what outlives its test, and holds a pipe open, would have us wait for it.
        with tempfile.TemporaryFile("w+", errors="replace") as said:
            done = subprocess.run(
                command, cwd=self.tree, env=environment, stdin=subprocess.DEVNULL, stdout=said,
                stderr=subprocess.STDOUT, timeout=within_s, check=False, start_new_session=True,
            )  # fmt: skip
            said.seek(0)
            return subprocess.CompletedProcess(command, done.returncode, said.read())

    def tested(self, tests: tuple[str, ...], *more: str, within_s: int = WITHIN_S) -> Outcome:
        """Run these tests in the copy as it is now; nothing that they start is left afterwards."""
        began = time.monotonic()
        command = [str(self.python), "-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider", "--timeout=120"]
        command += ["--hypothesis-profile=sabotage"]
        command += [f"--basetemp={self.base}", *more, *(f"tests/{test}" for test in tests)]
        try:
            done = self._run(command, within_s)
        except subprocess.TimeoutExpired:
            return Outcome(-1, (), "it hung", time.monotonic() - began)
        finally:
            self._sweep()
        failed, broken = (
            tuple(re.findall(rf"^{how} tests/(.+?)(?: - .*)?$", done.stdout, re.MULTILINE))
            for how in ("FAILED", "ERROR")
        )
        return Outcome(done.returncode, failed, done.stdout, time.monotonic() - began, broken)

    def _sweep(self) -> None:
        """End what outlived its test: with a wall taken out, a cell may. All of it runs this copy's interpreter."""
        for process in psutil.process_iter(["cmdline"]):
            if str(self.python) in (process.info["cmdline"] or ())[:1]:
                process.kill()

    @contextmanager
    def without(self, mutation: Mutation) -> Iterator[None]:
        """The copy with this check taken out."""
        changed = mutation.applied(self.tree)
        kept = {path: path.read_text(encoding="utf-8") for path in changed}
        try:
            _written(changed)
            yield
        finally:
            _written(kept)


def _written(files: dict[Path, str]) -> None:
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
        # A cached module is known by second and size alone, which two mutations may share.
        shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)


def _copied(source: Path, target: Path) -> None:
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True, ignore=lambda _, names: LEFT_OUT.intersection(names))
    else:
        target.parent.mkdir(exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)


def _packages(ours: Path, theirs: Path, dev: Path) -> None:
    """The packages of this interpreter, by hard links, with an editable install of the copy instead of ours."""
    shutil.rmtree(theirs)
    shutil.copytree(ours, theirs, symlinks=True, copy_function=_linked)
    for path in theirs.glob("*.pth"):
        path.unlink()
    (theirs / "_copy.pth").write_text(f"{dev}\n")


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copy2(source, target)
