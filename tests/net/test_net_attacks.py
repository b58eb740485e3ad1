"""Programs that try to reach what they were not granted, each through a guest in a cell, and what the server says."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.kernel.person import Person
from tests.net.program import Guest, at, grant
from tests.net.world import Names, Server, answer

ANY_NETWORK = '["public", "loopback", "lan"]'
HOST_TEXT = ("/work", "site-packages", "Errno", "httpcore", "ssl", "OpenSSL", "asyncio", "127.0.0.1", "dns")


def only(*hosts: str, **more: str) -> str:
    bounds = {"host": json.dumps(hosts)} | more
    return f'"net.fetch" = {{ {", ".join(f"{name} = {value}" for name, value in bounds.items())} }}'


def get(host: str, **more: Any) -> dict[str, Any]:
    return {"method": "GET", "scheme": "https", "host": host} | more


def test_a_host_that_was_not_granted_is_not_even_looked_up(guest: Guest, server: Server, names: Names) -> None:
    names.known["secret-data-42.evil.test"] = ["127.0.0.1"]
    (told,) = guest.fetch(grant(server), at(server, host="secret-data-42.evil.test"))
    assert told.error == "denied"
    assert "secret-data-42.evil.test" not in names.asked
    assert server.connections == 0


def test_a_port_a_scheme_a_method_and_a_path_that_were_not_granted_are_denied(guest: Guest, server: Server) -> None:
    line = grant(server, path='["/v1/**"]')
    asked = [
        at(server, "/v1/x") | {"port": "22"},
        at(server, "/v1/x") | {"port": "6379"},
        at(server, "/v1/x") | {"scheme": "https"},
        at(server, "/v1/x") | {"method": "POST"},
        at(server, "/v2/x"),
        at(server, "/"),
    ]
    told = guest.fetch(line, *asked)
    assert [each.error for each in told] == ["denied"] * len(asked)
    assert server.connections == 0


THIS_MACHINE = ["127.0.0.1", "localhost", "a.localhost", "[::1]", "127.8.8.8", "::ffff:7f00:1"]
NOWHERE = [
    "0.0.0.0", "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255", "[fd00:ec2::254]", "[::]",  # noqa: S104
    "[64:ff9b::7f00:1]", "[::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[fe80::1]", "[ff02::1]",
]  # fmt: skip
PRIVATE = ["10.0.0.1", "172.16.3.4", "192.168.1.1", "[fd12::1]"]


def test_this_machine_is_no_public_host(guest: Guest) -> None:
    for told in guest.fetch(only(*THIS_MACHINE), *map(get, THIS_MACHINE)):
        assert told.error == "denied address"
        assert 'network = "loopback"' in told.said["hint"]


def test_what_no_grant_reaches_stays_out_of_reach_under_every_grant(guest: Guest) -> None:
    for told in guest.fetch(only(*NOWHERE, network=ANY_NETWORK), *map(get, NOWHERE)):
        assert told.error == "denied address"
        assert told.said["hint"] == "no grant changes that"


def test_a_private_network_wants_lan_in_its_grant(guest: Guest) -> None:
    for told in guest.fetch(only(*PRIVATE, network='["public", "loopback"]'), *map(get, PRIVATE)):
        assert told.error == "denied address"
        assert 'network = "lan"' in told.said["hint"]


def test_no_name_leads_where_its_address_may_not(guest: Guest, names: Names) -> None:
    names.known |= {
        "metadata.google.internal": ["169.254.169.254"],
        "nat64.test": ["64:ff9b::a9fe:a9fe"],
        "private.test": ["10.1.2.3"],
        "local.test": ["127.0.0.1"],
    }
    hosts = ["metadata.google.internal", "nat64.test", "private.test", "local.test"]
    listed = ", ".join(f'"{host}"' for host in hosts)
    told = guest.fetch(f'"net.fetch" = {{ host = [{listed}] }}', *map(get, hosts))
    assert [each.error for each in told] == ["denied address"] * 4


def test_a_name_with_one_address_out_of_bounds_is_refused_with_all(guest: Guest, server: Server, names: Names) -> None:
    names.known["mixed.test"] = ["127.0.0.1", "10.0.0.1"]
    names.known["mixed6.test"] = ["127.0.0.1", "fd00:ec2::254"]
    hosts = '["mixed.test", "mixed6.test"]'
    told = guest.fetch(grant(server, hosts=hosts), at(server, host="mixed.test"), at(server, host="mixed6.test"))
    assert [each.error for each in told] == ["denied address"] * 2
    assert server.connections == 0


def test_a_name_that_changes_its_mind_is_taken_by_its_first_word(guest: Guest, server: Server, names: Names) -> None:
    said: list[int] = []

    def changes() -> list[str]:
        said.append(1)
        return ["127.0.0.1"] if len(said) <= 2 else ["10.0.0.1"]  # A and AAAA are asked once each

    names.known["rebinds.test"] = changes
    server.says["/"] = answer(b"first")
    line = grant(server, hosts='["rebinds.test"]')
    first, second = guest.fetch(line, at(server, host="rebinds.test"), at(server, host="rebinds.test"))
    assert first.body == b"first"
    assert second.error == "denied address"
    assert server.connections == 1


ONE_READING = (
    ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.1",
     "user@localhost", "localhost:80", "a b",
     "a\tb", "a\r\nb", "a/b", "a\\b", "fe80::1%eth0", "", ".", "a..b", "-a.test",
     "x" * 64 + ".test", "xn--a", "ﬁnger.test", "faß.test", "a\u200bb.test"]
)  # fmt: skip


def test_a_host_has_one_reading_or_none(guest: Guest, server: Server, names: Names) -> None:
    before = len(names.asked)
    told = guest.fetch(
        grant(server, hosts='["localhost", "*.example.test"]'), *(at(server, host=h) for h in ONE_READING)
    )
    words = {host: each.error.split()[0] for host, each in zip(ONE_READING, told, strict=True)}
    assert set(words.values()) <= {"invalid", "denied"}, words
    assert {host for host, word in words.items() if word == "denied"} <= {"xn--a"}, "it has a reading"
    assert server.connections == 0
    assert len(names.asked) == before


PATHS = (
    ["/a\r\nHost: x", "/a\tb", "/..", "/a/../b", "/%2e%2e/x", "//evil.test/", "x", "/a#b", "/a\\b", "/%zz", "/\0"]
)  # fmt: skip


def test_a_path_has_one_reading_or_none(guest: Guest, server: Server) -> None:
    told = guest.fetch(grant(server), *(at(server, path) for path in PATHS))
    assert [each.error.split()[0] for each in told] == ["invalid"] * len(PATHS)
    assert server.connections == 0


FRAMES = (
    "Host", "Connection", "Content-Length", "Transfer-Encoding", "Upgrade", "TE", "Trailer", "Keep-Alive", "Expect",
    "Proxy-Authorization", "Proxy-Connection", "Accept-Encoding", "HTTP2-Settings",
)  # fmt: skip


def test_what_frames_a_message_is_not_the_programs_to_set(guest: Guest, server: Server) -> None:
    asked = [at(server, headers=[{"name": name, "value": "x"}]) for name in (*FRAMES, "hOST", "cONTENT-lENGTH")]
    told = guest.fetch(grant(server), *asked)
    assert {each.error for each in told} == {"invalid bad_name"}
    assert server.connections == 0


LINES = (
    [("X", "a\r\nHost: evil"), ("X", "a\nb"), ("X", "a\rb"), ("X", "a\0b"), ("X", "\x7f"), ("X", " a"), ("X", "a "),
     ("X", "ж"), ("X\r\nY", "a"), ("X:", "a"), ("X Y", "a"), ("", "a"), ("Ж", "a"), ("X" * 129, "a"), (" X", "a")]
)  # fmt: skip


def test_a_header_is_one_line_of_plain_characters(guest: Guest, server: Server) -> None:
    asked = [at(server, headers=[{"name": name, "value": value}]) for name, value in LINES]
    told = guest.fetch(grant(server), *asked)
    assert [each.error for each in told] == ["invalid bad_name"] * len(LINES)
    assert server.connections == 0


def test_headers_of_a_request_are_few_and_small(guest: Guest, server: Server) -> None:
    many = [{"name": f"X-{number}", "value": "x"} for number in range(65)]
    large = [{"name": "X", "value": "x" * 40_000}]
    told = guest.fetch(grant(server), at(server, headers=many), at(server, headers=large))
    assert [each.error for each in told] == ["limit too_large"] * 2
    assert server.connections == 0


def test_a_tunnel_is_no_method(guest: Guest, server: Server) -> None:
    methods = ["CONNECT", "TRACE", "get", "G E T", "GET\r\nX: y", "FETCH", "COPY", "GET "]
    line = grant(server, method='["GET", "POST", "OPTIONS", "PROPFIND"]')
    for told in guest.fetch(line, *(at(server) | {"method": method} for method in methods)):
        assert told.error.split()[0] == "invalid"
        assert "method" in told.said["reason"]
    assert server.connections == 0


def test_proxies_of_the_environment_are_not_heeded(guest: Guest, server: Server) -> None:
    """The kernel of these tests was started with a proxy for everything, at a port where nobody listens."""
    server.says["/"] = answer(b"straight")
    (told,) = guest.fetch(grant(server), at(server))
    assert told.body == b"straight"


def test_no_failure_tells_of_the_host(guest: Guest, server: Server, secure: Server, names: Names) -> None:
    names.known["other.test"] = ["127.0.0.1"]
    hosts = '["server.test", "gone.test", "other.test"]'
    line = grant(server, secure, hosts=hosts, scheme="https")
    told = guest.fetch(
        line,
        at(server, scheme="https"),
        at(secure, host="other.test", scheme="https"),
        at(secure, host="gone.test", scheme="https"),
    )
    assert [each.error for each in told] == ["unavailable tls", "unavailable other_host", "not_found no_name"]
    for each in told:
        words = f"{each.said['reason']} {each.said['hint']}"
        assert not [text for text in HOST_TEXT if text in words], words


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_line_that_a_refusal_offers_is_one_that_would_allow_it(
    person: Person, guest: Guest, server: Server, secure: Server, scheme: str
) -> None:
    served, host = (server, "server.test") if scheme == "http" else (secure, "secure.test")
    served.says["/v1"] = answer(b"allowed")
    line = grant(served, hosts=f'["{host}"]', scheme=scheme, network='"public"')
    asked = at(served, "/v1", host=host, scheme=scheme)
    (refused,) = guest.fetch(line, asked)
    assert refused.error == "denied address"
    offered = re.search(r'"net.fetch" = \{.*\}', refused.said["hint"])
    assert offered
    (told,) = guest.fetch(offered[0], asked)
    assert told.body == b"allowed"


def test_the_ceiling_offers_a_line_that_would_allow_it(guest: Guest, server: Server) -> None:
    server.says["/v1/owls"] = answer(b"allowed")
    asked = at(server, "/v1/owls")
    (refused,) = guest.fetch(only("elsewhere.test"), asked)
    assert refused.error == "denied"
    offered = re.search(r'"net.fetch" = \{.*\}', refused.said["hint"])
    assert offered
    line = offered[0].replace(" }", ', network = "loopback" }')
    (told,) = guest.fetch(line, asked)
    assert told.body == b"allowed"
