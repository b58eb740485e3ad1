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
from itertools import groupby

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
    found: tuple[int, int] | None = None
    for kind, opened, closed in blocks(lines):
        if kind == "script":
            found = opened, closed
        elif difflib.get_close_matches(kind.lower(), ["script"], cutoff=0.7):
            raise ManifestError(file, opened + 1, f"there is no block of kind {kind}", "did you mean script?")
    if found is not None:
        opened, closed = found
        return Block("\n".join(line[2:] for line in lines[opened + 1 : closed]), opened + 2)
    if meant:
        [at] = meant
        raise ManifestError(file, at + 1, "this opens no block: it is not well formed, or not closed", _HINT)
    return None


def blocks(lines: list[str]) -> Iterator[tuple[str, int, int]]:
    """Each block's kind and the places of its opening and closing line."""
    for within, run in groupby(range(len(lines)), lambda i: lines[i] == "#" or lines[i].startswith("# ")):
        places = list(run) if within else []
        closings = [i for i in places if lines[i] == _CLOSE]
        for i in places if closings else []:
            opening = _OPEN.fullmatch(lines[i])
            if opening and i + 1 < closings[-1]:
                yield opening[1], i, closings[-1]
                break
