"""Servers that mean harm, or are just broken: each ends typed, within its bounds, and holds nothing afterwards."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator

import pytest
import trustme

from tests.kernel.person import eventually
from tests.net.conftest import certified
from tests.net.program import Guest, at, grant
from tests.net.world import Asked, Names, Says, Server, answer, raw

OK = b"HTTP/1.1 200 OK\r\n"
MIB = 2**20


def forever(*first: bytes, then: bytes, pause_s: float = 0.0) -> Says:
    """Says this for as long as somebody listens."""

    def says(line: socket.socket, asked: Asked) -> None:
        for piece in first:
            line.sendall(piece)
        while True:
            line.sendall(then)
            time.sleep(pause_s)

    return says


def silent(line: socket.socket, asked: Asked) -> None:
    """Says nothing, and waits until the other side hangs up."""
    line.recv(1)


def after(first: bytes, says: Says) -> Says:
    def both(line: socket.socket, asked: Asked) -> None:
        line.sendall(first)
        says(line, asked)

    return both


def reset(line: socket.socket, asked: Asked) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    line.close()


BROKEN: dict[str, tuple[Says, str]] = {
    "no answer": (silent, "unavailable timeout"),
    "hangs up": (raw(), "unavailable reset"),
    "resets": (reset, "unavailable reset"),
    "no HTTP": (raw(b"220 mail.test ESMTP ready\r\n"), "unavailable not_http"),
    "noise": (raw(bytes(range(256)) * 16), "unavailable not_http"),
    "half a head": (raw(OK + b"X-Half: "), "unavailable not_http"),
    "a head that trickles": (forever(OK, then=b"X: y\r\n", pause_s=0.05), "unavailable timeout"),
    "a head without end": (forever(OK, then=b"X-Large: " + b"x" * 60_000 + b"\r\n"), "limit too_large"),
    "a header of 100 MB": (forever(OK + b"X-Large: ", then=b"x" * 65_536), "limit too_large"),
    "1xx without end": (forever(then=b"HTTP/1.1 100 Continue\r\n\r\n" * 100), "limit too_large"),
    "many headers": (raw(OK + b"X: y\r\n" * 300 + b"Content-Length: 0\r\n\r\n"), "limit too_large"),
    "two lengths": (raw(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), "unavailable not_http"),
    "length of minus one": (raw(OK + b"Content-Length: -1\r\n\r\nhello"), "unavailable not_http"),
    "a header with NUL": (raw(OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n"), "unavailable not_http"),
    "another protocol": (
        raw(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), "unavailable not_http",
    ),
    "less than it said": (raw(OK + b"Content-Length: 100\r\n\r\nhello"), "unavailable reset"),
    "stops in the middle": (after(OK + b"Content-Length: 100\r\n\r\n", silent), "unavailable timeout"),
    "a chunk that lies": (raw(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello"), "unavailable reset"),
    "chunks without end": (raw(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), "unavailable reset"),
    "no gzip": (answer(b"this is no gzip", Content_Encoding="gzip"), "unavailable not_http"),
    "half a gzip": (answer(gzip.compress(b"x" * 1000)[:-12], Content_Encoding="gzip"), "unavailable reset"),
    "trailers without end": (
        forever(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", then=b"X: " + b"y" * 60_000), "unavailable reset",
    ),
}  # fmt: skip


def test_what_is_broken_ends_typed_and_in_time(guest: Guest, server: Server) -> None:
    server.says |= {f"/{number}": says for number, (says, _) in enumerate(BROKEN.values())}
    began = time.monotonic()
    told = guest.fetch(grant(server), *(at(server, f"/{number}", timeout_ms=700) for number in range(len(BROKEN))))
    ended = dict(zip(BROKEN, (each.error for each in told), strict=True))
    assert ended == {name: error for name, (_, error) in BROKEN.items()}
    assert time.monotonic() - began < 30
    assert eventually(lambda: server.open == 0), "a connection was left open"


def test_headers_that_are_no_text_arrive_as_they_came(guest: Guest, server: Server) -> None:
    server.says["/"] = raw(OK + b"X-Bytes: \xff\xfe caf\xe9\r\nContent-Length: 2\r\n\r\n\xff\xfe")
    (told,) = guest.fetch(grant(server), at(server))
    assert told.headers["x-bytes"].encode("latin-1") == b"\xff\xfe caf\xe9"
    assert told.body == b"\xff\xfe"


def bomb(size: int) -> bytes:
    return gzip.compress(b"\0" * size)


def test_a_bomb_is_found_by_what_it_becomes(guest: Guest, server: Server) -> None:
    server.says["/"] = answer(bomb(32 * MIB), Content_Encoding="gzip")
    server.says["/twice"] = answer(gzip.compress(bomb(32 * MIB)), Content_Encoding="gzip, gzip")
    steps = [("net.fetch", at(server, stream=True))]
    (head,) = guest.calls(grant(server), *steps)
    assert head.status == 200
    source = """
