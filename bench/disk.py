"""A disk whose power can be cut at any moment, and whose n-th operation can be made to fail, under the real SQLite.

A layer between SQLite's cipher and the system's own files (an APSW VFS). Each operation goes through to a real file,
which is what the running program sees, and is noted: since the last sync of a file, what was written to it is only
promised. A `Cut` is what another start would find if the power went now: of everything that was only promised a random
part has arrived, sector by sector, in no order; a new file that was never synced is there or not, a deleted one
likewise. What was synced is there. A sector is whole or old, as disks promise.

The head is on this disk too (`Head`): until its write returns it is the old one or the new one.
"""

from __future__ import annotations

import errno
import os
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import apsw

SECTOR = 512
# The power of this disk is cut by us, so the files under it may lie in memory, where a machine has such a folder.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
GROWS = ("write", "head")
HOWS = ("error", "full", "short")
ALL = random.Random(0)  # noqa: S311  for where nothing is left to chance
NAME = "powercut"
VFS = f"multipleciphers-{NAME}"  # the cipher, on top of this disk

Write = tuple[int, bytes]  # an offset and what is written there; a truncation has no bytes and a negative offset


@dataclass
class Held:
    """What the disk has of one file: what is sure, and what was promised since, in order."""

    sure: bytes | None = None
    promised: list[Write] = field(default_factory=list)
    deleted: bool = False


@dataclass(frozen=True)
class Cut:
    """The disk at one moment, and what had been acknowledged by then."""

    files: dict[str, Held]
    heads: tuple[str | None, ...]
    known: tuple[int, dict[str, int]]

    def survivor(self, folder: Path, chance: random.Random) -> None:
        """Write into a folder what one such cut leaves: the database's files, and the head."""
        likely = chance.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        for name, held in self.files.items():
            raw = survived(held, likely, chance)
            if raw is not None:
                (folder / name).write_bytes(raw)
        if head := chance.choice(self.heads):
            (folder / "head").write_text(head)


def survived(held: Held, likely: float, chance: random.Random) -> bytes | None:
    if held.deleted and chance.random() < 0.5:
        return None
    if held.sure is None and chance.random() < 0.5:
        return None
    raw = bytearray(held.sure or b"")
    for at, what in held.promised:
        if at < 0:
            if chance.random() < likely:
                del raw[-at - 1 :]
            continue
        for begin in range(0, len(what), SECTOR):
            if chance.random() < likely:
                piece = what[begin : begin + SECTOR]
                if len(raw) < at + begin + len(piece):
                    raw.extend(bytes(at + begin + len(piece) - len(raw)))
                raw[at + begin : at + begin + len(piece)] = piece
    return bytes(raw)


class Disk:
    """One disk, in use until the next one is made. `known` says what was acknowledged up to now."""

    def __init__(
        self, chance: random.Random, known: Callable[[], tuple[int, dict[str, int]]], cut_in: float = 0.0
    ) -> None:
        LAYER.disk = self
        self.files: dict[str, Held] = {}
        self.cuts: list[Cut] = []
        self.operations = 0
        # The operation that fails, and how: "error" at once; "full", with no room for what grows; "short", a write of
        # which a part arrived before the disk was full. What does not grow a file cannot fail in the last two ways.
        self.fail_at, self.fail_as = 0, "error"
        self._could_fail = 0
        self.failed = ""
        self.head: str | None = None
        self._chance, self._known, self._cut_in = chance, known, cut_in
        self._lock = threading.RLock()

    def adopt(self, folder: Path) -> None:
        """What lies there is sure: it was there when the machine started."""
        for path in folder.iterdir():
            if path.name != "head" and not path.name.endswith("-shm"):
                self.files[path.name] = Held(path.read_bytes())
        head = folder / "head"
        self.head = head.read_text() if head.exists() else None

    def operation(self, what: str, heads: Sequence[str | None] = (), part: Callable[[], None] | None = None) -> None:
        """One more: the power may go just before it, or it may fail. `part` does a part of it."""
        with self._lock:
            self.operations += 1
            if self._chance.random() < self._cut_in:
                self.cuts.append(self.cut(heads))
            if self.fail_as == "error" or what in GROWS:
                self._could_fail += 1
                if self._could_fail == self.fail_at:
                    self._fail(what, part)

    def _fail(self, what: str, part: Callable[[], None] | None) -> None:
        self.failed = what
        if self.fail_as == "short" and part:
            part()
        if what == "head":
            raise OSError(errno.EIO if self.fail_as == "error" else errno.ENOSPC, "injected")
        raise apsw.IOError("injected") if self.fail_as == "error" else apsw.FullError("injected")

    def cut(self, heads: Sequence[str | None] = ()) -> Cut:
        """What is left if the power goes now."""
        with self._lock:
            files = {name: Held(held.sure, list(held.promised), held.deleted) for name, held in self.files.items()}
            return Cut(files, tuple(heads) or (self.head,), self._known())

    def note(self, name: str, write: Write) -> None:
        with self._lock:
            self.files.setdefault(name, Held()).promised.append(write)

    def synced(self, name: str) -> None:
        with self._lock:
            held = self.files.setdefault(name, Held())
            self.files[name] = Held(survived(Held(held.sure or b"", held.promised), 1.0, ALL), [])

    def opened(self, name: str) -> None:
        with self._lock:
            held = self.files.get(name)
            if held is None or held.deleted:
                self.files[name] = Held()

    def deleted(self, name: str, sure: bool) -> None:
        with self._lock:
            if sure:
                self.files.pop(name, None)
            elif name in self.files:
                self.files[name].deleted = True


class Layer(apsw.VFS):
    """What SQLite calls. There is one for good, since the cipher never lets go of the one it was put upon."""

    disk: Disk

    def __init__(self) -> None:
        super().__init__(NAME, base="unix")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else (name or "")
        self.disk.operation("open")
        file = File(self.disk, path, name, flags)
        self.disk.opened(file.name)
        return file

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.disk.operation("delete")
        super().xDelete(filename, syncdir)
        self.disk.deleted(Path(filename).name, syncdir)

    def excepthook(
        self, etype: type[BaseException] | None, evalue: BaseException | None, etraceback: TracebackType | None
    ) -> bool:
        return True  # it was injected


class File(apsw.VFSFile):
    def __init__(self, disk: Disk, path: str, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self.disk, self.name = disk, Path(path).name
        super().__init__("unix", name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:
        self.disk.operation("read")
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:
        self.disk.operation("write", part=lambda: self._put(data[: len(data) // 2], offset))
        self._put(data, offset)

    def _put(self, data: bytes, offset: int) -> None:
        super().xWrite(data, offset)
        self.disk.note(self.name, (offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:
        self.disk.operation("truncate")
        super().xTruncate(newsize)
        self.disk.note(self.name, (-newsize - 1, b""))

    def xSync(self, flags: int) -> None:
        self.disk.operation("sync")
        self.disk.synced(self.name)

    def excepthook(
        self, etype: type[BaseException] | None, evalue: BaseException | None, etraceback: TracebackType | None
    ) -> bool:
        return True  # it was injected


class Head:
    """Where the head is kept: on the same disk, whole, and sure when `write` returns."""

    said = "on this disk"

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def begin(self, line: str) -> None:
        self.write(line)

    def read(self) -> str | None:
        return self._disk.head

    def write(self, line: str) -> None:
        self._disk.operation("head", (self._disk.head, line))
        self._disk.head = line
        self._disk.operation("head")


LAYER = Layer()
