"""The capability in docs/ works as it stands there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from agentos.v1 import error_pb2
from tests.servers.world import ROOT, World, world

SHELF = ROOT / "docs" / "capability"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shelf() -> AsyncIterator[World]:
    async with world(SHELF) as made:
        yield made


async def test_a_text_that_was_put_can_be_taken_down(shelf: World) -> None:
    await shelf.call("shelf.put", {"name": ["today"], "bytes": ["10"]}, name="today", text="hello")
    assert (await shelf.call("shelf.get", {"name": ["today"]}, name="today")).text == "hello"


async def test_what_is_not_there_is_not_found_with_a_next_step(shelf: World) -> None:
    error = await shelf.refused("shelf.get", {"name": ["never"]}, name="never")
    assert error.code == error_pb2.CODE_NOT_FOUND
    assert "shelf.put" in error.hint


async def test_bounds_are_checked_before_its_methods_without_a_line_of_its_own(shelf: World) -> None:
    assert (await shelf.refused("shelf.get", {"name": ["today"]}, name="other")).code == error_pb2.CODE_DENIED
    assert (await shelf.refused("shelf.get", {"name": []}, name="other")).code == error_pb2.CODE_DENIED
    bounds = {"name": ["today"], "bytes": ["4"]}
    error = await shelf.refused("shelf.put", bounds, name="today", text="hello")
    assert (error.code, error.reason) == (error_pb2.CODE_DENIED, "text is more than the grant allows")


async def test_a_full_shelf_is_a_limit(shelf: World) -> None:
    error = await shelf.refused("shelf.put", {"name": ["big"]}, name="big", text="x" * 1_000_001)
    assert (error.code, error.detail) == (error_pb2.CODE_LIMIT, "quota")
