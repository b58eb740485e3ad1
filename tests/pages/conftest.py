"""One real pages server for the tests that need no guest: behind its walls, called under seal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.servers.world import ROOT, World, world

PAGES = ROOT / "capabilities" / "pages"
HTML = Path(__file__).parent / "html"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def reader() -> AsyncIterator[World]:
    async with world(PAGES) as made:
        yield made
