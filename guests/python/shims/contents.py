"""The bytes of an open file: read in ranges, written whole or added to, and sent when the program lets go of them.

A write of the kernel is atomic and costs a call, so what a program writes is kept here until it flushes or closes the
file. Then only what is new goes out: the whole content the first time, later the end of it where only the end grew.
A file is read in ranges of at most 1 MiB, each bound to the version of the first.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any, Protocol

from agentos.guests.python.shims import memory
from agentos.guests.python.shims.failure import ask

RANGE = 1024 * 1024
TEXT = 1024 * 1024  # longer content goes as base64, whose size is known beforehand
PIECE = 4 * 1024 * 1024


class Content(Protocol):
    """What an open file needs of where its bytes are."""

    def size(self) -> int: ...
    def read(self, start: int, count: int) -> bytes: ...
    def write(self, start: int, piece: bytes) -> None: ...
    def append(self, piece: bytes) -> int: ...
    def truncate(self, size: int) -> None: ...
    def sync(self, *, last: bool = False) -> None: ...


class InMemory:
    """A file of the run's own folder."""

    def __init__(self, node: memory.Node) -> None:
        self._bytes = node.content if node.content is not None else bytearray()

    def size(self) -> int:
        return len(self._bytes)

    def read(self, start: int, count: int) -> bytes:
        return bytes(self._bytes[start : start + count])

    def write(self, start: int, piece: bytes) -> None:
        put(self._bytes, start, piece)

    def append(self, piece: bytes) -> int:
        self._bytes += piece
        return len(self._bytes)

    def truncate(self, size: int) -> None:
        cut(self._bytes, size)

    def sync(self, *, last: bool = False) -> None:
        pass


class Reading:
    """A file of the person's, only read. The first range is asked for at once: that it cannot be read shows at open."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.version = ""
        self._size = 0
        self._start, self._held = 0, b""
        self._fetch(0)

    def _fetch(self, start: int) -> None:
        args: dict[str, Any] = {"path": self.path}
        if start:
            args["offset"] = start
        if self.version:
            args["if_version"] = self.version
        reply = ask("files.read", self.path, **args)
        self._start, self._held = start, b64decode(reply["data"]) if "data" in reply else reply.get("text", "").encode()
        self._size, self.version = int(reply.get("size", 0)), reply.get("version", "")

    def size(self) -> int:
        return self._size

    def read(self, start: int, count: int) -> bytes:
        pieces: list[bytes] = []
        count = min(count, self._size - start)
        while count > 0:
            if not self._start <= start < self._start + len(self._held):
                self._fetch(start)
                if not self._held:
                    break
            at = start - self._start
            pieces.append(self._held[at : at + count])
            start, count = start + len(pieces[-1]), count - len(pieces[-1])
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def write(self, start: int, piece: bytes) -> None:
        raise AssertionError("a file opened for reading is not written")

    append = truncate = write  # type: ignore[assignment]

    def sync(self, *, last: bool = False) -> None:
        pass


class Writing:
    """A file of the person's whose content is held here and sent by `sync`.

    `stored` is how many bytes at the start of it are known to be in the file as they are here; None before the first
    write of the whole.
    """

    def __init__(self, path: str, held: bytes = b"", version: str = "", *, stored: int | None = None) -> None:
        self.path = path
        self._held = bytearray(held)
        self._version = version
        self._stored = stored
        self._gone = False

    @classmethod
    def exclusive(cls, path: str) -> Writing:
        """Made now, and an error if it is there: a lock file must not wait for its content."""
        reply = ask("files.write", path, path=path, text="", create_only=True)
        return cls(path, version=reply.get("entry", {}).get("version", ""), stored=0)

    @classmethod
    def changing(cls, path: str) -> Writing:
        """With its present content, which goes out again only if it is still the same version there."""
        now = Reading(path)
        held = now.read(0, now.size())
        return cls(path, held, now.version, stored=len(held))

    def size(self) -> int:
        return len(self._held)

    def read(self, start: int, count: int) -> bytes:
        return bytes(self._held[start : start + count])

    def write(self, start: int, piece: bytes) -> None:
        put(self._held, start, piece)
        if self._stored is not None and piece and start < self._stored:
            self._stored = None

    def append(self, piece: bytes) -> int:
        self._held += piece
        return len(self._held)

    def truncate(self, size: int) -> None:
        if self._stored is not None and size < self._stored:
            self._stored = None
        cut(self._held, size)

    def sync(self, *, last: bool = False) -> None:
        if self._gone or self._stored == len(self._held) or not (self._held or last):
            return
        self._gone = True  # what was refused once is not asked for again when the file is closed
        if self._stored is None:
            self._version = send("files.write", self.path, bytes(self._held), self._version)
        else:
            self._version = send("files.append", self.path, bytes(self._held[self._stored :]))
        self._stored = len(self._held)
        self._gone = False


class Appending:
    """A file of the person's that is only added to: what it held before is not read, and need not be readable."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._new = bytearray()
        self._before: int | None = None
        self._touched = self._gone = False

    def size(self) -> int:
        """How long it is; how long it was takes a call, made when a program asks for it."""
        if self._before is None:
            try:
                self._before = int(ask("files.stat", self.path, path=self.path).get("entry", {}).get("size", 0))
            except FileNotFoundError:
                self._before = 0
        return self._before + len(self._new)

    def append(self, piece: bytes) -> int:
        self._new += piece
        return (self._before or 0) + len(self._new)

    def write(self, start: int, piece: bytes) -> None:
        self.append(piece)

    def read(self, start: int, count: int) -> bytes:
        raise AssertionError("a file opened for appending is not read")

    def truncate(self, size: int) -> None:
        self.sync()
        changed = Writing.changing(self.path)
        changed.truncate(size)
        changed.sync()
        self._before = size

    def sync(self, *, last: bool = False) -> None:
        if self._gone or not (self._new or (last and not self._touched)):
            return
        self._gone = True
        send("files.append", self.path, bytes(self._new))
        if self._before is not None:
            self._before += len(self._new)
        self._new.clear()
        self._touched, self._gone = True, False


def send(action: str, path: str, content: bytes, version: str = "") -> str:
    """Write or append, in as many calls as the content needs; the file's new version.

    An error that comes of it is marked: where Python itself closed the file, nobody could catch it (see `trace`).
    """
    reply: dict[str, Any] = {}
    for start in range(0, len(content) or 1, PIECE):
        args: dict[str, Any] = {"path": path, **_carried(content[start : start + PIECE])}
        if version and action == "files.write":
            args["if_version"] = version
        try:
            reply = ask(action, path, **args)
        except OSError as error:
            failed: Any = error
            failed.unsent = True
            raise
        action = "files.append"
    return str(reply.get("entry", {}).get("version", ""))


def _carried(piece: bytes) -> dict[str, str]:
    """Short text goes as text, so that a person can be shown it; all else as base64."""
    if len(piece) <= TEXT:
        try:
            return {"text": piece.decode()}
        except UnicodeDecodeError:
            pass
    return {"data": b64encode(piece).decode()}


def put(held: bytearray, start: int, piece: bytes) -> None:
    if start > len(held):
        held.extend(bytes(start - len(held)))
    held[start : start + len(piece)] = piece


def cut(held: bytearray, size: int) -> None:
    if size < len(held):
        del held[size:]
    else:
        held.extend(bytes(size - len(held)))
