"""Real runs at a real pseudo-terminal, for the pages that show what one sees.

A scene is commands, with the keys that a person presses once some text is on the screen. What comes back is kept as it
was; nothing is staged, shortened or retouched. Only the folder is chosen: a short one, so that paths fit.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path("/tmp/me")  # noqa: S108  (it is made here, and must not have been there)
SECONDS = 90.0
# What is another one in each run: times of the day, how long it took, digests.
VARIES = re.compile(r"\d\d:\d\d:\d\d|\d+(?:\.\d+)? [mµ]?s\b|[0-9a-f]{64}")

Keys = Sequence[tuple[str, str]]
"""What must be on the screen, and which keys are pressed then; one after the other."""


class Person:
    """Somebody in a folder of their own, with an `agentos` command and a home; a kernel is up."""

    def __init__(self, folder: Path, agentos: Path, hidden: Path, columns: int) -> None:
        self.folder = folder
        self._agentos = agentos
        self._columns = columns
        self._hidden = hidden
        self._environment = {
            "HOME": str(folder), "AGENTOS_HOME": str(hidden / "home"), "AGENTOS_STATE": str(hidden / "state"),
            "TERM": "xterm-256color", "LANG": "C.UTF-8",
            "PATH": f"{agentos.parent}:/usr/bin:/bin", "COLUMNS": str(columns),
        }  # fmt: skip

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)

    def up(self) -> None:
        self.quietly("init", "--key-file", str(self._hidden / "key"))
        self.made(self._hidden / "home")
        self.quietly("up", "--detach")

    def made(self, home: Path) -> None:
        """What is done to a new home before its first kernel: nothing."""

    def quietly(self, *words: str) -> None:
        """A command that is not shown."""
        command = [str(self._agentos), *words]
        subprocess.run(command, env=self._environment, cwd=self.folder, check=True, capture_output=True)

    def types(self, command: str, keys: Keys = (), code: int = 0) -> str:
        """One command at a pseudo-terminal: all that was on the screen until it ended, in its colours."""
        words = command.split()
        person, program = pty.openpty()
        termios.tcsetwinsize(program, (40, self._columns))
        process = subprocess.Popen(
            words, executable=shutil.which(words[0], path=self._environment["PATH"]),
            env=self._environment, cwd=self.folder, stdin=program, stdout=program, stderr=program,
            start_new_session=True, preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # noqa: PLW1509
        )  # fmt: skip
        os.close(program)
        seen, waiting, deadline = b"", list(keys), time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            ready, _, _ = select.select([person], [], [], 1.0)
            try:
                seen += os.read(person, 65_536) if ready else b""
            except OSError:  # the other end is closed: it has ended
                break
            if waiting and waiting[0][0].encode() in seen:
                os.write(person, waiting.pop(0)[1].encode())
        os.close(person)
        text = seen.decode().replace("\r\n", "\n").rstrip()
        if process.wait(10) != code or waiting:
            raise SystemExit(f"{command} did not go as the scene says, it ended with {process.returncode}:\n{text}")
        return text


@contextmanager
def person(agentos: Path, columns: int) -> Iterator[Person]:
    """A person in FOLDER, which is made anew and gone afterwards. Two scenes at once take turns."""
    ours = FOLDER.with_name(f"{FOLDER.name}.turn")
    if FOLDER.exists() and not ours.exists():
        raise FileExistsError(f"{FOLDER} is somebody else's")
    with ours.open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        shutil.rmtree(FOLDER, ignore_errors=True)  # it is of one that was killed
        FOLDER.mkdir(0o700)
        yield from _person(agentos, columns)


def _person(agentos: Path, columns: int) -> Iterator[Person]:
    try:
        with tempfile.TemporaryDirectory() as hidden:
            somebody = Person(FOLDER, agentos, Path(hidden), columns)
            somebody.up()
            try:
                yield somebody
            finally:
                somebody.quietly("down")
    finally:
        shutil.rmtree(FOLDER)


def same(one: str, other: str) -> bool:
    """Whether two texts say the same, but for what is another one in each run."""
    return VARIES.sub("…", one).split() == VARIES.sub("…", other).split()
