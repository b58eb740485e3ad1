"""Whole files, however large: one reply carries at most 1 MiB of one."""

from __future__ import annotations

from base64 import b64decode

from agentos.sdk import wire
from agentos.sdk.calls import Path, encode
from agentos.sdk.errors import Invalid


def read_bytes(path: Path) -> bytes:
    """The whole content of a file. Unavailable (`changed`) if it changes while it is read.

    Needs a grant of files.read, bounded by path.
    """
    args = {"path": encode(path)}
    parts: list[bytes] = []
    while True:
        reply = wire.call("files.read", args)
        parts.append(b64decode(reply.get("data", "")))
        have = sum(map(len, parts))
        if not parts[-1] or have >= int(reply.get("size", 0)):
            return b"".join(parts)
        args |= {"offset": have, "if_version": reply.get("version", "")}


def read_text(path: Path) -> str:
    """The whole content of a file that is UTF-8. Invalid (`not_text`) if it is not.

    Needs a grant of files.read, bounded by path.
    """
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError:
        raise Invalid(f"{encode(path)} is not UTF-8 text", "read it with files.read_bytes", "not_text") from None
