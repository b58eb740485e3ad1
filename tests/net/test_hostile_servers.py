"""Servers that mean harm, or are just broken: each ends typed, within its bounds, and holds nothing afterwards."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import ssl
import time
from collections.abc import Callable, Iterator

import pytest
import trustme

from tests.kernel.person import eventually
from tests.net.hostile import BOMB, BROKEN, MIB, OK, forever, reset
from tests.net.program import Guest, at, grant
from tests.net.world import Names, Server, answer, certified, raw


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


def test_a_bomb_is_found_by_what_it_becomes(guest: Guest, server: Server) -> None:
    server.says["/"] = answer(BOMB, Content_Encoding="gzip")
    server.says["/twice"] = answer(gzip.compress(BOMB), Content_Encoding="gzip, gzip")
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


def test_a_silent_name_server_is_waited_for_no_longer_than_the_call_says(guest: Guest, names: Names) -> None:
    names.odd["silent.test"] = lambda reply: None
    line = '"net.fetch" = { host = "silent.test" }'
    (told,) = guest.fetch(line, {"method": "GET", "scheme": "https", "host": "silent.test", "timeout_ms": 300})
    assert told.error == "unavailable no_name"
    (call,) = guest.person.calls(guest.told.id, "net.fetch")
    assert 300_000 <= call.duration_us < 5_000_000
