"""Where a program is: its folder, its person's home, and what a path it gives means. No call is needed to know."""

from __future__ import annotations

import os
from typing import Any

from agentos.guests.python.shims.failure import fail, refuse

home = "/"
folder = "/"


def begin(start_folder: str, home_folder: str) -> None:
    """Stand in the folder that the run was started from."""
    global home, folder
    home, folder = home_folder or "/", start_folder or "/"


def enter(path: Any) -> None:
    """Change the folder that relative paths start from. Only the program knows of it."""
    global folder
    folder = absolute(path)


def text(path: Any) -> str:
    """A path as text."""
    given = os.fspath(path)
    given = given.decode("utf-8", "surrogateescape") if isinstance(given, bytes) else given
    if "\0" in given:
        raise ValueError("embedded null byte")
    return given  # type: ignore[no-any-return]


def absolute(path: Any) -> str:
    """A path as the kernel knows it: absolute, without `.`, `//` or a trailing `/`. `..` is refused."""
    given = text(path)
    if not given:
        fail("not_found", "an empty path names nothing", given)
    if given == "~" or given.startswith("~/"):
        whole = home + given[1:]
    else:
        whole = given if given.startswith("/") else f"{folder}/{given}"
    parts = [part for part in whole.split("/") if part not in ("", ".")]
    if ".." in parts:
        refuse(f"a path may not contain '..': {given}", "write the path in full, or use os.path.abspath(path)", given)
    return "/" + "/".join(parts)


def expanded(path: Any) -> Any:
    """`os.path.expanduser`: there is one home, and no environment to say where it is."""
    given = os.fspath(path)
    if isinstance(given, bytes):
        return os.fsencode(expanded(os.fsdecode(given)))
    return home.rstrip("/") + given[1:] or "/" if given == "~" or given.startswith("~/") else given


def resolved(path: Any, *, strict: object = False) -> Any:
    """`os.path.realpath`: no path that can be opened has a link in it, so this is spelling, and makes no call."""
    whole = os.path.abspath(path)
    if strict is True:
        os.stat(whole)
    return whole