from agentos.sdk import call, AgentError
def main(input):
    handle, got = call("net.fetch", input)["handle"], 0
    try:
        while True:
            piece = call("net.read", {"handle": handle})
            got += len(piece.get("data", "")) * 3 // 4
            if piece.get("end"): return [got, "ended"]
    except AgentError as refused:
        return [got, f"{refused.code} {refused.detail}"]
"""
    told = guest.person.run(source, grant(server), input=json.dumps(at(server, stream=True)))
    assert isinstance(told.result, list)
    assert told.result[1] == "limit too_large"
    assert told.result[0] <= 9 * MIB
    (twice,) = guest.fetch(grant(server), at(server, "/twice"))
    assert twice.headers["content-encoding"] == "gzip, gzip"
    assert len(twice.body) < MIB


def test_a_body_is_cut_at_the_limit_of_the_call_and_of_the_grant(guest: Guest, server: Server) -> None:
    server.says["/"] = answer(b"x" * 5000)
    server.says["/endless"] = forever(OK + b"\r\n", then=b"x" * 65_536)
    line = grant(server, received="3_000")
    whole, own, beyond, endless = guest.fetch(
        grant(server), at(server), at(server, most=1000), at(server, most=5000), at(server, "/endless", most=100_000)
    )
    assert (len(whole.body), whole.said.get("cut", False)) == (5000, False)
    assert (len(own.body), own.said["cut"]) == (1000, True)
    assert (len(beyond.body), beyond.said.get("cut", False)) == (5000, False)
    assert (len(endless.body), endless.said["cut"], "handle" in endless.said) == (100_000, True, False)
    unsaid, more = guest.fetch(line, at(server), at(server, most=4000))
    assert (len(unsaid.body), unsaid.said["cut"]) == (3000, True)
    assert more.error.split()[0] in ("limit", "denied")
    assert eventually(lambda: server.open == 0)


def test_what_was_sent_counts_even_where_the_answer_never_came(guest: Guest, server: Server) -> None:
    """Else a host that hangs up could be told anything, one refunded budget after the other."""
    server.says["/"] = reset
    line = grant(server, method='["POST"]', sent="10")
    post = at(server, body="MTIzNDU2Nzg=") | {"method": "POST"}
    first, second = guest.fetch(line, post, post)
    assert first.error == "unavailable reset"
    assert second.error.split()[0] == "limit"
    assert len(server.asked) == 1


@pytest.fixture
def stranger(names: Names) -> Iterator[Callable[[ssl.SSLContext | None], Server]]:
    made: list[Server] = []

    def make(tls: ssl.SSLContext | None) -> Server:
        names.known["stranger.test"] = ["127.0.0.1"]
        made.append(Server(tls))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_certificate_must_be_of_the_host_in_its_time_and_of_somebody_trusted(
    guest: Guest, authority: trustme.CA, stranger: Callable[[ssl.SSLContext | None], Server]
) -> None:
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    servers = [
        stranger(certified(authority, "honest.test")),
        stranger(certified(trustme.CA(), "stranger.test")),
        stranger(certified(authority, "stranger.test", not_after=past)),
        stranger(certified(authority, "*.stranger.test")),
        stranger(certified(authority, "127.0.0.1")),
        stranger(None),
    ]
    line = grant(*servers, hosts='["stranger.test"]', scheme="https")
    told = guest.fetch(line, *(at(each, host="stranger.test", scheme="https") for each in servers))
    assert [each.error for each in told] == [
        "unavailable other_host", "unavailable tls", "unavailable tls", "unavailable other_host",
        "unavailable other_host", "unavailable tls",
    ]  # fmt: skip
    assert "expired" in told[2].said["reason"]
    assert "AGENTOS_NET_CA" in told[1].said["hint"]
    assert all(not each.asked for each in servers)


def test_old_tls_is_not_spoken(
    guest: Guest, authority: trustme.CA, stranger: Callable[[ssl.SSLContext | None], Server]
) -> None:
    old = certified(authority, "stranger.test")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    served = stranger(old)
    line = grant(served, hosts='["stranger.test"]', scheme="https")
    (told,) = guest.fetch(line, at(served, host="stranger.test", scheme="https"))
    assert told.error == "unavailable tls"


def test_nobody_there_is_told_from_no_such_name(guest: Guest, server: Server, names: Names) -> None:
    server.close()
    line = grant(server, hosts='["server.test", "gone.test"]')
    refused, gone = guest.fetch(line, at(server), at(server, host="gone.test"))
    assert refused.error == "unavailable refused"
    assert gone.error == "not_found no_name"
    assert names.asked.count("gone.test") == 2  # A and AAAA, and no search domain
