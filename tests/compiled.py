"""The guest, compiled once for all tests until it changes, and kept in each home under that home's own key.

Compiling it is most of what the first kernel of a home does, and no test here is about that but those of the cache
itself (`tests/cells/test_images.py`) and of how images are made (`tests/guest/test_determinism.py`).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from agentos.guests.python.build import build
from agentos.home import home
from agentos.kernel.cells.images import Image, Images

# Names the folder where it is kept from one session to the next: see conftest.py.
FOLDER = "TESTS_COMPILED"
KEPT = 3  # images at most: each is of another guest, or of other settings


async def guest_image() -> Image:
    """The guest's image. Of several workers the first compiles it, and the others find it done."""
    folder = Path(os.environ[FOLDER])
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        image = await Images(folder, bytes(32)).open(build().read_bytes(), own=True)
        _tidy(folder)
        return image


def _tidy(folder: Path) -> None:
    for old in sorted(folder.glob("*.own"), key=lambda file: file.stat().st_mtime)[:-KEPT]:
        old.unlink()


def keep_in(path: Path, secret: str = "") -> None:
    """Keep it in this home, as a kernel does that has compiled it there. A bench by itself leaves it to its kernel."""
    if FOLDER not in os.environ:
        return
    held = home.unlock(path, secret)
    try:
        images = Images(held.images, held.keys.images, compiler=_already)
        image = _by_itself(images.open(build().read_bytes(), own=True))
        os.close(image.descriptor)
    finally:
        held.close()


async def _already(content: bytes, own: bool) -> bytes:
    return _code()


@cache
def _code() -> bytes:
    image = _by_itself(guest_image())
    try:
        return os.pread(image.descriptor, os.fstat(image.descriptor).st_size, 0)
    finally:
        os.close(image.descriptor)


def _by_itself(work: Coroutine[None, None, Image]) -> Image:
    """In a loop of its own: the test may have one that runs."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
