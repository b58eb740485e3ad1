from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import psutil
import pytest

from agentos.kernel.cells.images import Image, Images
from agentos.kernel.cells.pool import Cell, Cells
from tests.cells.components import component

KEY = bytes(range(32))
Open = Callable[..., Awaitable[Cells]]


@pytest.fixture(autouse=True)
def own_stack() -> Iterator[None]:
    """A guest wants a large stack, which whatever later tests start would inherit."""
    before = resource.getrlimit(resource.RLIMIT_STACK)
    yield
    resource.setrlimit(resource.RLIMIT_STACK, before)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One image cache for all tests: each component is compiled once."""
    return tmp_path_factory.mktemp("images")


@pytest.fixture
def images(cache: Path) -> Images:
    return Images(cache, KEY)


def told(cell: Cell, known: str) -> Cell:
    """A cell that was told what is for its run."""
    cell.tell(known)
    return cell


async def gone(condition: Callable[[], bool], within_s: float = 5.0) -> bool:
    """Whether a condition comes true in time."""
    loop = asyncio.get_running_loop()
    until = loop.time() + within_s
    while not condition():
        if loop.time() > until:
            return False
        await asyncio.sleep(0.005)
    return True


@pytest.fixture
async def open_cells(images: Images) -> AsyncIterator[Open]:
    """Cells of a component by the name of its body. At the end nothing may be left: no process, no descriptor."""
    before, others = len(os.listdir("/dev/fd")), _zygotes()
    opened: list[Cells] = []

    async def open_(body: str, start: str = "", *, ready: int = 1, most: int = 256, own: bool = False) -> Cells:
        image: Image = await images.open(component(body, start), own)
        opened.append(await Cells.start(image, ready, most))
        return opened[-1]

    yield open_
    for cells in opened:
        await cells.close()
    assert not _zygotes() - others
    assert await gone(lambda: len(os.listdir("/dev/fd")) <= before)


def _zygotes() -> set[psutil.Process]:
    """The zygotes and cells that are children of this process: its other tests may keep some."""
    children = [child for child in psutil.Process().children(recursive=True) if child.status() != "zombie"]
    return {child for child in children if "zygote" in " ".join(child.cmdline())}
