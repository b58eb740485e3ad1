"""Fixtures of the tests of authority."""

from __future__ import annotations

import pytest

from agentos.manifest.rules import Catalog
from tests.authority.letters import post_service, shipped, write_capability


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """files, which ships, and post, which has every kind of bound."""
    return shipped(write_capability(tmp_path_factory.mktemp("post"), post_service()))
