"""The one absolute spelling of a path, as text alone: nothing here looks at a disk.

Here belongs what a path is made of: where it begins, its names, how long it may be. A path pattern is spelled with
the same functions (`patterns`), and matched name by name (`globs`).

`..` is refused, not resolved: what it means depends on links, and a person would be shown a place other than the one
that is opened. Empty names and `.` mean nothing and are left out. A path has at most 256 names of at most 255 bytes
each and 4095 in all, which is what Linux opens in one call.

A name is kept byte for byte. Whether a disk folds `.BASHRC` and `.bashrc` into one name, no text can tell: what opens
the file compares the path that was opened with the path that was decided on.
"""

from __future__ import annotations

from agentos.v1.names import BadName, visible

MOST_BYTES = 4095
_NAME_BYTES = 255
_NAMES = 256


def canonical_path(text: str, start: str, home: str) -> str:
    """The one absolute spelling of a path that is absolute, `~`, `~/…` or relative to `start`."""
    return join(fitting(segments(anchored(text, start, home))))


def anchored(text: str, start: str, home: str, most: int = MOST_BYTES) -> str:
    """The text with its beginning made absolute; nothing else is changed."""
    visible(text, most, "the path")
    if text.startswith("/"):
        return text
    at_home = text == "~" or text.startswith("~/")
    base = home if at_home else start
    if not base.startswith("/"):
        raise BadName("a relative path, and no folder to start from")
    return base + text[1:] if at_home else f"{base}/{text}"


def segments(path: str, most: int = MOST_BYTES) -> list[str]:
    """The names of an absolute path, without empty ones and `.`."""
    names = [name for name in visible(path, most, "the path").split("/") if name not in ("", ".")]
    if len(names) > _NAMES:
        raise BadName(f"a path has at most {_NAMES} segments")
    if ".." in names:
        raise BadName("`..` is not allowed in a path: write the folder itself")
    return names


def fitting(names: list[str]) -> list[str]:
    """The same names, if the file system could hold them."""
    sizes = [len(name.encode()) for name in names]
    if any(size > _NAME_BYTES for size in sizes):
        raise BadName(f"a name in the path is longer than {_NAME_BYTES} bytes")
    if sum(sizes) + len(sizes) > MOST_BYTES:
        raise BadName(f"the path is longer than {MOST_BYTES} bytes")
    return names


def join(names: list[str]) -> str:
    return "/" + "/".join(names)


def split(path: str) -> list[str]:
    """The names of a canonical path."""
    return path[1:].split("/") if path != "/" else []
