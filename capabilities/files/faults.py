"""What a program is told when the system refuses: our own words and the path that it gave, nothing of the host."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from agentos.capabilities.failure import Denied, Failure, Invalid, Limit, NotFound, Unavailable

_NAME_IT = "links are not followed: name what it points to"
_FREE = "free some space and run it again"


def fault(number: int, path: str) -> Failure:
    """The failure for an errno met on the way to `path`."""
    match number:
        case errno.ENOENT:
            return NotFound(f"{path} is not there")
        case errno.ELOOP:
            return link(path)
        case errno.EXDEV:
            return Unavailable(f"{path} is on another disk", "copy it and trash the original")
        case errno.EEXIST | errno.ENOTEMPTY:
            return Invalid(f"{path} is there already", detail="exists")
        case errno.ENOTDIR:
            return Invalid(f"{path} or what it lies in is not a folder", detail="not_folder")
        case errno.EISDIR:
            return Invalid(f"{path} is a folder", detail="is_folder")
        case errno.ENAMETOOLONG:
            return Invalid(f"{path} is too long a name for this disk", detail="bad_name")
        case errno.EACCES | errno.EPERM:
            return Denied(f"the system does not allow this with {path}", "see who owns it: ls -ld")
        case errno.EROFS:
            return Denied(f"{path} is on a disk that can only be read")
        case errno.ENOSPC | errno.EDQUOT:
            return Unavailable("the disk is full", _FREE, "disk_full")
        case errno.EFBIG:
            return Limit(f"{path} would become too large", detail="too_large")
        case _:
            return Unavailable(f"the system failed at {path}")


def link(path: str) -> Denied:
    return Denied(f"{path} is a link", _NAME_IT, "link")


def not_regular(path: str) -> Invalid:
    return Invalid(f"{path} is neither a file nor a folder", "devices, pipes and sockets are not opened", "not_regular")


def is_folder(path: str) -> Invalid:
    return Invalid(f"{path} is a folder", detail="is_folder")


def changed(path: str) -> Unavailable:
    return Unavailable(f"{path} changed meanwhile", "read it again", "changed")


@contextmanager
def told(path: str) -> Iterator[None]:
    """Turns an OSError within into the failure that a program is told."""
    try:
        yield
    except OSError as problem:
        raise fault(problem.errno or 0, path) from None
