"""Grants as a program gives them to its child: what a manifest says below [tool.agentos.grants], as JSON."""

from __future__ import annotations

import msgspec

from agentos.manifest.lines import ManifestLine
from agentos.manifest.reading import MAX_LINES, Reader
from agentos.manifest.rules import Catalog
from agentos.manifest.toml import MAX_BYTES, Document, ManifestError, Place

WHERE = "grants"


class _Given(Document):
    """Has no lines to name."""

    def __init__(self) -> None:
        super().__init__("", WHERE)

    def line(self, place: Place) -> int:
        return 0


def read(text: str, catalog: Catalog, start: str, home: str) -> tuple[ManifestLine, ...]:
    """Each is read as strictly as a line of a manifest. Raises ManifestError."""
    document = _Given()
    if len(text) > MAX_BYTES:
        raise document.wrong((), f"the grants are larger than {MAX_BYTES >> 10} KiB")
    try:
        given = msgspec.json.decode(text or "{}", type=dict[str, object])
    except (msgspec.MsgspecError, RecursionError):
        raise ManifestError(
            WHERE, 0, "the grants are no table of actions", '{"files.read": {"path": ["notes/**"]}}'
        ) from None
    lines = tuple(Reader(document, (), catalog, start, home).lines(given))
    if len(lines) > MAX_LINES:
        raise document.wrong((), f"more than {MAX_LINES} grants", "use wider patterns")
    return lines
