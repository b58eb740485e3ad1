"""A kernel of its own with a pool of eight: what is counted here must not be somebody else's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.person import Up, kernel
from tests import compiled

READY = 8


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    with kernel(READY, made=compiled.keep_in) as served:
        yield served
