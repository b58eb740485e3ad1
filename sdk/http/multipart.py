"""Forms with files in them (RFC 7578)."""

from __future__ import annotations

import hashlib
import mimetypes
import os
from collections.abc import Iterable, Mapping
from typing import Any

from agentos.sdk.errors import Invalid

Files = Mapping[str, Any] | Iterable[tuple[str, Any]]
"""For each field a file: its content, an open file, or (name, content) or (name, content, type)."""


def multipart(data: Any, files: Files) -> tuple[bytes, str]:
    """The body of a form with these fields and files, and its type."""
    if isinstance(data, str | bytes):
        raise Invalid("a form with files has named fields", 'write data={"name": "value"}')
    parts = [
        (f'name="{_quoted(name)}"', "", _bytes(each))
        for name, value in _pairs(data or {})
        for each in (value if isinstance(value, list | tuple) else [value])
        if each is not None
    ]
    parts += [_file(name, given) for name, given in _pairs(files)]
    # By their content, so that no run of a program differs from its replay, and none of them has it.
    boundary = hashlib.blake2b(b"\0".join(content for _, _, content in parts), digest_size=16).hexdigest()
    lines: list[bytes] = []
    for named, kind, content in parts:
        typed = f"Content-Type: {kind}\r\n" if kind else ""
        head = f"--{boundary}\r\nContent-Disposition: form-data; {named}\r\n{typed}\r\n"
        lines += [head.encode(), content, b"\r\n"]
    return b"".join([*lines, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"


def _pairs(given: Any) -> Iterable[tuple[str, Any]]:
    return given.items() if isinstance(given, Mapping) else given


def _file(field: str, given: Any) -> tuple[str, str, bytes]:
    name, content, kind, *_ = (*given, None, None) if isinstance(given, tuple) else (None, given, None)
    if name is None:
        name = os.path.basename(str(getattr(content, "name", "") or "")) or field
    kind = kind or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f'name="{_quoted(field)}"; filename="{_quoted(name)}"', str(kind), _bytes(content)


def _bytes(content: Any) -> bytes:
    content = content.read() if hasattr(content, "read") else content
    return bytes(content) if isinstance(content, bytes | bytearray) else str(content).encode()


def _quoted(name: str) -> str:
    """As browsers write a name in quotes."""
    return str(name).replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
