"""The files capability in memory: the same replies and errors as the real one, and nothing on disk."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from agentos.sdk.errors import Invalid, NotFound, Unavailable
from agentos.v1 import files_pb2 as pb
from agentos.v1 import matchers

READ_BYTES = 2**20
Bounds = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Node:
    """What stands at a path; `content` is None for a folder."""

    content: bytes | None
    version: str
    modified_ms: int


class Memory:
    """Files by absolute path. Folders are there as soon as something is in them."""

    def __init__(self, now: Callable[[], int], folders: Iterable[str] = ()) -> None:
        self._now = now
        self._versions = count(1)
        self._nodes: dict[str, Node] = {"/": self._node(None)}
        self.trashed: dict[str, bytes | None] = {}
        for folder in folders:
            self._folders(folder)

    def put(self, path: str, content: bytes) -> None:
        """Place a file, with the folders above it."""
        self._folders(_above(path))
        self._nodes[path] = self._node(content)

    def contents(self) -> dict[str, bytes]:
        return {path: node.content for path, node in sorted(self._nodes.items()) if node.content is not None}

    # ---- the actions, as files.proto has them

    def list(self, request: pb.FilesListRequest, bounds: Bounds) -> pb.FilesListResponse:
        if self._at(request.path).content is not None:
            raise Invalid(f"{request.path} or what it lies in is not a folder", detail="not_folder")
        shown = [
            self._entry(path)
            for path, node in sorted(self._nodes.items())
            if path != "/" and _above(path) == request.path and _covered(path, node, bounds["path"])
        ]
        return pb.FilesListResponse(entries=shown)

    def stat(self, request: pb.FilesStatRequest, bounds: Bounds) -> pb.FilesStatResponse:
        if not _covered(request.path, self._at(request.path), bounds["path"]):
            raise NotFound(f"{request.path} is no folder that the grant covers")
        return pb.FilesStatResponse(entry=self._entry(request.path))

    def read(self, request: pb.FilesReadRequest, bounds: Bounds) -> pb.FilesReadResponse:
        if request.offset < 0 or request.length < 0:
            raise Invalid("offset and length are 0 or more")
        content = self._file(request.path)
        self._same(request.path, request.if_version)
        piece = content[request.offset :][: min(request.length or READ_BYTES, READ_BYTES)]
        reply = pb.FilesReadResponse(size=len(content), version=self._at(request.path).version)
        if request.as_text:
            reply.text = _text(piece, request.path, cut=request.offset + len(piece) < len(content))
        else:
            reply.data = piece
        return reply

    def write(self, request: pb.FilesWriteRequest, bounds: Bounds) -> pb.FilesWriteResponse:
        content = _content(request.text, request.data)
        if request.path in self._nodes:
            if request.create_only:
                raise Invalid(f"{request.path} is there already", detail="exists")
            self._file(request.path)
        self._same(request.path, request.if_version)
        return pb.FilesWriteResponse(entry=self._place(request.path, content))

    def append(self, request: pb.FilesAppendRequest, bounds: Bounds) -> pb.FilesAppendResponse:
        before = self._file(request.path) if request.path in self._nodes else b""
        added = _content(request.text, request.data)
        return pb.FilesAppendResponse(entry=self._place(request.path, before + added))

    def mkdir(self, request: pb.FilesMkdirRequest, bounds: Bounds) -> pb.FilesMkdirResponse:
        path = request.path
        there = self._nodes.get(path)
        if there and (there.content is not None or not request.parents):
            raise Invalid(f"{path} is there already", detail="exists")
        if request.parents:
            self._folders(_above(path))
        return pb.FilesMkdirResponse(entry=self._entry(path) if there else self._place(path, None))

    def move(self, request: pb.FilesMoveRequest, bounds: Bounds) -> pb.FilesMoveResponse:
        path, to = request.path, request.to
        self._at(path)
        if f"{to}/".startswith(f"{path}/"):
            raise Invalid(f"{path} cannot be moved into itself")
        if to in self._nodes:
            if not request.replace:
                raise Invalid(f"{to} is there already", "move it away first, or replace it", "exists")
            self._remove(to)
        self._parent(to)
        for old in self._beneath(path):
            self._nodes[to + old[len(path) :]] = self._nodes.pop(old)
        return pb.FilesMoveResponse(entry=self._entry(to))

    def trash(self, request: pb.FilesTrashRequest, bounds: Bounds) -> pb.FilesTrashResponse:
        self._at(request.path)
        self._remove(request.path)
        return pb.FilesTrashResponse()

    # ---- the tree

    def _node(self, content: bytes | None) -> Node:
        return Node(content, f"{next(self._versions):016x}", self._now())

    def _at(self, path: str) -> Node:
        if path not in self._nodes:
            raise NotFound(f"{path} is not there")
        return self._nodes[path]

    def _file(self, path: str) -> bytes:
        content = self._at(path).content
        if content is None:
            raise Invalid(f"{path} is a folder", detail="is_folder")
        return content

    def _parent(self, path: str) -> None:
        if self._at(_above(path)).content is not None:
            raise Invalid(f"{path} or what it lies in is not a folder", detail="not_folder")

    def _place(self, path: str, content: bytes | None) -> pb.FileEntry:
        self._parent(path)
        self._nodes[path] = self._node(content)
        return self._entry(path)

    def _folders(self, path: str) -> None:
        if path not in self._nodes:
            self._folders(_above(path))
            self._place(path, None)

    def _beneath(self, path: str) -> builtins.list[str]:
        return [each for each in self._nodes if f"{each}/".startswith(f"{path}/")]

    def _remove(self, path: str) -> None:
        for each in self._beneath(path):
            self.trashed[each] = self._nodes.pop(each).content

    def _same(self, path: str, wanted: str) -> None:
        node = self._nodes.get(path)
        if wanted and (node is None or node.version != wanted):
            raise Unavailable(f"{path} changed meanwhile", "read it again", "changed")

    def _entry(self, path: str) -> pb.FileEntry:
        node = self._nodes[path]
        return pb.FileEntry(
            name=path.rpartition("/")[2],
            kind=pb.FILE_KIND_FOLDER if node.content is None else pb.FILE_KIND_FILE,
            size=len(node.content or b""),
            modified_ms=node.modified_ms,
            version=node.version,
        )


def _above(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _covered(path: str, node: Node, patterns: Sequence[str]) -> bool:
    """Whether a listing shows it: matched, or a folder on the way to what is."""
    return any(
        matchers.matches(matchers.PATH, pattern, path) or (node.content is None and matchers.leads(pattern, path))
        for pattern in patterns
    )


def _content(text: str, data: bytes) -> bytes:
    if text and data:
        raise Invalid("give text or data, not both")
    return text.encode() or data


def _text(raw: bytes, path: str, *, cut: bool) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as problem:
        if cut and problem.reason == "unexpected end of data" and problem.start > 0:
            return raw[: problem.start].decode()
        raise Invalid(f"{path} is not text", "read it as data", "not_text") from None
