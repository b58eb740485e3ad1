"""How many files a pattern covers now, counted here by the shell, for the person's eyes only.

Bounded in entries and in time: a pattern over a whole disk must not hold up a question. Links are not followed, as
the files capability does not follow them either.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterable, Iterator

from agentos.shell.text import plural
from agentos.v1 import matchers
from agentos.v1.patterns import root

MOST = 20_000
SECONDS = 0.5


def covered(action: str, patterns: Iterable[str]) -> str:
    """'12 files now', '20,000+ files now', 'new file', 'not there': what these patterns mean on this disk."""
    listed = list(patterns)
    if len(listed) == 1 and (path := _plain(listed[0])):
        return _single(action, path)
    found, looked, until = 0, 0, time.monotonic() + SECONDS
    for pattern in listed:
        for hit in _walk(pattern):
            looked += 1
            found += hit
            if looked >= MOST or time.monotonic() > until:
                return f"{found:,}+ files now"
    return plural(found, "file") + " now"


def _plain(pattern: str) -> str:
    """The one path that a pattern without wildcards means; empty for any other."""
    path = re.sub(r"\\(.)", r"\1", pattern)
    return path if matchers.literal(matchers.PATH, path) == pattern else ""


def _single(action: str, path: str) -> str:
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        return "new file" if action in ("files.write", "files.append") else "not there now"
    except OSError:
        return ""
    if stat.S_ISDIR(kind):
        return "a folder"
    return "a link: refused" if stat.S_ISLNK(kind) else "1 file now"


def _walk(pattern: str) -> Iterator[bool]:
    """For each entry below the pattern's fixed beginning, whether it is a file that matches."""
    beginning = root(pattern)
    deep = "**" in pattern
    folders = [(beginning, beginning.rstrip("/").count("/") + 1)]
    while folders:
        folder, depth = folders.pop()
        for entry in _entries(folder):
            if entry.is_dir(follow_symlinks=False):
                if deep or depth < pattern.count("/"):
                    folders.append((entry.path, depth + 1))
                yield False
            else:
                yield entry.is_file(follow_symlinks=False) and matchers.matches(matchers.PATH, pattern, entry.path)


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError:
        return
