"""The guest, compiled once for all tests of a session, and kept in each home under that home's own key.

Compiling it is most of what the first kernel of a home does, and no test here is about that but those of the cache
itself (`tests/cells/test_images.py`) and of how images are made (`tests/guest/test_determinism.py`).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from agentos.guests.python.build import build
from agentos.home import home
from agentos.kernel.cells.images import Image, Images

# Names the folder where this session keeps it: see conftest.py.
FOLDER = "TESTS_COMPILED"


async def guest_image() -> Image:
    """The guest's image. Of several workers the first compiles it, and the others find it done."""
    folder = Path(os.environ[FOLDER])
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return await Images(folder, bytes(32)).open(build().read_bytes(), own=True)


def keep_in(path: Path, secret: str = "") -> None:
    """Keep it in this home, as a kernel does that has compiled it there. A bench by itself leaves it to its kernel."""
    if FOLDER not in os.environ:
        return
    held = home.unlock(path, secret)
    try:
        images = Images(held.images, held.keys.images, compiler=_compiled)
        with ThreadPoolExecutor(1) as thread:  # the test itself may have a loop that runs
            image = thread.submit(asyncio.run, images.open(build().read_bytes(), own=True)).result()
        os.close(image.descriptor)
    finally:
        held.close()


async def _compiled(content: bytes, own: bool) -> bytes:
    image = await guest_image()
    try:
        return os.pread(image.descriptor, os.fstat(image.descriptor).st_size, 0)
    finally:
        os.close(image.descriptor)
