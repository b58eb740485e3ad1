"""Files and folders by path: each function is one call, or none for what lies in the run's own folder."""

from __future__ import annotations

import errno
from typing import Any

from agentos.guests.python.shims import contents, memory
from agentos.guests.python.shims.entries import FOLDER, DirEntry, Entry
from agentos.guests.python.shims.failure import ask, fail, os_error
from agentos.guests.python.shims.place import absolute


def entry(path: str) -> Entry:
    if memory.holds(path):
        return memory.entry(path)
    return Entry.from_reply(ask("files.stat", path, path=path).get("entry", {}))


def listing(path: str) -> list[Entry]:
    if memory.holds(path):
        return memory.listing(path)
    return [Entry.from_reply(record) for record in ask("files.list", path, path=path).get("entries", [])]


def scan(given: Any) -> list[DirEntry]:
    whole = absolute(given)
    return [DirEntry(given, whole, entry) for entry in listing(whole)]


def make(path: str, *, parents: bool = False) -> None:
    if not memory.holds(path):
        ask("files.mkdir", path, path=path, **({"parents": True} if parents else {}))
        return
    above = path.rpartition("/")[0]
    if parents and memory.holds(above) and above != memory.ROOT:
        make(above, parents=True)
    memory.create(path, is_folder=True, only=not parents)


def make_all(path: str, *, exist_ok: bool) -> None:
    """`os.makedirs`: in one call where nothing is wrong, without asking first what is there."""
    if exist_ok:
        make(path, parents=True)
        return
    try:
        make(path)
    except FileNotFoundError:
        make(path, parents=True)


def remove(path: str) -> None:
    """Remove a file, or a folder with all in it; what is the person's goes to their trash."""
    if memory.holds(path):
        memory.remove(path)
    else:
        ask("files.trash", path, path=path)


def remove_file(path: str) -> None:
    if memory.holds(path) and memory.entry(path).mode == FOLDER:
        fail("is_folder", f"{path} is a folder", path)
    remove(path)


def remove_empty(path: str) -> None:
    if listing(path):
        fail("not_empty", f"{path} is not empty", path)
    remove(path)


def remove_tree(path: str) -> None:
    if entry(path).mode != FOLDER:
        fail("not_folder", f"{path} is not a folder", path)
    remove(path)


def move(path: str, to: str, *, replace: bool = True) -> None:
    inside = memory.holds(path), memory.holds(to)
    if inside == (True, True):
        memory.move(path, to)
    elif inside == (False, False):
        ask("files.move", path, path=path, to=to, **({"replace": True} if replace else {}))
    elif entry(path).mode == FOLDER:
        raise os_error(errno.EXDEV, "a folder cannot be renamed into or out of the run's temporary folder", path)
    else:
        _across(path, to)


def _across(path: str, to: str) -> None:
    """Out of the temporary folder, or into it: programs write a file there and rename it into place."""
    if memory.holds(path):
        contents.send("files.write", to, bytes(memory.find(path).content or b""))
    else:
        reading = contents.Reading(path)
        node = memory.create(to)
        node.content = bytearray(reading.read(0, reading.size()))
    remove(path)
