"""What is known of one file or folder, as the standard library wants it: `os.stat_result` and `os.DirEntry`."""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import GenericAlias
from typing import Any

_MODES = {
    "FILE_KIND_FILE": stat.S_IFREG | 0o644,
    "FILE_KIND_FOLDER": stat.S_IFDIR | 0o755,
    "FILE_KIND_LINK": stat.S_IFLNK | 0o777,
}
FILE, FOLDER, LINK = _MODES.values()
OTHER = stat.S_IFIFO | 0o600
TERMINAL = stat.S_IFCHR | 0o620


@dataclass(slots=True)
class Entry:
    """One file or folder, from the kernel's reply or from the run's own memory."""

    name: str
    mode: int
    size: int = 0
    modified_ms: int = 0

    @classmethod
    def from_reply(cls, record: Mapping[str, Any]) -> Entry:
        mode = _MODES.get(record.get("kind", ""), OTHER)
        return cls(record.get("name", ""), mode, int(record.get("size", 0)), int(record.get("modified_ms", 0)))


def stat_result(path: str, entry: Entry) -> os.stat_result:
    """Numbers that no capability tells are fixed; the inode is made of the path, so that two files differ."""
    inode, seconds, ns = zlib.crc32(path.encode("utf-8", "surrogateescape")) + 1, 0, entry.modified_ms * 1_000_000
    seconds = entry.modified_ms // 1000
    exact = entry.modified_ms / 1000
    ten = (entry.mode, inode, 1, 1, 1000, 1000, entry.size, seconds, seconds, seconds)
    times = {"st_atime": exact, "st_mtime": exact, "st_ctime": exact}
    more = {"st_atime_ns": ns, "st_mtime_ns": ns, "st_ctime_ns": ns, "st_blocks": -(-entry.size // 512)}
    return os.stat_result(ten, {**times, **more, "st_blksize": 4096, "st_rdev": 0})


class DirEntry:
    """An entry of `os.scandir`. The listing told all of it, so that asking it makes no further call."""

    __slots__ = ("_entry", "_given", "_whole", "name", "path")
    __class_getitem__ = classmethod(GenericAlias)

    def __init__(self, given: Any, whole: str, entry: Entry) -> None:
        self._entry, self._whole, self._given = entry, f"{whole.rstrip('/')}/{entry.name}", given
        self.name: Any = os.fsencode(entry.name) if isinstance(given, bytes) else entry.name
        self.path: Any = os.path.join(given, self.name)

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return self._entry.mode == FOLDER

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        return self._entry.mode == FILE

    def is_symlink(self) -> bool:
        return self._entry.mode == LINK

    def is_junction(self) -> bool:
        return False

    def inode(self) -> int:
        return self.stat().st_ino

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        return stat_result(self._whole, self._entry)

    def __fspath__(self) -> Any:
        return self.path

    def __repr__(self) -> str:
        return f"<DirEntry {self.name!r}>"


class Scan:
    """What `os.scandir` returns: an iterator that can be closed."""

    def __init__(self, entries: list[DirEntry]) -> None:
        self._next: Callable[[], DirEntry] = iter(entries).__next__

    def __iter__(self) -> Scan:
        return self

    def __next__(self) -> DirEntry:
        return self._next()

    def __enter__(self) -> Scan:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._next = iter(()).__next__
