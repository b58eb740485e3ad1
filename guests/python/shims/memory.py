"""The run's own folder for temporary files: in the guest's memory, gone with it, and never a call.

It lies where no grant reaches (`/run/**` is not nameable), so that it hides nothing of the person's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from agentos.guests.python.shims.entries import FILE, FOLDER, Entry
from agentos.guests.python.shims.failure import fail

ROOT = "/run/tmp"
NULL = "/dev/null"


@dataclass(slots=True, weakref_slot=True)
class Node:
    """One file or folder of the tree: bytes, or nothing for a folder."""

    content: bytearray | None = field(default_factory=bytearray)


_tree: dict[str, Node] = {ROOT: Node(None)}


def begin() -> None:
    _tree.clear()
    _tree[ROOT] = Node(None)


def holds(path: str) -> bool:
    return path in (ROOT, NULL) or path.startswith(ROOT + "/")


def find(path: str) -> Node:
    node = _tree.get(path)
    if node is None:
        if path == NULL:
            return Node()
        parent = _tree.get(path.rpartition("/")[0])
        kind = "not_folder" if parent is not None and parent.content is not None else "not_found"
        fail(kind, f"{path} is not there", path)
    return node


def create(path: str, *, is_folder: bool = False, only: bool = False) -> Node:
    """The node at `path`, made if it is not there; an existing one is an error with `only`."""
    if path in _tree:
        if only:
            fail("exists", f"{path} is there already", path)
        return _tree[path]
    if path == NULL:
        return Node()
    if find(path.rpartition("/")[0]).content is not None:
        fail("not_folder", f"{path} lies in no folder", path)
    node = _tree[path] = Node(None if is_folder else bytearray())
    return node


def entry(path: str) -> Entry:
    content = find(path).content
    name = path.rpartition("/")[2]
    return Entry(name, FOLDER) if content is None else Entry(name, FILE, len(content))


def listing(path: str) -> list[Entry]:
    if find(path).content is not None:
        fail("not_folder", f"{path} is not a folder", path)
    return [entry(f"{path}/{name}") for name in sorted(_names(path))]


def _names(path: str) -> list[str]:
    start = path + "/"
    return [known[len(start) :] for known in _tree if known.startswith(start) and "/" not in known[len(start) :]]


def remove(path: str) -> None:
    """Remove a file, or a folder with all that is in it."""
    find(path)
    for known in [known for known in _tree if known == path or known.startswith(path + "/")]:
        if known != ROOT:
            del _tree[known]


def move(path: str, to: str) -> None:
    find(path)
    if find(to.rpartition("/")[0]).content is not None:
        fail("not_folder", f"{to} lies in no folder", to)
    if to in _tree and path != to:
        remove(to)
    for known in [known for known in _tree if known == path or known.startswith(path + "/")]:
        _tree[to + known[len(path) :]] = _tree.pop(known)
