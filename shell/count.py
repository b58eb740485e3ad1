"""How many files a pattern covers now, counted here by the shell, for the person's eyes only.

Bounded in entries and in time: a pattern over a whole disk must not hold up a question. Links are not followed, as
the files capability does not follow them either.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from agentos.shell.text import plural

MOST = 20_000
SECONDS = 0.5
_WILD = re.compile(r"[*?]")


def covered(action: str, patterns: Iterable[str]) -> str:
    """'12 files now', '20,000+ files now', 'new file', 'not there': what these patterns mean on this disk."""
    listed = list(patterns)
    if len(listed) == 1 and not _WILD.search(listed[0]):
        return _single(action, listed[0])
    found, looked, until = 0, 0, time.monotonic() + SECONDS
    for pattern in listed:
        for hit in _walk(pattern):
            looked += 1
            found += hit
            if looked >= MOST or time.monotonic() > until:
                return f"{found:,}+ files now"
    return plural(found, "file") + " now"


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
    beginning = pattern[: _wild_at(pattern)].rsplit("/", 1)[0] or "/"
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
                yield entry.is_file(follow_symlinks=False) and matches(entry.path, pattern)


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError:
        return


def _wild_at(pattern: str) -> int:
    found = _WILD.search(pattern)
    return found.start() if found else len(pattern)


def matches(path: str, pattern: str) -> bool:
    """As the kernel reads it: `*` and `?` within a segment, `**` for whole segments. Linear for each star."""
    return _glob(path.split("/"), pattern.split("/"), "**", _segment)


def _segment(name: str, pattern: str) -> bool:
    return _glob(name, pattern, "*", lambda character, wanted: wanted in ("?", character))


def _glob(items: Sequence[str], pattern: Sequence[str], star: str, same: Callable[[str, str], bool]) -> bool:
    """Greedy, with one place to go back to: a hostile pattern cannot make it explode."""
    at = place = back = 0
    mark = -1
    while at < len(items):
        if place < len(pattern) and pattern[place] == star:
            mark, back, place = place, at, place + 1
        elif place < len(pattern) and same(items[at], pattern[place]):
            at, place = at + 1, place + 1
        elif mark >= 0:
            back += 1
            at, place = back, mark + 1
        else:
            return False
    return all(item == star for item in pattern[place:])
