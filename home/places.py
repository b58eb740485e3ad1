"""Where a home's head is kept: a file in a folder of this platform for state, elsewhere than the home itself.

    $XDG_STATE_HOME/agentos/HOME/head        one line, see `heads`

`AGENTOS_STATE` names another folder in place of $XDG_STATE_HOME/agentos: a disk that backups of the home do not cover,
or a share of another machine. Whatever puts the home back and the head with it is not noticed: `elsewhere` has more.
"""

from __future__ import annotations

import os
from pathlib import Path

from agentos.home import folder
from agentos.home.heads import MAX_LINE
from agentos.home.keys import HomeError


class File:
    """A head in a file: the old line or the new one, whatever happens."""

    said = "away from its database"

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> str | None:
        try:
            with open(self.path, encoding="ascii", errors="replace") as file:
                return file.read(MAX_LINE)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, line: str) -> None:
        folder.write(self.path, line + "\n")

    def begin(self, line: str) -> None:
        self.write(line)


def state_folder() -> Path:
    if given := os.environ.get("AGENTOS_STATE"):
        return Path(os.path.abspath(given))
    import platformdirs

    return Path(platformdirs.user_state_dir("agentos", appauthor=False))


def place(home: Path, name: str) -> File:
    """Where the head of a home goes; the folder is made. Raises HomeError."""
    within = os.path.realpath(state_folder() / name)
    if Path(within).is_relative_to(os.path.realpath(home)):
        # Where a platform keeps state and data in one folder, the head must still not lie in the home.
        within = os.path.join(os.path.dirname(os.path.realpath(home)), "agentos-heads", name)
    path = Path(within)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        hint = "make it, or name another: AGENTOS_STATE"
        raise HomeError("no_head", f"there is no folder for the head of this home: {path}", hint) from None
    folder.private(path)
    return File(path / "head")
