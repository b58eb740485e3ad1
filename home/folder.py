"""The folder of a home: that it is the person's alone, its lock, small files written whole, and where sockets go.

A Unix socket's path holds about 100 bytes. Where the home's own path leaves no room, sockets go to a 0700 folder
under the temporary folder, named for the home; `run/at` says where that is.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
import time
from pathlib import Path

from agentos.home.keys import HomeError

MAX_SOCKET_PATH = 100
SOCKET_NAME_BYTES = 40
LOCK_WITHIN_S = 0.5


def private(path: Path) -> None:
    found = path.stat()
    if found.st_uid != os.geteuid():
        raise HomeError("not_yours", f"this folder belongs to somebody else: {path}", "choose another: AGENTOS_HOME")
    if found.st_mode & 0o077:
        raise HomeError("open_to_others", f"others can look into this folder: {path}", f"chmod 700 {path}")


def lock(path: Path) -> int:
    """Hold the home's lock and write our pid into it. Only one process can."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    until = time.monotonic() + LOCK_WITHIN_S
    while not _locked(descriptor, fcntl.LOCK_EX):
        if time.monotonic() > until:
            pid = _pid(descriptor)
            os.close(descriptor)
            reason = f"another kernel serves this home: pid {pid}" if pid else "another kernel is starting on this home"
            raise HomeError("locked_by_other", reason, "use that one, or stop it: agentos down")
        time.sleep(0.02)  # `where` looks at the lock for a moment
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def holder(path: Path) -> int | None:
    """The pid of who holds the lock; 0 where it has not said so yet, None where nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        return None if _locked(descriptor, fcntl.LOCK_SH) else _pid(descriptor)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _pid(descriptor: int) -> int:
    text = os.pread(descriptor, 20, 0).strip()
    return int(text) if text.isdigit() else 0


def runtime(path: Path, name: str) -> Path:
    """Where sockets go: 0700, ours, and short enough."""
    run = path / "run"
    run.mkdir(mode=0o700, exist_ok=True)
    private(run)
    if len(os.fsencode(run)) + 1 + SOCKET_NAME_BYTES <= MAX_SOCKET_PATH:
        return run
    short = Path(tempfile.gettempdir()) / f"agentos-{name}"
    try:
        short.mkdir(mode=0o700, exist_ok=True)
        ours = stat.S_ISDIR(short.lstat().st_mode)
        private(short)
    except OSError:
        ours = False
    if not ours or len(os.fsencode(short)) + 1 + SOCKET_NAME_BYTES > MAX_SOCKET_PATH:
        raise HomeError(
            "unavailable", "there is no folder with a short path for sockets", "set TMPDIR to one, such as /tmp"
        )
    return short


def write(path: Path, text: str) -> None:
    """Write a small file whole and durably: it has the old content or the new, and is ours alone."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Make the names in a folder durable."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
