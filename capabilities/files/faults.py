"""What a program is told when the system refuses: our own words and the path that it gave, nothing of the host."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from agentos.capabilities.failure import Denied, Failure, Invalid, Limit, NotFound, Unavailable

_FULL = ("the disk is full", "free some space and run it again", "disk_full")
_LINK = ("{path} is a link", "links are not followed: name what it points to", "link")
_NOT_ALLOWED = ("the system does not allow this with {path}", "see who owns it: ls -ld", "")
_THERE = ("{path} is there already", "", "exists")

_FAULTS: dict[int, tuple[type[Failure], tuple[str, str, str]]] = {
    errno.ENOENT: (NotFound, ("{path} is not there", "", "")),
    errno.ELOOP: (Denied, _LINK),
    errno.EXDEV: (Unavailable, ("{path} is on another disk", "copy it and trash the original", "")),
    errno.EEXIST: (Invalid, _THERE),
    errno.ENOTEMPTY: (Invalid, _THERE),
    errno.ENOTDIR: (Invalid, ("{path} or what it lies in is not a folder", "", "not_folder")),
    errno.EISDIR: (Invalid, ("{path} is a folder", "", "is_folder")),
    errno.ENAMETOOLONG: (Invalid, ("{path} is too long a name for this disk", "", "bad_name")),
    errno.EACCES: (Denied, _NOT_ALLOWED),
    errno.EPERM: (Denied, _NOT_ALLOWED),
    errno.EROFS: (Denied, ("{path} is on a disk that can only be read", "", "")),
    errno.ENOSPC: (Unavailable, _FULL),
    errno.EDQUOT: (Unavailable, _FULL),
    errno.EFBIG: (Limit, ("{path} would become too large", "", "too_large")),
}


def fault(number: int, path: str) -> Failure:
    """The failure for an errno met on the way to `path`."""
    kind, words = _FAULTS.get(number, (Unavailable, ("the system failed at {path}", "", "")))
    return kind(*(text.replace("{path}", path) for text in words))


def link(path: str) -> Failure:
    return fault(errno.ELOOP, path)


def not_regular(path: str) -> Invalid:
    return Invalid(f"{path} is neither a file nor a folder", "devices, pipes and sockets are not opened", "not_regular")


def is_folder(path: str) -> Failure:
    return fault(errno.EISDIR, path)


def changed(path: str) -> Unavailable:
    return Unavailable(f"{path} changed meanwhile", "read it again", "changed")


@contextmanager
def told(path: str) -> Iterator[None]:
    """Turns an OSError within into the failure that a program is told."""
    try:
        yield
    except OSError as problem:
        raise fault(problem.errno or 0, path) from None
