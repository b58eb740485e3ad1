"""The person's trash: what goes there can be brought back with any file manager.

Linux: the home trash of freedesktop.org's Trash specification 1.0: `files/NAME` and `info/NAME.trashinfo`, the latter
first and exclusively. macOS: the folder `~/.Trash` as it is. What lies on another disk than the trash is refused, not
copied: a copy could fail half way.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from contextlib import suppress
from urllib.parse import quote

from agentos.capabilities.failure import Unavailable
from agentos.capabilities.files import faults
from agentos.capabilities.files.syscalls import rename_exclusive

_STEM = 200


class Trash:
    """The trash at this folder. The folder is the person's and stays as it is beyond what is added."""

    def __init__(self, home: str) -> None:
        plain = sys.platform == "darwin"
        self._files = self._made(home if plain else f"{home}/files")
        self._info = None if plain else self._made(f"{home}/info")

    @staticmethod
    def _made(path: str) -> int:
        os.makedirs(path, 0o700, exist_ok=True)
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)

    def take(self, folder: int, name: str, path: str, inode: tuple[int, int]) -> str:
        """Move `name` of this folder here; `path` is where it was. Returns its name here. Raises Failure or OSError.

        `inode` is what was meant, (device, number): should the name stand for another thing by now, that is put back.
        """
        here = self._announced(name, path)
        try:
            rename_exclusive(folder, name, self._files, here)
        except OSError:
            self._forget(here)
            raise
        found = os.stat(here, dir_fd=self._files, follow_symlinks=False)
        if (found.st_dev, found.st_ino) != inode:
            self.give_back(here, folder, name)
            raise faults.changed(path)
        os.fsync(self._files)
        os.fsync(folder)
        return here

    def give_back(self, here: str, folder: int, name: str) -> None:
        """Undo `take`. What has the name by now stays, and the thing stays in the trash."""
        with suppress(OSError):
            rename_exclusive(self._files, here, folder, name)
            self._forget(here)

    def _announced(self, name: str, path: str) -> str:
        """Reserve a name here by its .trashinfo, which the specification wants written first."""
        stem = name.encode()[:_STEM].decode(errors="ignore")
        for again in range(8):
            # A name may be taken in `info` alone: whoever announced it was killed before the thing came.
            plain = stem == name and not again and not self._taken(stem)
            here = stem if plain else f"{stem}.{secrets.token_hex(4)}"
            with suppress(FileExistsError):
                self._announce(here, path)
                return here
        raise Unavailable("the trash does not take it", "empty the trash")

    def _taken(self, name: str) -> bool:
        return os.access(name, os.F_OK, dir_fd=self._files, follow_symlinks=False)

    def _announce(self, here: str, path: str) -> None:
        if self._info is None:
            return
        fd = os.open(f"{here}.trashinfo", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=self._info)
        try:
            deleted = time.strftime("%Y-%m-%dT%H:%M:%S")
            os.write(fd, f"[Trash Info]\nPath={quote(path)}\nDeletionDate={deleted}\n".encode())
            os.fsync(fd)
        finally:
            os.close(fd)

    def _forget(self, here: str) -> None:
        if self._info is not None:
            with suppress(FileNotFoundError):
                os.unlink(f"{here}.trashinfo", dir_fd=self._info)
