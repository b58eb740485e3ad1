"""What was appended to a file, kept on the file itself, so that an append whose answer never came can be looked up.

A file carries, as an extended attribute, its newest appends: the key of each call, how long the file was before, and
when. The mark is written before the content, through the same descriptor. So a crash leaves one of three states:

    no mark                     nothing was written
    a mark, and the content where it says                       it happened
    a mark, and the file ends there or within the content       it did not, or in part; made again, it adds the rest

Anything else (somebody truncated the file, or wrote between the mark and the content) cannot be told.

That a mark is missing means something only if the marks go back far enough. `since` says how far: all appends of ours
after that time are marked. A file that we make is marked from its beginning; one that we find, from its last change.
Where the disk keeps no attributes, the time of the last change must do, and more is asked of the person.
"""

from __future__ import annotations

import hashlib
import os
import struct
import time
from dataclasses import dataclass, field

NAME = "user.agentos.appends"
KEPT = 64
# Each home counts its runs from one, so another home's call may have our key; an old mark is not ours.
OURS_WITHIN_MS = 3_600_000
_HEAD, _MARK = struct.Struct(">BQ"), struct.Struct(">12sQQ")
_FORM = 1
# File systems stamp a change with the time of the last tick, so it may look a little older than it is.
TICK_MS = 20


@dataclass(frozen=True)
class Mark:
    """An append: whose, how long the file was before, and when (unix ms)."""

    key: bytes
    before: int
    at_ms: int


@dataclass
class Marks:
    """The newest appends to a file, and since when all are here (unix ms)."""

    since_ms: int
    marks: list[Mark] = field(default_factory=list)

    def of(self, key: str, since_ms: int) -> Mark | None:
        """The newest append of this key since then, give or take what a clock is set back."""
        earliest_ms = since_ms - OURS_WITHIN_MS
        ours = (mark for mark in reversed(self.marks) if mark.key == _short(key) and mark.at_ms >= earliest_ms)
        return next(ours, None)

    def add(self, key: str, before: int) -> None:
        self.marks.append(Mark(_short(key), before, time.time_ns() // 1_000_000))
        for gone in self.marks[:-KEPT]:
            self.since_ms = max(self.since_ms, gone.at_ms + 1)
        del self.marks[:-KEPT]

    def write(self, fd: int) -> None:
        """Put them on the file; where the disk keeps no attributes, nowhere."""
        packed = [_MARK.pack(mark.key, mark.before, mark.at_ms) for mark in self.marks]
        try:
            os.setxattr(fd, NAME, _HEAD.pack(_FORM, self.since_ms) + b"".join(packed))
        except (OSError, AttributeError):
            return


def read(fd: int) -> Marks | None:
    """The marks of a file; None where it has none that can be read."""
    try:
        raw = os.getxattr(fd, NAME)
        form, since_ms = _HEAD.unpack_from(raw)
        if form != _FORM:
            return None
        return Marks(since_ms, [Mark(*each) for each in _MARK.iter_unpack(raw[_HEAD.size :])])
    except (OSError, AttributeError, struct.error):
        return None


def begun(fd: int) -> Marks:
    """The marks of a file; where it has none, those that begin now, and reach back to its last change."""
    return read(fd) or Marks(os.fstat(fd).st_ctime_ns // 1_000_000)


def there(fd: int, mark: Mark, content: bytes) -> int | None:
    """How much of an append is in the file, at its place; None where something else is there."""
    found = os.pread(fd, len(content), mark.before)
    ends = mark.before + len(found) == os.fstat(fd).st_size
    return len(found) if found == content or (ends and content.startswith(found)) else None


def happened(fd: int, key: str, content: bytes, since_ms: int) -> bool | None:
    """Whether an append that was recorded then is in the file; None where it cannot be told."""
    known, found = read(fd), os.fstat(fd)
    if known is not None and (mark := known.of(key, since_ms)):
        length = there(fd, mark, content)
        return None if length is None else length == len(content)
    back = known.since_ms if known is not None else found.st_ctime_ns // 1_000_000
    return False if back + TICK_MS <= since_ms else None


def _short(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()[:12]
