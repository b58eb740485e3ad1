"""Files and folders of the person. The rpcs of files.proto, one method each; every path has been checked against the
grant before a method sees it, and is bound to the grant again as it is opened (places.py)."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress

from agentos.capabilities.context import Context
from agentos.capabilities.failure import Denied, Failure, Invalid, Limit, NotFound
from agentos.capabilities.files import faults, writing
from agentos.capabilities.files.entries import entry, version
from agentos.capabilities.files.fates import Fates
from agentos.capabilities.files.made import Made
from agentos.capabilities.files.places import Places, movable, regular
from agentos.capabilities.files.trash import Trash
from agentos.capabilities.files.watch import Watch
from agentos.capabilities.server import Capability, quick
from agentos.v1 import annotations_pb2, capability_pb2, matchers
from agentos.v1 import files_pb2 as pb
from agentos.v1.names import BadName
from agentos.v1.paths import canonical_path

READ_BYTES = 2**20
WRITE_BYTES = 8 * 2**20
ENTRIES = 10_000
LOOKED_AT = 100_000


class Files(Fates, Capability):
    service = "agentos.v1.FilesService"

    async def start(self) -> None:
        service = pb.DESCRIPTOR.services_by_name["FilesService"]
        notes: annotations_pb2.Capability = service.GetOptions().Extensions[annotations_pb2.capability]
        self._places = Places(self.boot.forbidden, tuple(notes.never))
        if "trash" in self.boot.keeps:  # one that is watched serves no call, and keeps nothing
            self._trash = Trash(self.boot.keeps["trash"])
        self._made = Made()
        self._watch = Watch(self._places)

    # ---- watching

    def watch(self, request: capability_pb2.WatchRequest) -> AsyncIterator[capability_pb2.WatchResponse]:
        return self._watch.told(request)

    def acknowledged(self, event: str, taken: int) -> None:
        self._watch.acknowledged(event, taken)

    # ---- looking

    def list(self, request: pb.FilesListRequest, context: Context) -> pb.FilesListResponse:
        reply = pb.FilesListResponse()
        patterns = context.bounds["path"]
        # A grant that names the folder itself is about its names; a pattern shows only what it covers.
        named = matchers.literal(matchers.PATH, request.path) in patterns
        with (
            self._places.folder(request.path, patterns) as folder,
            faults.told(request.path),
            os.scandir(folder) as all_,
        ):
            for count, each in enumerate(all_):
                if count >= LOOKED_AT or len(reply.entries) >= ENTRIES:
                    raise Limit(f"{request.path} has too many entries", f"list folders of up to {ENTRIES}", "too_large")
                path = f"{request.path.rstrip('/')}/{each.name}"
                if self._shows(path, patterns, folder=each.is_dir(follow_symlinks=False), named=named):
                    with suppress(FileNotFoundError):
                        reply.entries.append(entry(path, each.stat(follow_symlinks=False)))
        reply.entries.sort(key=lambda each: each.name)
        return reply

    @quick
    def stat(self, request: pb.FilesStatRequest, context: Context) -> pb.FilesStatResponse:
        patterns = context.bounds["path"]
        matched = any(matchers.matches(matchers.PATH, pattern, request.path) for pattern in patterns)
        # Covered as a folder on the way only: whether anything else is there is not told.
        hidden = NotFound(f"{request.path} is no folder that the grant covers")
        try:
            with self._places.pinned(request.path, patterns) as pin:
                found = entry(request.path, os.fstat(pin))
        except NotFound:
            raise NotFound(f"{request.path} is not there") if matched else hidden from None
        if not matched and found.kind != pb.FILE_KIND_FOLDER:
            raise hidden
        return pb.FilesStatResponse(entry=found)

    @quick
    def read(self, request: pb.FilesReadRequest, context: Context) -> pb.FilesReadResponse:
        if request.offset < 0 or request.length < 0:
            raise Invalid("offset and length are 0 or more")
        with self._places.file(request.path, context.bounds["path"], os.O_RDONLY) as fd, faults.told(request.path):
            found = os.fstat(fd)
            _same(found, request.if_version, request.path)
            raw = os.pread(fd, min(request.length or READ_BYTES, READ_BYTES), request.offset)
        reply = pb.FilesReadResponse(size=found.st_size, version=version(found))
        if request.as_text:
            reply.text = _text(raw, request.path, cut=request.offset + len(raw) < found.st_size)
        else:
            reply.data = raw
        return reply

    def _shows(self, path: str, patterns: tuple[str, ...], *, folder: bool, named: bool) -> bool:
        """Whether a listing shows this entry: nameable, covered, and not forbidden."""
        try:
            self._places.outside(canonical_path(path, "", ""))
        except (BadName, Denied):
            return False
        return named or any(
            matchers.matches(matchers.PATH, pattern, path) or (folder and matchers.leads(pattern, path))
            for pattern in patterns
        )

    # ---- writing

    def write(self, request: pb.FilesWriteRequest, context: Context) -> pb.FilesWriteResponse:
        content = _content(request.text, request.data)
        path = request.path

        def check(old: os.stat_result | None) -> None:
            if old is not None:
                if request.create_only:
                    raise Invalid(f"{path} is there already", detail="exists")
                regular(old, path)
            _same(old, request.if_version, path)
            if old is None:
                self._made.count(context.run)

        with self._parent(path, context.bounds["path"]) as (folder, name), faults.told(path):
            now = writing.replace(folder, name, content, check)
        return pb.FilesWriteResponse(entry=entry(path, now))

    def append(self, request: pb.FilesAppendRequest, context: Context) -> pb.FilesAppendResponse:
        content = _content(request.text, request.data)
        path, patterns = request.path, context.bounds["path"]
        with self._parent(path, patterns) as (folder, name), faults.told(path), suppress(FileExistsError):
            if writing.look(folder, name) is None:
                self._made.count(context.run)
                writing.make(folder, name, context.idempotency_key)
        with self._places.file(path, patterns, os.O_WRONLY | os.O_APPEND) as fd, faults.told(path):
            now = writing.append(fd, content, context.idempotency_key)
        return pb.FilesAppendResponse(entry=entry(path, now))

    def mkdir(self, request: pb.FilesMkdirRequest, context: Context) -> pb.FilesMkdirResponse:
        patterns = context.bounds["path"]
        path = request.path
        missing = [path]
        while request.parents and not self._is_there(parent := os.path.dirname(missing[-1]), patterns):
            if not any(matchers.matches(matchers.PATH, p, parent) or matchers.leads(p, parent) for p in patterns):
                raise NotFound(f"{parent} is not there", "make it first, outside the grant")
            missing.append(parent)
        for each in reversed(missing):
            self._make(each, patterns, context.run, content_if_there=request.parents)
        with self._places.pinned(path, patterns) as pin:
            return pb.FilesMkdirResponse(entry=entry(path, os.fstat(pin)))

    def _make(self, path: str, patterns: tuple[str, ...], run: str, *, content_if_there: bool) -> None:
        with self._parent(path, patterns) as (folder, name), faults.told(path):
            if writing.look(folder, name) is None:
                self._made.count(run)
            try:
                os.mkdir(name, dir_fd=folder)
                os.fsync(folder)
            except FileExistsError:
                found = writing.look(folder, name)
                if not content_if_there or found is None or not stat.S_ISDIR(found.st_mode):
                    raise

    def _is_there(self, path: str, patterns: tuple[str, ...]) -> bool:
        try:
            with self._places.folder(path, patterns):
                return True
        except NotFound:
            return False

    # ---- moving

    def prepare_move(self, request: pb.FilesMoveRequest, context: Context) -> dict[str, str]:
        path, to = request.path, request.to
        self._movable(path, context.bounds["path"])
        with self._parent(to, context.bounds["to"]) as (folder, name):
            old = writing.look(folder, name)
        if old is None:
            return {"path": path, "to": to, "replaces": ""}
        if not request.replace:
            raise Invalid(f"{to} is there already", "move it away first, or replace it", "exists")
        movable(old, to)
        self._places.holds_nothing_forbidden(to)
        size = "a folder" if stat.S_ISDIR(old.st_mode) else f"{old.st_size} bytes"
        return {"path": path, "to": to, "replaces": f"{to}, {size}, version {version(old)}"}

    def move(self, request: pb.FilesMoveRequest, context: Context) -> pb.FilesMoveResponse:
        path, to = request.path, request.to
        if f"{to}/".startswith(f"{path}/"):
            raise Invalid(f"{path} cannot be moved into itself")
        inode = self._movable(path, context.bounds["path"])
        (shown,) = context.targets["replaces"]
        with (
            self._parent(path, context.bounds["path"]) as (folder, name),
            self._parent(to, context.bounds["to"]) as (to_folder, to_name),
            writing.settling,
        ):
            here = self._clear(to_folder, to_name, to, shown)
            try:
                with faults.told(to):
                    writing.rename_pinned(folder, name, to_folder, to_name, inode, path)
            except Failure:
                if here:
                    self._trash.give_back(here, to_folder, to_name)
                raise
            found = os.stat(to_name, dir_fd=to_folder, follow_symlinks=False)
        return pb.FilesMoveResponse(entry=entry(to, found))

    def _clear(self, folder: int, name: str, path: str, shown: str) -> str:
        """Send what stands here to the trash, if it is what was shown. Returns its name there."""
        old = writing.look(folder, name)
        if not old or not shown:
            return ""
        if not shown.endswith(version(old)):
            raise faults.changed(path)
        with faults.told(path):
            return self._trash.take(folder, name, path, (old.st_dev, old.st_ino))

    def trash(self, request: pb.FilesTrashRequest, context: Context) -> pb.FilesTrashResponse:
        path, patterns = request.path, context.bounds["path"]
        inode = self._movable(path, patterns)
        with self._parent(path, patterns) as (folder, name), faults.told(path):
            self._trash.take(folder, name, path, inode)
        return pb.FilesTrashResponse()

    def _movable(self, path: str, patterns: tuple[str, ...]) -> tuple[int, int]:
        """Device and inode of a file or folder that may be moved away as a whole."""
        self._places.holds_nothing_forbidden(path)
        with self._places.pinned(path, patterns) as pin:
            found = os.fstat(pin)
        movable(found, path)
        return found.st_dev, found.st_ino

    @contextmanager
    def _parent(self, path: str, patterns: tuple[str, ...]) -> Iterator[tuple[int, str]]:
        """The open folder that a path lies in, and its name there."""
        above, _, name = path.rpartition("/")
        if not name:
            raise Invalid("/ itself can only be listed")
        self._places.outside(path)
        with self._places.folder(above or "/", patterns) as folder:
            yield folder, name


def _content(text: str, data: bytes) -> bytes:
    if text and data:
        raise Invalid("give text or data, not both")
    content = text.encode() if text else data
    if len(content) > WRITE_BYTES:
        raise Limit("more than 8 MiB in one call", "write the rest with append", "too_large")
    return content


def _same(found: os.stat_result | None, wanted: str, path: str) -> None:
    if wanted and (found is None or version(found) != wanted):
        raise faults.changed(path)


def _text(raw: bytes, path: str, *, cut: bool) -> str:
    """The text of a piece of a file. Where more follows, a character that the end cuts in two is left for the next."""
    try:
        return raw.decode()
    except UnicodeDecodeError as problem:
        if cut and problem.reason == "unexpected end of data" and problem.start > 0:
            return raw[: problem.start].decode()
        raise Invalid(f"{path} is not text", "read it as data", "not_text") from None
