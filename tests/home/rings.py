"""Keyrings for tests, through the library's own seam: one in memory that can be locked or hang, and one in a file.

The one in a file is found by a process that we start: PYTHON_KEYRING_BACKEND=tests.home.rings.FileRing, RING=PATH.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import keyring.backend
import keyring.errors


class Ring(keyring.backend.KeyringBackend):
    """In memory. While `locked` it refuses; while `hangs` is set it answers nobody."""

    priority = 1  # pyright: ignore[reportAssignmentType]  # declared as a property of the class, which a number is

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False
        self.open = threading.Event()
        self.open.set()
        self.asked = 0

    def get_password(self, service: str, username: str) -> str | None:
        self._ask()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._ask()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._ask()
        if self.kept.pop((service, username), None) is None:
            raise keyring.errors.PasswordDeleteError

    def _ask(self) -> None:
        self.asked += 1
        self.open.wait()
        if self.locked:
            raise keyring.errors.KeyringLocked


class FileRing(Ring):
    """In a file, so that it outlives its process. A word in it, `locked` or `hangs`, has it do so."""

    def __init__(self) -> None:
        super().__init__()
        self._path = Path(os.environ.get("RING", ""))

    def get_password(self, service: str, username: str) -> str | None:
        return self._read().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(self._read() | {f"{service}/{username}": password}))
        new.replace(self._path)

    def delete_password(self, service: str, username: str) -> None:
        self._path.write_text(json.dumps({k: v for k, v in self._read().items() if k != f"{service}/{username}"}))

    def _read(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self._path.read_text()) if self._path.exists() else {}
        if "locked" in found:
            raise keyring.errors.KeyringLocked
        if "hangs" in found:
            threading.Event().wait()
        return found
