"""What a header or a frame could say beside what was decided on: another request, or far more than the limit."""

from __future__ import annotations

import pytest

from agentos.capabilities.failure import Invalid
from agentos.capabilities.net import headers
from tests.net.hostile import mostly_frame
from tests.net.program import Guest, at, grant
from tests.net.world import Server, answer

INSTEAD = (
    "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL",
    "X-Forwarded-Host", "X-Host", "Forwarded", "x_http_method_override", "X-Original_URL",
)  # fmt: skip
OURS = ("Content_Length", "transfer_encoding", "Proxy_Authorization", "HTTP2_Settings")


def test_no_header_asks_for_another_method_host_or_path(guest: Guest, server: Server) -> None:
    asked = [at(server, headers=[{"name": name, "value": "DELETE"}]) for name in (*INSTEAD, *OURS)]
    told = guest.fetch(grant(server), *asked)
    assert [each.error for each in told] == ["invalid bad_name"] * len(asked)
    assert server.connections == 0


def test_a_body_that_is_mostly_frame_is_hung_up_on(guest: Guest, server: Server) -> None:
    server.says["/"] = mostly_frame
    server.says["/honest"] = answer(b"x" * 1000)
    wasteful, honest = guest.fetch(grant(server), at(server, most=2000), at(server, "/honest", most=2000))
    assert wasteful.error == "limit too_large", wasteful.said
    assert honest.body == b"x" * 1000
    assert server.asked[0].target == "/"


@pytest.mark.parametrize("name", ["CONNECT", "TRACE", "COPY", "MOVE", "FETCH", "get", "GET ", "GET\r\nX: y", ""])
def test_the_server_itself_knows_no_other_method_than_a_manifest_may_name(name: str) -> None:
    with pytest.raises(Invalid, match="not a method"):
        headers.method(name)


@pytest.mark.parametrize("name", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_every_method_that_a_manifest_may_name_is_sent_as_it_is(name: str) -> None:
    assert headers.method(name) == name.encode()
