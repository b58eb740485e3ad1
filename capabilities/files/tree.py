"""What lies beneath some patterns, as it was when it was last looked at: each file that they match, and how it is.

It is looked at through the same doors as a call's: beneath the root of a pattern, through no link, outside the places
that no grant reaches, and by the names that can be named. So what is not there for `files.list` is not there here
either, whatever made us look.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from agentos.capabilities.failure import Failure, Limit, NotFound, Unavailable
from agentos.capabilities.files import faults
from agentos.capabilities.files.places import Places
from agentos.v1 import error_pb2, matchers
from agentos.v1.names import BadName
from agentos.v1.paths import canonical_path
from agentos.v1.patterns import root

FILES, FOLDERS, DEPTH = 20_000, 4_096, 64
GONE = ("link", "not_folder")


@dataclass
class Folder:
    """Its files that are matched, by path, and the folders in it that may hold others."""

    files: dict[str, str] = field(default_factory=dict)
    below: set[str] = field(default_factory=set)


class Tree:
    def __init__(self, places: Places, patterns: tuple[str, ...]) -> None:
        self._places, self._patterns = places, patterns
        self.roots = sorted(set(map(root, patterns)))
        self._opened: set[str] = set()
        self.folders: dict[str, Folder] = {}
        self.files: dict[str, str] = {}

    def look(self, *tops: str) -> set[str]:
        """Look at these folders anew, and into those that are new in them: the files that are not as they were.

        Without one: at all. Raises Limit for more than can be watched, Denied for a root that cannot be read, and
        Unavailable where one is another folder now.
        """
        changed: set[str] = set()
        waiting, whole = list(tops or self.roots), not tops
        while waiting:
            path = waiting.pop()
            before, now = self.folders.get(path, Folder()), self._list(path)
            if now is None:
                changed |= self._drop(path)
                continue
            changed |= self._put(path, before, now)
            waiting += now.below if whole else now.below - before.below
        return changed

    def _put(self, path: str, before: Folder, now: Folder) -> set[str]:
        """The files that are not as they were in this folder, and in those that are gone from it."""
        changed = {each for each in before.files | now.files if before.files.get(each) != now.files.get(each)}
        for each in before.files:
            self.files.pop(each, None)
        self.files |= now.files
        for gone in before.below - now.below:
            changed |= self._drop(gone)
        self.folders[path] = now
        if len(self.files) > FILES or len(self.folders) > FOLDERS:
            reason = f"more than {FILES:,} files or {FOLDERS:,} folders lie beneath its paths"
            raise Limit(reason, "name narrower paths", "too_large")
        return changed

    def _drop(self, path: str) -> set[str]:
        gone = self.folders.pop(path, Folder())
        for each in gone.files:
            self.files.pop(each, None)
        return set(gone.files).union(*map(self._drop, gone.below))

    def _list(self, path: str) -> Folder | None:
        """What is in a folder; None where it is none (any more); as it was where it cannot be read now."""
        found = Folder()
        try:
            with self._places.folder(path, self._patterns) as fd, faults.told(path), os.scandir(fd) as all_:
                for each in all_:
                    self._sort(f"{path.rstrip('/')}/{each.name}", each, found)
        except NotFound:
            return None
        except Failure as failure:
            return self._unread(path, failure)
        self._opened |= {path} if path in self.roots else set()
        return found

    def _unread(self, path: str, failure: Failure) -> Folder | None:
        if failure.error.detail in GONE:
            return None
        if path in self._opened and failure.error.code == error_pb2.CODE_DENIED:
            # What stands there now is beyond our walls: the next server is built around it.
            raise Unavailable(f"{path} is another folder now, or cannot be read") from None
        if path in self.roots and path not in self._opened:
            raise failure
        return self.folders.get(path, Folder())

    def heard(self) -> set[str]:
        """The folders in which something may change: those that are there, and where a root would appear."""
        return self.folders.keys() | {_nearest(each) for each in self.roots if each not in self.folders}

    def _sort(self, path: str, each: os.DirEntry[str], found: Folder) -> None:
        """Note one entry, if it is one that the patterns are about."""
        try:
            self._places.outside(canonical_path(path, "", ""))
            if each.is_dir(follow_symlinks=False):
                if path.count("/") <= DEPTH and any(matchers.leads(pattern, path) for pattern in self._patterns):
                    found.below.add(path)
            elif each.is_file(follow_symlinks=False) and self._matched(path):
                found.files[path] = version(each.stat(follow_symlinks=False))
        except (BadName, Failure, FileNotFoundError):
            pass

    def _matched(self, path: str) -> bool:
        return any(matchers.matches(matchers.PATH, pattern, path) for pattern in self._patterns)


def _nearest(path: str) -> str:
    while path != "/" and not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def version(found: os.stat_result) -> str:
    """How a file is: its time, size and number; and when its entry was made or changed last, which comes only once."""
    return f"{found.st_mtime_ns}.{found.st_size}.{found.st_ino} {found.st_ctime_ns}"


def same(one: str, other: str) -> bool:
    """Whether a file with these versions is as it was: what was only renamed away and back, or made readable, is."""
    return one.partition(" ")[0] == other.partition(" ")[0]
