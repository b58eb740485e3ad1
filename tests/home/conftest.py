"""Passphrases of homes made in this process cost next to nothing; test_kernel_process.py looks at the real price."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from nacl import pwhash

from agentos.home import keys


@pytest.fixture(scope="package", autouse=True)
def _cheap_passphrases() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "ARGON_OPS", pwhash.argon2id.OPSLIMIT_MIN)
        patch.setattr(keys, "ARGON_MEMORY", pwhash.argon2id.MEMLIMIT_MIN)
        yield
