"""Tracebacks: the program's own lines, from memory; frames of the standard library and of the shims are left out."""

from __future__ import annotations

import contextlib
import linecache
import sys
import traceback
from collections.abc import Iterable, Iterator
from typing import Any

from agentos.guests.python.shims import descriptors

# Where componentize-py puts the standard library, the bindings and us.
_OURS = ("/python/", "/0/", "/world/", "/bundled/", "<frozen ")

LONGEST = 64 * 1024

_sources: dict[str, str] = {}
_extract = traceback.StackSummary._extract_from_extended_frame_gen  # type: ignore[attr-defined]


def remember(name: str, source: str) -> None:
    """Keep the program's source, each byte a letter, for its tracebacks; it is read when the first one is shown."""
    _sources.clear()
    _sources[name] = source
    linecache.cache.clear()


def has(name: str) -> bool:
    return name in _sources


def is_ours(filename: str) -> bool:
    return filename.startswith(_OURS)


def _lines(filename: str, module_globals: Any = None) -> list[str]:
    source = _sources.get(filename)
    if source is None:
        entry = linecache.cache.get(filename)
        return entry[2] if entry is not None and len(entry) == 4 else []
    lines = source.encode("latin-1").decode("utf-8", "replace").splitlines(keepends=True)
    linecache.cache[filename] = (len(source), None, lines, filename)
    return lines


def _shown(frames: Iterable[Any]) -> Iterator[Any]:
    return (item for item in frames if not is_ours(item[0].f_code.co_filename))


def _from_frames(frames: Iterable[Any], **named: Any) -> Any:
    return _extract(_shown(frames), **named)


def _unraisable(unraisable: Any) -> None:
    """What goes wrong where nobody can catch it, such as a file that is refused when Python closes it.

    Python would have raised that where the file is opened. Here what is written goes out in one call, when the file is
    closed, and `open(path, "w").write(text)` closes it where no exception can be raised: it is kept for the end.
    """
    error = unraisable.exc_value
    if getattr(error, "unsent", False):
        descriptors.unsent.append(error)
        if len(descriptors.unsent) == 1:  # the one that the program ends with
            return
    what = unraisable.err_msg or "Exception ignored"
    with contextlib.suppress(Exception):
        print(f"{what}: {type(error).__name__}: {error}", file=sys.stderr)


def text_of(error: BaseException) -> str:
    """A traceback as Python prints it. Of a very long one, its beginning and its end."""
    text = "".join(traceback.format_exception(error)).encode("utf-8", "backslashreplace").decode()
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]}\n[...]\n{text[-LONGEST // 2 :]}"


def install() -> None:
    linecache.updatecache = _lines
    linecache.checkcache = lambda filename=None: None
    linecache.lazycache = lambda filename, module_globals: False
    traceback.StackSummary._extract_from_extended_frame_gen = classmethod(  # type: ignore[attr-defined]
        lambda cls, frames, **named: _from_frames(frames, **named)
    )
    sys.unraisablehook = _unraisable
    sys.excepthook = lambda kind, error, trace: print(text_of(error), end="", file=sys.stderr)
