"""A home as it is known without its key, and the kernel that serves it, found by what it left in its run folder."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from agentos.shell.connect import Kernel
from agentos.shell.failure import no_kernel


@dataclass(frozen=True)
class Found:
    """A home as it is known without its key; `socket` is empty where no kernel serves it."""

    home: str
    exists: bool
    locks: tuple[str, ...] = ()
    pid: int | None = None
    socket: str = ""
    credential: str = ""
    # Whether a keyring could keep the key of a home that is to be made.
    keyring: bool = False

    def kernel(self) -> Kernel:
        return Kernel(self.socket, token(self))


def token(found: Found) -> str:
    try:
        return Path(found.credential).read_text().strip()
    except OSError:
        raise no_kernel("the kernel of this home went away meanwhile", "start it again: agentos up") from None


def serving_now(home: str) -> Found | None:
    """The kernel that listens, found by what it left in the home's run folder, without asking a process."""
    path = Path(os.path.abspath(home or os.environ.get("AGENTOS_HOME") or platform_home()))
    try:
        listening = Path((path / "run" / "at").read_text()) / "control.sock"
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(listening))
        credential = path / "run" / "credential"
        return (
            Found(str(path), True, socket=str(listening), credential=str(credential)) if credential.exists() else None
        )
    except (OSError, ValueError):
        return None


def platform_home() -> str:
    import platformdirs

    return platformdirs.user_data_dir("agentos", appauthor=False)
