"""One files server for each module; each test works in a folder of its own within what that server was given."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.servers.world import World, world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[World]:
    async with world() as made:
        yield made


@pytest.fixture
def me(shared: World, request: pytest.FixtureRequest) -> World:
    folder = shared.folder / f"t{abs(hash(request.node.nodeid)) % 10**9}"
    folder.mkdir()
    return World(Path(folder), shared.servers)
