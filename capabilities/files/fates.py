"""Whether a call happened whose answer never came. Looking changes nothing; `since_ms` is when the call was recorded.

What was asked for is compared with what is there; an append is marked on its file (marks.py). Where somebody else may
have changed the same place since, so that both answers could be wrong, it cannot be told, and the person is asked. A
whole file is the exception: to write it once more is what the program asked for, and twice is as good as once.
"""

from __future__ import annotations

import os
import stat
from contextlib import AbstractContextManager

from agentos.capabilities.actions import Unsure
from agentos.capabilities.context import Context
from agentos.capabilities.failure import NotFound
from agentos.capabilities.files import marks, writing
from agentos.capabilities.files.entries import entry
from agentos.capabilities.files.places import Places
from agentos.v1 import files_pb2 as pb


class Fates:
    """The look-ups of the calls that change something."""

    _places: Places

    def _parent(self, path: str, patterns: tuple[str, ...]) -> AbstractContextManager[tuple[int, str]]:
        raise NotImplementedError

    def _found(self, path: str, patterns: tuple[str, ...]) -> os.stat_result | None:
        try:
            with self._parent(path, patterns) as (folder, name):
                return writing.look(folder, name)
        except NotFound:
            return None

    def look_up_write(
        self, request: pb.FilesWriteRequest, context: Context, since_ms: int
    ) -> pb.FilesWriteResponse | None:
        content = request.text.encode() if request.text else request.data
        patterns = context.bounds["path"]
        found = self._found(request.path, patterns)
        if found is None or not stat.S_ISREG(found.st_mode) or found.st_size != len(content):
            return None
        with self._parent(request.path, patterns) as (folder, name):
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
            with open(fd, "rb") as file:
                same = file.read(len(content) + 1) == content
        return pb.FilesWriteResponse(entry=entry(request.path, found)) if same else None

    def look_up_append(
        self, request: pb.FilesAppendRequest, context: Context, since_ms: int
    ) -> pb.FilesAppendResponse | None:
        content, patterns = request.text.encode() if request.text else request.data, context.bounds["path"]
        if self._found(request.path, patterns) is None:
            return None
        with self._places.file(request.path, patterns, os.O_RDONLY) as fd:
            did, found = marks.happened(fd, context.idempotency_key, content, since_ms), os.fstat(fd)
        if did is None:
            raise Unsure
        return pb.FilesAppendResponse(entry=entry(request.path, found)) if did else None

    def look_up_mkdir(
        self, request: pb.FilesMkdirRequest, context: Context, since_ms: int
    ) -> pb.FilesMkdirResponse | None:
        found = self._found(request.path, context.bounds["path"])
        if found is None or not stat.S_ISDIR(found.st_mode) or not _changed(found, since_ms):
            return None
        return pb.FilesMkdirResponse(entry=entry(request.path, found))

    def look_up_move(
        self, request: pb.FilesMoveRequest, context: Context, since_ms: int
    ) -> pb.FilesMoveResponse | None:
        if self._found(request.path, context.bounds["path"]) is not None:
            return None
        there = self._found(request.to, context.bounds["to"])
        if there is None or not _changed(there, since_ms):  # a move changes the time of the inode
            raise Unsure
        return pb.FilesMoveResponse(entry=entry(request.to, there))

    def look_up_trash(
        self, request: pb.FilesTrashRequest, context: Context, since_ms: int
    ) -> pb.FilesTrashResponse | None:
        there = self._found(request.path, context.bounds["path"])
        return pb.FilesTrashResponse() if there is None else None


def _changed(found: os.stat_result, since_ms: int) -> bool:
    return found.st_ctime_ns // 1_000_000 >= since_ms - marks.TICK_MS
