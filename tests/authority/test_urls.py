"""The path of a URL: one spelling, and patterns that hold whatever the server makes of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos.v1 import matchers
from agentos.v1.matchers import PORT, URL_PATH
from agentos.v1.names import BadName, port
from agentos.v1.patterns import canonical_pattern, contains
from agentos.v1.urls import url_path

anything = st.text(max_size=60).map(lambda text: "/" + text)
pieces = st.sampled_from(["a", "b", "*", "\\*", "%2F", "%41", ".", ";", "ö"])
names = st.one_of(st.just("**"), st.lists(pieces, max_size=3).map("".join))
written = st.lists(names, min_size=1, max_size=4).map(lambda s: "/" + "/".join(s))


def canonical(text: str) -> str | None:
    try:
        return url_path(text)
    except BadName:
        return None


def pattern(text: str) -> str | None:
    try:
        return canonical_pattern(URL_PATH, text, "/", "/")
    except BadName:
        return None


@given(anything)
def test_a_canonical_path_is_its_own_canonical_form_and_plain_ascii(text: str) -> None:
    found = canonical(text)
    if found is not None:
        assert url_path(found) == found
        assert found.isascii()
        assert not set(found) & set(' "<>\\^`{|}#')


@given(written)
def test_a_canonical_pattern_is_its_own_canonical_form(text: str) -> None:
    found = pattern(text)
    if found is not None:
        assert canonical_pattern(URL_PATH, found, "/", "/") == found


@given(written, written, written)
def test_a_containing_pattern_matches_all_that_the_contained_one_does(a: str, b: str, text: str) -> None:
    wide, narrow, where = pattern(a), pattern(b), canonical(text.replace("\\*", "*"))
    if wide and narrow and where and contains(URL_PATH, wide, narrow) and matchers.matches(URL_PATH, narrow, where):
        assert matchers.matches(URL_PATH, wide, where)


@given(anything)
def test_the_literal_of_a_path_matches_it_and_is_contained_where_it_matches(text: str) -> None:
    found = canonical(text)
    if found is not None:
        literal = matchers.literal(URL_PATH, found)
        assert canonical_pattern(URL_PATH, literal, "/", "/") == literal
        assert matchers.matches(URL_PATH, literal, found)
        for wide in ("/**", "/a/**", "/*"):
            assert contains(URL_PATH, wide, literal) == matchers.matches(URL_PATH, wide, found)


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        ("", "/"),
        ("/a b", "/a%20b"),
        ("/%7euser/%41", "/~user/A"),
        ("/caf\u00e9", "/caf%C3%A9"),
        ("/a%2fb", "/a%2Fb"),
        ("/?q=a b&r=%e2", "/?q=a%20b&r=%E2"),
        ("/a?x=/../y", "/a?x=/../y"),
        ("/v1/", "/v1/"),
        ("/[1]", "/%5B1%5D"),
    ],
)
def test_what_differs_in_spelling_alone_is_written_in_one_way(text: str, spelt: str) -> None:
    assert url_path(text) == spelt


@pytest.mark.parametrize(
    "text",
    [
        "/a/../b", "/a/./b", "/..", "/%2e%2e/b", "/%2E./b", "/a/..%2Fb", "/a%2f..%2fb", "/a%5c..%5cb", "/..;x/b",
        "/%252e%252e/b", "/%252e%252e%252fb", "/a\\b", "/a//b", "//host/b", "/a%", "/a%zz", "/a%0d%0aHost: x", "/a%00",
        "/a%250d", "/a#b", "/a\tb", "/a\r\nb", "a/b", "/a\u202eb", "/" + "a" * 9000, "/" + "a/" * 300, "/a/%2e%2e",
        "/a/..%20/b", "http://x/",
    ],
)  # fmt: skip
def test_what_two_servers_could_read_as_two_places_is_refused(text: str) -> None:
    with pytest.raises(BadName):
        url_path(text)


@pytest.mark.parametrize(
    ("bound", "inside", "outside"),
    [
        ("/**", ["/", "/a", "/a/b?x"], []),
        ("/v1/**", ["/v1/", "/v1/a", "/v1/a/b"], ["/v1", "/v10/a", "/v2/a", "/"]),
        ("/v1/*/name", ["/v1/a/name", "/v1/a/name?full=1"], ["/v1/a/b/name", "/v1/name"]),
        ("/a", ["/a", "/a?b=/c"], ["/a/", "/a/b"]),
        ("/", ["/", "/?a"], ["/a"]),
        ("/a/\\*", ["/a/*"], ["/a/b"]),
        ("/caf\u00e9/**", ["/caf%C3%A9/x"], ["/cafe/x"]),
    ],
)
def test_a_pattern_is_compared_with_the_path_and_not_with_the_query(
    bound: str, inside: list[str], outside: list[str]
) -> None:
    found = canonical_pattern(URL_PATH, bound, "/", "/")
    assert [p for p in inside if not matchers.matches(URL_PATH, found, url_path(p))] == []
    assert [p for p in outside if matchers.matches(URL_PATH, found, url_path(p))] == []


@pytest.mark.parametrize("text", ["v1", "/a**", "/a?b", "/a#", "/a\\b", "/../*", "/a//b", "/" + "*a" * 40, ""])
def test_a_pattern_that_could_not_be_what_it_says_is_refused(text: str) -> None:
    with pytest.raises(BadName):
        canonical_pattern(URL_PATH, text, "/", "/")


@pytest.mark.parametrize("text", ["0", "00443", "65536", "99999999", "-1", "4 43", "\u0664\u0664\u0663", "http", ""])
def test_a_port_is_one_number(text: str) -> None:
    with pytest.raises(BadName):
        port(text)
    assert port("443") == "443"
    assert matchers.matches(PORT, "443", "443")
    assert not matchers.matches(PORT, "443", "8443")
