"""Files and folders as the proto shows them."""

from __future__ import annotations

import hashlib
import os
import stat

from agentos.v1 import files_pb2 as pb

_KINDS = {stat.S_IFREG: pb.FILE_KIND_FILE, stat.S_IFDIR: pb.FILE_KIND_FOLDER, stat.S_IFLNK: pb.FILE_KIND_LINK}


def entry(path: str, found: os.stat_result) -> pb.FileEntry:
    """One entry, named by the last segment of its path."""
    kind = _KINDS.get(stat.S_IFMT(found.st_mode), pb.FILE_KIND_OTHER)
    size = found.st_size if kind == pb.FILE_KIND_FILE else 0
    modified_ms = found.st_mtime_ns // 1_000_000
    name = path.rpartition("/")[2]
    return pb.FileEntry(name=name, kind=kind, size=size, modified_ms=modified_ms, version=version(found))


def version(found: os.stat_result) -> str:
    """A word that is another one after each change of the content. It says nothing else: inodes stay here."""
    facts = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return hashlib.blake2b(repr(facts).encode(), digest_size=8).hexdigest()
