"""Build guest.wasm: `python -m agentos.guests.python.build`. A second call does nothing unless an input changed.

The inputs are the guest's own sources, the SDK, the WIT, and the versions of componentize-py and tzdata. What the tool
made is gone over once more, by snapshot.py. The digest of the inputs is a custom section at the end of the component.
After a build the component is read back: it must import the kernel and nothing else.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from agentos.guests.python import snapshot

HERE = Path(__file__).parent
SDK = HERE.parent.parent / "sdk"
GUEST = HERE / "guest.wasm"
IMPORT = "agentos:guest/kernel@1.0.0"
TOOLS = ("componentize-py", "tzdata")
USUAL_SECONDS = 15.0


class BuildError(Exception):
    """The guest could not be built; the text says why."""


def sources() -> Iterator[tuple[Path, str]]:
    """Each source file and its place in the guest."""
    for root, place in ((HERE, "agentos/guests/python"), (SDK, "agentos/sdk")):
        for path in sorted(root.rglob("*.py")):
            inside = path.relative_to(root)
            if inside.parts[0] not in ("build.py", "snapshot.py", "generate", "testing"):
                yield path, f"{place}/{inside.as_posix()}"


def digest() -> str:
    """Of all that the component is made of."""
    sums = hashlib.blake2b(digest_size=32)
    inputs = [*((place, path.read_bytes()) for path, place in sources()), ("wit", (HERE / "guest.wit").read_bytes())]
    inputs.append(("snapshot", (HERE / "snapshot.py").read_bytes()))
    inputs += [(tool, _version(tool).encode()) for tool in TOOLS]
    for name, content in inputs:
        for part in (name.encode(), content):
            sums.update(len(part).to_bytes(8, "big") + part)
    return sums.hexdigest()


def _version(tool: str) -> str:
    try:
        return importlib.metadata.version(tool)
    except importlib.metadata.PackageNotFoundError:
        raise BuildError(f"building the guest needs {tool}: install agentos-kernel[build]") from None


def build(*, force: bool = False) -> Path:
    """The component, built if an input changed since it was. Raises BuildError."""
    wanted = _mark(digest())
    if not force and _ends_with(wanted):
        return GUEST
    with tempfile.TemporaryDirectory(prefix="agentos-guest-") as scratch:
        made = _componentize(Path(scratch))
        _check(made)
        half = GUEST.with_name(f"guest.{os.getpid()}.wasm.tmp")
        half.write_bytes(_lasting(made.read_bytes()) + wanted)
        os.replace(half, GUEST)
    return GUEST


def _lasting(component: bytes) -> bytes:
    try:
        return snapshot.immortalised(component)[0]
    except snapshot.NotAsExpected as wrong:
        raise BuildError(f"the component is not as snapshot.py knows it: {wrong}") from None


def _mark(inputs: str) -> bytes:
    """A custom section of the component that says what it was made of."""
    name = b"agentos-inputs"
    content = bytes([len(name)]) + name + inputs.encode()
    return bytes([0, len(content)]) + content


def _ends_with(mark: bytes) -> bool:
    try:
        with GUEST.open("rb") as made:
            made.seek(-len(mark), os.SEEK_END)
            return made.read() == mark
    except OSError:
        return False


def _componentize(scratch: Path) -> Path:
    stage = scratch / "stage"
    for path, place in sources():
        (stage / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, stage / place)
    tzdata = importlib.metadata.distribution("tzdata").locate_file("tzdata")
    shutil.copytree(str(tzdata), stage / "tzdata", ignore=shutil.ignore_patterns("__pycache__"))
    made = scratch / "guest.wasm"
    tool = Path(sys.executable).with_name("componentize-py")
    command = [str(tool) if tool.exists() else "componentize-py", "-q", "-d", str(HERE / "guest.wit"), "-w", "program"]
    command += ["componentize", "--stub-wasi", "agentos.guests.python.app", "-p", str(stage), "-o", str(made)]
    # An empty environment: nothing that happens to be installed here may come along.
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(scratch), "VIRTUAL_ENV": str(scratch / "none")}
    with _progress():
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode or not made.exists():
        raise BuildError(f"componentize-py failed:\n{ended.stdout}{ended.stderr}")
    return made


class _progress:  # noqa: N801  (used as a with-statement, not as a type)
    """A bar on a terminal, plain lines elsewhere. The tool tells nothing of how far it is, so time stands for it."""

    def __enter__(self) -> None:
        self._done = threading.Event()
        self._began = time.monotonic()
        if not sys.stderr.isatty():
            print("building the guest (once; about 15 seconds)", file=sys.stderr, flush=True)
            return
        self._thread = threading.Thread(target=self._show)
        self._thread.start()

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = TextColumn("building the guest (once)"), BarColumn(), TimeElapsedColumn()
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=1.0)
            while not self._done.wait(0.1):
                spent = time.monotonic() - self._began
                bar.update(task, completed=1 - 0.5 ** (2 * spent / USUAL_SECONDS))
            bar.update(task, completed=1.0)

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if sys.stderr.isatty():
            self._thread.join()
        print(f"built the guest in {time.monotonic() - self._began:.0f} s", file=sys.stderr, flush=True)


def _check(made: Path) -> None:
    """Read the component back: exactly one import, the kernel, and the export `run`."""
    imports, exports = _names(made)
    if imports != [IMPORT] or "run" not in exports:
        raise BuildError(f"the component imports {imports} and exports {exports}")


def _names(made: Path) -> tuple[list[str], list[str]]:
    """The top-level imports and exports of a component, read from its sections alone."""
    content = made.read_bytes()
    if content[:8] != b"\0asm\x0d\0\x01\0":
        raise BuildError("componentize-py made no component")
    found: dict[int, list[str]] = {10: [], 11: []}
    at = 8
    while at < len(content):
        section, at = content[at], at + 1
        size, at = snapshot.number(content, at)
        if section in found:
            found[section] += _section_names(content, at)
        at += size
    return found[10], found[11]


def _section_names(content: bytes, at: int) -> list[str]:
    count, at = snapshot.number(content, at)
    if count != 1:  # each entry has its own length only by its type; one to a section is how the tool writes them
        raise BuildError(f"a section of the component has {count} entries")
    length, at = snapshot.number(content, at + 1)
    return [content[at : at + length].decode()]


def main() -> None:
    try:
        print(build(force="--force" in sys.argv))
    except BuildError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
