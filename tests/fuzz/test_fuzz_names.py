"""What a program names, read by us and by those who act on it: where the two could differ, the name is refused."""

from __future__ import annotations

import posixpath
import socket
import time
from email.utils import parseaddr
from urllib.parse import unquote, urlsplit

from hypothesis import example, given
from hypothesis import strategies as st

from agentos.v1 import matchers
from agentos.v1.matchers import BY_VALUE, HOST, MAIL, PATH, PORT, URL_PATH
from agentos.v1.names import BadName
from agentos.v1.patterns import canonical_pattern, contains, root
from tests.authority.letters import HOME, START
from tests.authority.spellings import anything, value

hosts = st.lists(
    st.sampled_from([
        *("127", "0x7f", "0177", "1", "0", "256", "2130706433", "0x", "08", "1e3", "localhost", "a", "example", "com"),
        *(".", ".", ".", ":", "::", "[", "]", "%", "@", "/", "\\", "#", "?", "-", "_", " ", "\t", "\n", "\0", "xn--"),
        *("\uff11", "\u2460", "\u3002", "\uff0e", "\u00ad", "\u200d", "\u00df", "\u0130", "\u017f", "\u212a", "\u0660"),
    ]),
    max_size=9,
).map("".join)  # fmt: skip


@given(hosts | anything)
@example("0x7f.1")
@example("127.1")
@example("\u2460\u2461\u2466.0.0.1")
def test_a_host_that_is_taken_for_a_name_is_an_address_to_no_resolver(text: str) -> None:
    try:
        host = value(HOST, text)
    except BadName:
        return
    assert host.isascii()
    assert value(HOST, host) == host
    assert urlsplit(f"http://[{host}]/" if ":" in host else f"http://{host}/").hostname == host
    try:
        packed = socket.inet_aton(host)
    except OSError:
        return
    assert socket.inet_ntoa(packed) == host


mails = st.lists(st.sampled_from([*"ab.@<>\"'(),;: \t\r\n\\%!=+", "a@b.c", "x.y", "example.com", "é"]), max_size=9)


@given(mails.map("".join) | anything)
@example("a@b.c,d@e.f")
@example('"a@b.c"@d.e')
def test_a_mail_address_is_one_plain_address_to_everybody(text: str) -> None:
    try:
        address = value(MAIL, text)
    except BadName:
        return
    assert value(MAIL, address) == address
    assert parseaddr(address) == ("", address)
    assert address.count("@") == 1
    assert not set(address) & set(' \t\r\n<>"(),;:\\')


url_pieces = st.sampled_from([
    *("v1", "..", ".", "/", "//", "\\", ";", "%2e", "%2E%2E", "%252e", "%2f", "%5c", "%00", "%0d%0a", "%", "%4", "%zz"),
    *("?", "#", "é", "%c3%a9", "%C3", " ", "\t", "a", "b", "*", "~", "%7e", "@", ":", "&", "=", "..;", "+", "\0"),
])  # fmt: skip
url_paths = st.lists(url_pieces, max_size=10).map(lambda pieces: "/" + "".join(pieces))


@given(url_paths | anything)
@example("/v1/..;/admin")
@example("/v1/%2e%2e/admin")
@example("/v1/%252e%252e/admin")
@example("/v1\\..\\admin")
def test_a_path_of_a_url_leads_where_its_prefix_says_for_every_reader(text: str) -> None:
    try:
        path = value(URL_PATH, text)
    except BadName:
        return
    assert value(URL_PATH, path) == path
    split = urlsplit(f"https://example.com{path}")
    assert (split.hostname, split.port, split.fragment) == ("example.com", None, "")
    assert split.path + (f"?{split.query}" if "?" in path else "") == path
    if not matchers.matches(URL_PATH, "/v1/**", path):
        return
    for reading in (split.path, unquote(split.path), unquote(unquote(split.path)), unquote(split.path).split(";")[0]):
        for slashes in (reading, reading.replace("\\", "/")):
            assert f"{posixpath.normpath(slashes)}/".startswith("/v1/"), slashes
            assert "\0" not in slashes


@given(st.sampled_from([matchers.EXACT, *BY_VALUE]), anything | hosts | url_paths)
def test_a_value_and_a_pattern_have_one_canonical_form_each(matcher: int, text: str) -> None:
    began = time.process_time()
    for canonical in (matchers.canonical_value, canonical_pattern):
        try:
            first = canonical(matcher, text, START, HOME)
        except BadName as bad:
            assert str(bad).isascii()
            continue
        assert canonical(matcher, first, "/elsewhere", "/nowhere") == first
        if canonical is canonical_pattern:
            assert contains(matcher, first, first)
        else:
            assert matchers.matches(matcher, matchers.literal(matcher, first), first)
    assert time.process_time() - began < 1


@given(st.sampled_from([PATH, URL_PATH]), anything, anything)
def test_who_matches_a_literal_is_that_value_and_no_other(matcher: int, one: str, other: str) -> None:
    try:
        first, second = value(matcher, f"/{one}"), value(matcher, f"/{other}")
    except BadName:
        return
    same = first.partition("?")[0] == second.partition("?")[0] if matcher == URL_PATH else first == second
    assert matchers.matches(matcher, matchers.literal(matcher, first), second) == same


@given(anything)
def test_whatever_a_path_pattern_matches_lies_below_its_root(text: str) -> None:
    try:
        pattern = canonical_pattern(PATH, text, START, HOME)
    except BadName:
        return
    below = root(pattern)
    assert value(PATH, below) == below
    assert "*" not in below or "\\*" in pattern


@given(st.text(max_size=8))
def test_a_port_is_a_number_that_everybody_reads_alike(text: str) -> None:
    try:
        port = value(PORT, text)
    except BadName:
        return
    assert str(int(port)) == text
    assert 1 <= int(port) <= 65_535
