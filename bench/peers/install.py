"""`python -m bench.peers.install`: the peers' packages, by their own locks, in environments of their own.

They lie beside our packages and not among them: nothing of the product can import them. An environment that cannot be
made here says why in a file, which the bench tells in the place of a figure; `make bench` goes on.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCKS = Path(__file__).resolve().parent / "locks"
PLACE = ROOT / ".venv" / "peers"
PYTHON, NEWER, NODE = PLACE / "python", PLACE / "newer", PLACE / "node"
UV = str(ROOT / ".venv" / "bin" / "uv")
HOMES = (".pyenv/versions/*/bin", ".local/share/uv/python/*/bin")
ATTEMPT_S = 600
WHY = "why-not"


def why_not(environment: Path) -> str:
    """Why there is no such environment; empty if there is."""
    try:
        return (environment / WHY).read_text(encoding="utf-8")
    except FileNotFoundError:
        return "" if environment.is_dir() else "not installed: make bench does it"


def main() -> int:
    environments: tuple[tuple[Path, Callable[[], None]], ...] = (
        (PYTHON, lambda: _python(PYTHON, sys.executable, "peers.lock")),
        (NEWER, lambda: _python(NEWER, _newer(), "newer.lock")),
        (NODE, _node),
    )
    for environment, make in environments:
        shutil.rmtree(environment, ignore_errors=True)
        environment.mkdir(parents=True)
        try:
            make()
        except (OSError, LookupError, subprocess.SubprocessError) as wrong:
            why = str(wrong.args[-1] if isinstance(wrong, LookupError) else wrong)
            (environment / WHY).write_text(why, encoding="utf-8")
            print(f"no {environment.name} peers: {why}", file=sys.stderr)
    return 0


def _python(environment: Path, interpreter: str, lock: str) -> None:
    _did([UV, "venv", "--quiet", "--clear", "--python", interpreter, str(environment)])
    python = str(environment / "bin" / "python")
    _did([UV, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", str(LOCKS / lock)])


def _newer() -> str:
    """The newest CPython from 3.12 on that starts: on the path, or where pyenv and uv keep theirs."""
    for minor in (14, 13, 12):
        for candidate in _candidates(f"python3.{minor}"):
            ask = [candidate, "-c", "import sys; print(sys.implementation.name, sys.version_info[1])"]
            asked = subprocess.run(ask, capture_output=True, text=True, timeout=30, check=False)
            if asked.stdout.split() == ["cpython", str(minor)]:
                return candidate
    raise LookupError("there is no CPython 3.12 or newer here, and it has wheels for no older one")


def _candidates(name: str) -> Iterator[str]:
    if found := shutil.which(name):
        yield found
    for home in HOMES:
        yield from map(str, Path.home().glob(f"{home}/{name}"))


def _node() -> None:
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        raise LookupError("there is no node with npm here")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LOCKS / name, NODE)
    _did([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], NODE)


def _did(command: list[str], folder: Path = ROOT) -> None:
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=ATTEMPT_S, check=False)
    if ended.returncode:
        said = (ended.stderr.strip() or ended.stdout.strip() or "it said nothing").splitlines()[-1].strip()
        raise LookupError(f"{Path(command[0]).name} failed: {said[-160:]}")


if __name__ == "__main__":
    sys.exit(main())
