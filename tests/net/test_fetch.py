"""What a program gets of the network that it was granted, through a real cell and the real server."""

from __future__ import annotations

import gzip
import zlib

import pytest

from tests.net.program import Guest, at, grant
from tests.net.world import Server, answer, raw


def test_an_answer_comes_with_its_headers_and_its_body(guest: Guest, server: Server) -> None:
    server.says["/owls"] = answer(b'[{"name": "Ada"}]', Content_Type="application/json")
    (owls,) = guest.fetch(grant(server), at(server, "/owls?page=1"))
    assert (owls.status, owls.body) == (200, b'[{"name": "Ada"}]')
    assert owls.headers["content-type"] == "application/json"
    (asked,) = server.asked
    assert asked.target == "/owls?page=1"
    assert asked.header("host") == [f"server.test:{server.port}"]
    assert asked.header("connection") == ["close"]


def test_https_is_verified_against_the_host(guest: Guest, secure: Server) -> None:
    secure.says["/"] = answer(b"sealed")
    (told,) = guest.fetch(
        grant(secure, hosts='["secure.test"]', scheme="https"), at(secure, host="secure.test", scheme="https")
    )
    assert told.body == b"sealed"


def test_a_body_is_sent_with_its_length(guest: Guest, server: Server) -> None:
    server.says["/"] = answer(b"", "201 Created")
    post = at(server, body="aGVsbG8=", headers=[{"name": "Content-Type", "value": "text/plain"}]) | {"method": "POST"}
    (made,) = guest.fetch(grant(server, method='["POST"]', sent="1_000"), post)
    assert made.status == 201
    (asked,) = server.asked
    assert (asked.body, asked.header("content-length"), asked.header("content-type")) == (
        b"hello",
        ["5"],
        ["text/plain"],
    )


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate", "raw deflate", "two members"])
def test_what_is_compressed_is_unpacked(guest: Guest, server: Server, coding: str) -> None:
    text = b"owls and more owls " * 1000
    packed = {
        "deflate": zlib.compress(text),
        "raw deflate": zlib.compress(text, wbits=-15),
        "two members": gzip.compress(text[:100]) + gzip.compress(text[100:]),
    }.get(coding, gzip.compress(text))
    named = "deflate" if "deflate" in coding else "gzip" if "members" in coding else coding
    server.says["/"] = answer(packed, Content_Encoding=named)
    (told,) = guest.fetch(grant(server), at(server))
    assert told.body == text
    assert not {"content-encoding", "content-length"} & set(told.headers)


def test_a_redirect_is_an_answer(guest: Guest, server: Server) -> None:
    server.says["/"] = answer(b"", "302 Found", Location="http://elsewhere.test/")
    (told,) = guest.fetch(grant(server), at(server))
    assert (told.status, told.headers["location"]) == (302, "http://elsewhere.test/")
    assert len(server.asked) == 1


def test_a_chunked_body_is_put_together(guest: Guest, server: Server) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    server.says["/"] = raw(head, b"5\r\nhello\r\n", b"6;x=y\r\n world\r\n", b"0\r\nTrailer: x\r\n\r\n")
    (told,) = guest.fetch(grant(server), at(server))
    assert told.body == b"hello world"
    assert "transfer-encoding" not in told.headers
