"""Files and folders on this machine.

Generated from agentos/v1/files.proto by `python -m agentos.sdk.generate`: change the proto, not this file.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass

from agentos.sdk.calls import Call, Path, Reply, WireEnum, action
from agentos.sdk.whole import read_bytes, read_text

__all__ = [
    "FileEntry",
    "FileKind",
    "ReadResponse",
    "append",
    "list",
    "mkdir",
    "move",
    "read",
    "read_bytes",
    "read_text",
    "stat",
    "trash",
    "write",
]


class FileKind(WireEnum):
    UNSPECIFIED = "unspecified"
    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "other"

    @classmethod
    def prefix(cls) -> str:
        return "FILE_KIND_"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file or folder."""

    name: str = ""
    """The last segment of its path."""
    kind: FileKind = FileKind.UNSPECIFIED
    size: int = 0
    modified_ms: int = 0
    version: str = ""
    """Changes whenever the content does; give it back to be sure nothing changed in between."""

    @classmethod
    def from_wire(cls, reply: Reply) -> FileEntry:
        return cls(
            name=reply.get("name", ""),
            kind=FileKind.from_wire(reply.get("kind", "")),
            size=int(reply.get("size", 0)),
            modified_ms=int(reply.get("modified_ms", 0)),
            version=reply.get("version", ""),
        )


@dataclass(frozen=True, slots=True)
class ReadResponse:
    text: str = ""
    data: bytes = b""
    size: int = 0
    """The file's whole size, so that a reader knows whether more follows."""
    version: str = ""

    @classmethod
    def from_wire(cls, reply: Reply) -> ReadResponse:
        return cls(
            text=reply.get("text", ""),
            data=b64decode(reply.get("data", "")),
            size=int(reply.get("size", 0)),
            version=reply.get("version", ""),
        )


@action
def list(path: Path) -> Call[tuple[FileEntry, ...]]:
    """The entries of one folder, by name. Entries that the grant does not cover are left out.

    Needs a grant of files.list or files.read, bounded by path.
    """
    return Call(
        "files.list",
        {"path": path},
        lambda reply: tuple(FileEntry.from_wire(item) for item in reply.get("entries", ())),
    )


@action
def stat(path: Path) -> Call[FileEntry]:
    """What is known of one file or folder without opening it.

    Needs a grant of files.stat or files.read, bounded by path.
    """
    return Call("files.stat", {"path": path}, lambda reply: FileEntry.from_wire(reply.get("entry", {})))


@action
def read(
    path: Path, *, offset: int = 0, length: int = 0, if_version: str = "", as_text: bool = False
) -> Call[ReadResponse]:
    """Reads a file, whole or a range.

    Needs a grant of files.read, bounded by path.

    length: At most this many bytes; 0 means as many as one reply carries (1 MiB).
    if_version: Refuse with Unavailable if the file's version is another one; empty means any.
    as_text: Reply with text: the bytes must be UTF-8. Else with data.
    """
    return Call(
        "files.read",
        {"path": path, "offset": offset, "length": length, "if_version": if_version, "as_text": as_text},
        ReadResponse.from_wire,
    )


@action
def write(
    path: Path, *, text: str = "", data: bytes = b"", create_only: bool = False, if_version: str = ""
) -> Call[FileEntry]:
    """Writes a whole file, atomically: the old content is there until the new one is on disk.

    Needs a grant of files.write, bounded by path and bytes.

    create_only: Refuse with Invalid (exists) if the file is there.
    if_version: Refuse with Unavailable if the file's version is another one; empty means any.
    """
    return Call(
        "files.write",
        {"path": path, "text": text, "data": data, "create_only": create_only, "if_version": if_version},
        lambda reply: FileEntry.from_wire(reply.get("entry", {})),
    )


@action
def append(path: Path, *, text: str = "", data: bytes = b"") -> Call[FileEntry]:
    """Adds to the end of a file, which is made if it is not there.

    Needs a grant of files.append or files.write, bounded by path and bytes.
    """
    return Call(
        "files.append",
        {"path": path, "text": text, "data": data},
        lambda reply: FileEntry.from_wire(reply.get("entry", {})),
    )


@action
def mkdir(path: Path, *, parents: bool = False) -> Call[FileEntry]:
    """Makes a folder.

    Needs a grant of files.mkdir or files.write, bounded by path.

    parents: Make the folders above it too, and be content if it is there.
    """
    return Call(
        "files.mkdir", {"path": path, "parents": parents}, lambda reply: FileEntry.from_wire(reply.get("entry", {}))
    )


@action
def move(path: Path, to: Path, *, replace: bool = False) -> Call[FileEntry]:
    """Moves a file or folder. What it would replace is resolved first, shown, and goes to the trash.

    Needs a grant of files.move, bounded by path and to.

    replace: Send what stands at `to` to the trash first. Without it an existing `to` is refused.
    """
    return Call(
        "files.move",
        {"path": path, "to": to, "replace": replace},
        lambda reply: FileEntry.from_wire(reply.get("entry", {})),
    )


@action
def trash(path: Path) -> Call[None]:
    """Moves a file or folder to the trash, from where the person can bring it back.

    Needs a grant of files.trash, bounded by path.
    """
    return Call("files.trash", {"path": path}, lambda _: None)
