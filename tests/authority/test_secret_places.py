"""Where a secret may go, as a person writes it, and the one reading of it that all sides share."""

from __future__ import annotations

import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos.v1 import secrets
from agentos.v1.names import BadName
from agentos.v1.patterns import canonical_pattern, secret_name


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("api.github.com", "https://api.github.com/**"),
        ("API.GitHub.com:443", "https://api.github.com/**"),
        ("https://api.github.com/repos/**", "https://api.github.com/repos/**"),
        ("*.example.com:8443/v1/*", "https://*.example.com:8443/v1/*"),
        ("https://api.example.com/", "https://api.example.com/"),
        ("HTTPS://bücher.example", "https://xn--bcher-kva.example/**"),
        ("https://[2001:DB8::1]:8443/x", "https://[2001:db8::1]:8443/x"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/**"),
        ("http://[::1]/a%2db", "http://[::1]/a-b"),
        ("http://[::ffff:127.0.0.1]", "http://127.0.0.1/**"),
    ],
)
def test_a_place_has_one_canonical_text(written: str, meant: str) -> None:
    assert str(secrets.place(written)) == meant
    assert secrets.place(meant) == secrets.place(written)


@pytest.mark.parametrize(
    "written",
    [
        "", "*", "*.com", "http://api.github.com", "http://localhost:8080", "http://192.168.1.2", "ftp://example.com",
        "https://me@example.com", "https://me:pw@example.com", "example.com:", "example.com:0", "example.com:99999",
        "https://example.com/a?b=c", "https://example.com/#x", "https://example.com/../x", "https://[::1", "https://[::1]x",
        "https://exa mple.com", "https://example.com\\x", "https:///x", "https://2130706433", "https://a\u200bb.example",
        "https://example.com/a//b", "https://example.com/%2e%2e/x",
    ],
)  # fmt: skip
def test_a_place_that_has_two_readings_or_no_cover_is_refused(written: str) -> None:
    with pytest.raises(BadName):
        secrets.place(written)


@pytest.mark.parametrize(
    ("asked", "goes"),
    [
        (("https", "api.example.com", "443", "/v1/x?q=1"), True),
        (("https", "api.example.com", "443", "/v1/"), True),
        (("https", "api.example.com", "443", "/v1"), False),
        (("https", "api.example.com", "443", "/v2/x"), False),
        (("https", "api.example.com", "443", "/v1%2F..%2Fx"), False),
        (("http", "api.example.com", "443", "/v1/x"), False),
        (("https", "api.example.com", "8443", "/v1/x"), False),
        (("https", "example.com", "443", "/v1/x"), False),
        (("https", "a.api.example.com", "443", "/v1/x"), False),
        (("https", "api.example.com.evil.example", "443", "/v1/x"), False),
    ],
)
def test_a_place_is_matched_part_by_part(asked: tuple[str, str, str, str], goes: bool) -> None:
    assert secrets.place("*.example.com/v1/**").covers(*asked) is goes


@given(st.text(max_size=60))
def test_a_place_is_canonical_or_refused(text: str) -> None:
    with suppress(BadName):
        found = secrets.place(text)
        assert secrets.place(str(found)) == found
        assert found.scheme == "https" or found.host == "::1" or found.host.startswith("127.")


def test_a_header_is_a_name_and_frames_nothing() -> None:
    assert secrets.header("X-Api-Key") == "X-Api-Key"
    for wrong in ("", "a b", "a:b", "a\r\nb", "Ä", "Host", "content-length", "Transfer-Encoding", "Range", "x" * 65):
        with pytest.raises(BadName):
            secrets.header(wrong)


def test_a_form_has_one_place_for_the_value() -> None:
    assert secrets.filled(secrets.form("Bearer {secret}"), "s3cret-value") == "Bearer s3cret-value"
    basic = secrets.filled(secrets.form("Basic {me@example.com:secret}"), "s3cret-value")
    assert base64.b64decode(basic.removeprefix("Basic ")) == b"me@example.com:s3cret-value"
    assert secrets.usual_form("authorization") == "Bearer {secret}"
    assert secrets.usual_form("X-Api-Key") == "{secret}"
    wrong = (
        "",
        "Bearer",
        "{secret}{secret}",
        "{SECRET}",
        "{secret} {x}",
        "a\n{secret}",
        " {secret}",
        "{:secret}",
        "{a:b:secret}",
    )
    for text in wrong:
        with pytest.raises(BadName):
            secrets.form(text)


@pytest.mark.parametrize(
    "text",
    [
        "short",
        "aaaaaaaaaaaa",
        "abcabcabcabc",
        "two\nlines of it",
        "caf\u00e9-caf\u00e9",
        " blank-before",
        "blank-behind ",
        "x1y2" * 1100,
    ],
)
def test_a_value_that_could_not_be_found_again_is_refused_without_a_word_of_it(text: str) -> None:
    with pytest.raises(BadName) as wrong:
        secrets.value(text)
    assert text not in str(wrong.value)


def test_the_name_of_a_secret_is_plain() -> None:
    assert secret_name("github.com-2_x") == "github.com-2_x"
    for wrong in ("", "GitHub", "2x", "a b", "a/b", "x" * 65, "a\u0430"):
        with pytest.raises(BadName):
            secret_name(wrong)
        with pytest.raises(BadName):
            canonical_pattern(10, wrong, "", "")
