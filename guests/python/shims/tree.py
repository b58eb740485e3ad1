"""The parts of the standard library that would ask for many things where one call says it all."""

from __future__ import annotations

import functools
import glob
import os
import pathlib
import posixpath
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

from agentos.guests.python.shims import folders, memory, place
from agentos.guests.python.shims.contents import Appending, Writing
from agentos.guests.python.shims.entries import DirEntry, Scan
from agentos.guests.python.shims.replace import instead


def _makedirs(name: Any, mode: int = 0o777, exist_ok: bool = False) -> None:
    folders.make_all(place.absolute(name), exist_ok=exist_ok)


def _path_mkdir(self: Any, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
    path = place.absolute(self)
    if parents:
        folders.make_all(path, exist_ok=exist_ok)
        return
    try:
        folders.make(path)
    except FileExistsError:
        if not exist_ok:
            raise
        folders.make(path, parents=True)  # content with a folder, not with a file: no right to look is needed


def _path_touch(self: Any, mode: int = 0o666, exist_ok: bool = True) -> None:
    path = place.absolute(self)
    if memory.holds(path):
        memory.create(path, only=not exist_ok)
    elif exist_ok:
        Appending(path).sync(last=True)
    else:
        Writing.exclusive(path)


def _rmtree(
    path: Any, ignore_errors: bool = False, onerror: Any = None, *, onexc: Any = None, dir_fd: int | None = None
) -> None:
    try:
        folders.remove_tree(place.absolute(path))
    except OSError as error:
        if onexc is not None:
            onexc(os.scandir, path, error)
        elif onerror is not None:
            onerror(os.scandir, path, (type(error), error, error.__traceback__))
        elif not ignore_errors:
            raise


_rmtree.avoids_symlink_attacks = True  # type: ignore[attr-defined]


def _copystat(src: Any, dst: Any, *, follow_symlinks: bool = True) -> None:
    """Modes and times are the machine's: a copy is a new file."""


def _copyfile(src: Any, dst: Any, *, follow_symlinks: bool = True) -> Any:
    if place.absolute(src) == place.absolute(dst):
        raise shutil.SameFileError(f"{src!r} and {dst!r} are the same file")
    with open(src, "rb") as reading, open(dst, "wb") as writing:
        writing.write(reading.read())
    return dst


def _copy(src: Any, dst: Any, *, follow_symlinks: bool = True) -> Any:
    """Write first: only where that fails is it worth a call to see whether `dst` is a folder to copy into."""
    try:
        return _copyfile(src, dst)
    except OSError as error:
        aimed = getattr(error, "filename", None) == place.absolute(dst)
        if not aimed or not (isinstance(error, IsADirectoryError) or os.path.isdir(dst)):
            raise
    return _copyfile(src, os.path.join(dst, os.path.basename(place.text(src))))


def _copy2(src: Any, dst: Any, *, follow_symlinks: bool = True) -> Any:
    return _copy(src, dst)


def _move(src: Any, dst: Any, copy_function: Any = None) -> Any:
    """As `shutil.move`, into `dst` where that is a folder; looked at only where something stands there."""
    path, to = place.absolute(src), place.absolute(dst)
    if memory.holds(path) or memory.holds(to):
        to = os.path.join(to, os.path.basename(path)) if os.path.isdir(to) else to
        folders.move(path, to)
        return dst
    try:
        folders.move(path, to, replace=False)
    except FileExistsError:
        if not os.path.isdir(to):
            folders.move(path, to)
            return dst
        dst = os.path.join(dst, os.path.basename(path))
        folders.move(path, place.absolute(dst), replace=False)
    return dst


def _walk(top: Any, topdown: bool = True, onerror: Any = None, followlinks: bool = False) -> Iterator[Any]:
    """`os.walk`, with one call a folder: a link is no folder here, so there is none to be looked at first."""
    try:
        entries = folders.scan(os.fspath(top))
    except OSError as error:
        if onerror is not None:
            onerror(error)
        return
    inner = [entry.name for entry in entries if entry.is_dir()]
    files = [entry.name for entry in entries if not entry.is_dir()]
    if topdown:
        yield top, inner, files
    for name in inner:
        yield from _walk(os.path.join(top, name), topdown, onerror, followlinks)
    if not topdown:
        yield top, inner, files


_listed: dict[Any, list[DirEntry]] = {}


def _once(path: Any) -> Scan:
    """A listing for a recursive glob, which asks for each folder twice: for what is in it, and for its folders."""
    given = os.fspath(path) or "."
    entries = _listed.pop(given, None)
    if entries is None:
        entries = _listed[given] = folders.scan(given)
    return Scan(entries)


def _fresh(function: Any) -> Any:
    """A glob that begins with no listing of another."""

    @functools.wraps(function)
    def glob(*args: Any, **kwargs: Any) -> Any:
        _listed.clear()
        return function(*args, **kwargs)

    return glob


class _Os:
    """`os` as the module `glob` sees it."""

    scandir = staticmethod(_once)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


def _install_globs() -> None:
    glob.__dict__["os"] = _Os()
    glob.iglob, glob.glob = _fresh(glob.iglob), _fresh(glob.glob)
    pathlib.Path.glob = _fresh(pathlib.Path.glob)  # type: ignore[method-assign]


def install() -> None:
    instead(os, "walk", _walk)
    _install_globs()
    instead(os, "makedirs", _makedirs)
    instead(posixpath, "realpath", place.resolved)
    instead(posixpath, "expanduser", place.expanded)
    instead(shutil, "rmtree", _rmtree)
    instead(shutil, "copyfile", _copyfile)
    instead(shutil, "copy", _copy)
    instead(shutil, "copy2", _copy2)
    instead(shutil, "move", _move)
    instead(shutil, "copystat", _copystat)
    instead(shutil, "copymode", _copystat)
    for name, method in (("mkdir", _path_mkdir), ("touch", _path_touch)):
        method.__name__ = name
        setattr(pathlib.Path, name, method)
    shutil._use_fd_functions = False  # type: ignore[attr-defined]
    tempfile.tempdir = memory.ROOT
    tempfile._candidate_tempdir_list = lambda: [memory.ROOT]  # type: ignore[attr-defined]
