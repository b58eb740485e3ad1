"""The bounds of a grant, checked by the process that acts: what only a capability with a maximum has."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message

from agentos.capabilities.context import Context, check_bounds
from agentos.capabilities.failure import Denied, Invalid
from tests.authority.letters import post_service, shipped, write_capability

BOUNDS = {"kind": ("letter",), "server": ("mail.acme.com",), "size": ("4",), "to": ("*@acme.com",)}


@pytest.fixture(scope="module")
def letter(tmp_path_factory: pytest.TempPathFactory) -> type[Message]:
    return shipped(write_capability(tmp_path_factory.mktemp("post"), post_service())).actions["post.send"].request


def test_a_call_beyond_the_most_of_its_grant_is_denied(letter: type[Message]) -> None:
    under = Context(BOUNDS, {}, "", 0)
    sent = {"to": "ada@acme.com", "server": "mail.acme.com", "kind": "letter"}
    check_bounds(letter(text="1234", **sent), under)
    for change in ({"text": "12345"}, {"text": "ééé"}, {"to": "ada@evil.com"}, {"server": "evil.com"}, {"kind": ""}):
        with pytest.raises((Denied, Invalid)):
            check_bounds(letter(**(sent | {"text": "1"} | change)), under)
