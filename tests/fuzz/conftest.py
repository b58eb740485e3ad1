from __future__ import annotations

import pytest

from agentos.manifest.rules import Catalog
from tests.authority.letters import post_service, shipped, write_capability


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The capabilities that ship, and one more with every kind of bound."""
    return shipped(write_capability(tmp_path_factory.mktemp("post"), post_service()))
