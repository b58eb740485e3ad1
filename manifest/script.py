"""The block of metadata in a script, as PEP 723 has it, found by line instead of by its regular expression.

The reference expression takes quadratic time on a file of opening lines. Read by line it says: within each run of
lines that are `#` or begin with `# `, a block goes from the first opening line to the last closing one, with
something between them. Beyond it, what is almost a block is an error here, since a manifest that is overlooked would
be no ceiling at all.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

import msgspec

from agentos.manifest.toml import ManifestError

_OPEN = re.compile(r"# /// ([a-zA-Z0-9-]+)")
_LOOSE = re.compile(r"#[ \t]*///[ \t]*script[ \t]*")
_CLOSE = "# ///"
_HINT = "a block is `# /// script`, then lines that begin with `# `, then `# ///`"


class Block(msgspec.Struct, frozen=True):
    """The TOML in a block, and the line of the file on which its first line stands."""

    text: str
    first: int


def find(source: str, file: str) -> Block | None:
    """The script's block, or None. Raises ManifestError for two, or for one that is not well formed."""
    lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    meant = [i for i, line in enumerate(lines) if line.startswith("#") and _LOOSE.fullmatch(line)]
    if len(meant) > 1:
        raise ManifestError(file, meant[1] + 1, "a script has one block", "put both into one")
    found: list[tuple[int, int]] = []
    for kind, opened, closed in blocks(lines):
        if kind == "script":
            found.append((opened, closed))
        elif difflib.SequenceMatcher(None, kind.lower()[:20], "script").ratio() > 0.7:
            raise ManifestError(file, opened + 1, f"there is no block of kind {kind[:20]}", "did you mean script?")
    if meant and not found:
        raise ManifestError(file, meant[0] + 1, "this opens no block: it is not well formed, or not closed", _HINT)
    if not found:
        return None
    opened, closed = found[0]
    return Block("\n".join(line[2:] for line in lines[opened + 1 : closed]), opened + 2)


def blocks(lines: list[str]) -> Iterator[tuple[str, int, int]]:
    """Each block's kind and the places of its opening and closing line."""
    start = 0
    while start < len(lines):
        end = start
        while end < len(lines) and (lines[end] == "#" or lines[end].startswith("# ")):
            end += 1
        closed = next((i for i in range(end - 1, start - 1, -1) if lines[i] == _CLOSE), -1)
        for i in range(start, closed - 1):
            opening = _OPEN.fullmatch(lines[i])
            if opening:
                yield opening[1], i, closed
                break
        start = max(end, start + 1)
