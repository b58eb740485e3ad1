"""From the path that a program names to a descriptor of exactly that file, or a refusal.

The check before a method has shown that the path is canonical and within the grant. Here it is bound to the grant: it
is opened from the grant's own root, the folder before the first wildcard of the pattern that covers it, and no
component of it may be a link. What was opened must then really be at that path (a disk that folds `.BASHRC` and
`.bashrc` into one name, a folder that was moved in the middle: refused) and outside the forbidden folders.

A file is first pinned with O_PATH, which opens nothing: only when the pin turns out to be a regular file is it opened
for use, through the pin. A device, a pipe or a socket is never opened at all.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from agentos.capabilities.failure import Denied
from agentos.capabilities.files import faults, syscalls
from agentos.v1 import matchers
from agentos.v1.patterns import root as root_of

PIN = syscalls.O_PATH | os.O_NOFOLLOW
FOLDER = os.O_RDONLY | os.O_DIRECTORY


class Places:
    """Opens what a grant covers. Never opened, moved or listed: `forbidden`, real paths, and `never`, patterns."""

    def __init__(self, forbidden: tuple[str, ...], never: tuple[str, ...] = ()) -> None:
        self._forbidden = forbidden
        self._never = never

    @contextmanager
    def pinned(self, path: str, patterns: tuple[str, ...]) -> Iterator[int]:
        """A descriptor that stands for what is at `path`, perhaps a link, and opens nothing."""
        with self._opened(path, patterns, PIN) as fd:
            yield fd

    @contextmanager
    def file(self, path: str, patterns: tuple[str, ...], flags: int) -> Iterator[int]:
        """A regular file, opened for use."""
        if sys.platform == "darwin":  # has neither O_PATH nor /proc: opened without waiting, then looked at
            with self._opened(path, patterns, flags | os.O_NOFOLLOW | os.O_NONBLOCK) as fd:
                regular(os.fstat(fd), path)
                yield fd
            return
        with self.pinned(path, patterns) as pin:
            regular(os.fstat(pin), path)
            with faults.told(path):
                fd = syscalls.reopen(pin, flags)
        with _closing(fd):
            yield fd

    @contextmanager
    def folder(self, path: str, patterns: tuple[str, ...]) -> Iterator[int]:
        """A folder, opened for use. For the folder that a new thing goes into, give the patterns of that thing."""
        with self._opened(path, patterns, FOLDER) as fd:
            yield fd

    def outside(self, path: str) -> None:
        """Raises Denied where a path is, or lies in, a place that no grant reaches."""
        forbidden = any(path == place or path.startswith(place + "/") for place in self._forbidden)
        if forbidden or any(matchers.reaches(pattern, path) for pattern in self._never):
            raise Denied(f"{path} is not reachable under any grant")

    def holds_nothing_forbidden(self, path: str) -> None:
        """Raises Denied where moving this folder would move a forbidden one."""
        if any(place.startswith(path + "/") for place in self._forbidden):
            raise Denied(f"{path} holds what is not reachable under any grant")

    @contextmanager
    def _opened(self, path: str, patterns: tuple[str, ...], flags: int) -> Iterator[int]:
        self.outside(path)
        root = _anchor(path, patterns)
        try:
            fd = syscalls.open_beneath(root, path[len(root) :].lstrip("/"), flags)
        except OSError as problem:
            raise _explained(problem, path) from None
        with _closing(fd):
            self._check_place(fd, path)
            yield fd

    def _check_place(self, fd: int, path: str) -> None:
        with faults.told(path):
            real = syscalls.real_path(fd)
            # What was replaced or removed since it was opened was still the right thing when it was.
            if real != path and not (real == f"{path} (deleted)" and os.fstat(fd).st_nlink == 0):
                raise faults.changed(path)
        self.outside(real)


def _anchor(path: str, patterns: tuple[str, ...]) -> str:
    """The deepest root of the patterns that this path lies in; else, for a folder on the way to one, its parent."""
    roots = [root for root in map(root_of, patterns) if path.startswith(root.rstrip("/") + "/")]
    return max(roots, key=len, default=os.path.dirname(path))


def _explained(problem: OSError, path: str) -> Exception:
    """The failure for an open that was refused; a link on the way is named."""
    if problem.errno not in (errno.ELOOP, errno.ENOTDIR):
        return faults.fault(problem.errno or 0, path)
    names = path.split("/")
    for i in range(2, len(names) + 1):
        try:
            fd = syscalls.open_beneath("/", "/".join(names[1:i]), PIN)
        except OSError:
            break
        with _closing(fd):
            if stat.S_ISLNK(os.fstat(fd).st_mode):
                return faults.link("/".join(names[:i]))
    return faults.fault(problem.errno, path)


@contextmanager
def _closing(fd: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(fd)


def regular(found: os.stat_result, path: str) -> None:
    """Raises the failure that fits where this is not a regular file."""
    if stat.S_ISDIR(found.st_mode):
        raise faults.is_folder(path)
    movable(found, path)


def movable(found: os.stat_result, path: str) -> None:
    """Raises the failure that fits where this is neither a regular file nor a folder."""
    if stat.S_ISLNK(found.st_mode):
        raise faults.link(path)
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise faults.not_regular(path)
