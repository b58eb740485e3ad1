"""A URL is taken apart in one way or not at all."""

from __future__ import annotations

import pytest

from agentos.sdk import Invalid
from agentos.sdk.http import urls


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("https://example.com", ("https", "example.com", "443", "/")),
        ("HTTPS://Example.COM/A/b?C=d#e", ("https", "example.com", "443", "/A/b?C=d")),
        ("http://example.com:8080/", ("http", "example.com", "8080", "/")),
        ("http://example.com?q=1", ("http", "example.com", "80", "/?q=1")),
        ("https://example.com#a", ("https", "example.com", "443", "/")),
        ("https://[2001:db8::1]/x", ("https", "2001:db8::1", "443", "/x")),
        ("https://[::1]:444", ("https", "::1", "444", "/")),
        ("https://bücher.example/ö?ü=ß", ("https", "bücher.example", "443", "/ö?ü=ß")),
        ("https://example.com/a b", ("https", "example.com", "443", "/a b")),
        ("https://example.com/?next=https://other.example/@x\\y", (
            "https", "example.com", "443", "/?next=https://other.example/@x\\y")),
        ("https://example.com/@me:a", ("https", "example.com", "443", "/@me:a")),
    ],
)  # fmt: skip
def test_a_url_has_its_parts(text: str, parts: tuple[str, ...]) -> None:
    url = urls.split(text)
    assert (url.scheme, url.host, url.port, url.path) == parts
    assert urls.split(str(url)) == url


@pytest.mark.parametrize(
    ("text", "why", "instead"),
    [
        ("https://me:word@example.com/", "user or password", 'auth=("user", "password")'),
        ("https://example.com@evil.example/", "user or password", "auth="),
        ("https://good.example\\@evil.example/", "user or password", "auth="),
        ("https://good.example\\.evil.example/", "backslash", "/ after the host"),
        ("https:\\\\example.com/", "names no host", "https://example.com/path"),
        ("https://example.com\\path", "backslash", "/ after the host"),
        ("https://example.com/a\\..\\b", "backslash", "%5C"),
        ("https://exam\tple.com/", "control character, U+0009", "strip"),
        ("https://example.com/a\r\nHost: evil.example", "U+000D", "strip"),
        ("https://example.com/\n", "U+000A", "url.strip()"),
        ("https://example.com/\0", "U+0000", "strip"),
        (" https://example.com/", "space around", "url.strip()"),
        ("https://", "names no host", "https://example.com/path"),
        ("https:///path", "names no host", "https://example.com/path"),
        ("https://:80/", "names no host", "https://example.com/path"),
        ("https:/example.com", "names no host", "https://example.com/path"),
        ("https:example.com", "names no host", "https://example.com/path"),
        ("example.com/path", "no scheme", "write https://example.com/path"),
        ("//example.com/path", "no scheme", "write https://example.com/path"),
        ("example.com:8080/path", "no scheme", "write https://example.com:8080/path"),
        ("localhost:8080", "no scheme", "write https://localhost:8080"),
        ("", "no scheme", "https://"),
        ("ftp://example.com/", "ftp: is not fetched", "https:// and http://"),
        ("javascript:alert(1)", "javascript: is not fetched", "https://"),
        ("data:,x", "data: is not fetched", "https://"),
        ("file:///etc/passwd", "not opened by its address", "open(path)"),
        ("https://2001:db8::1/", "more than one port", "[2001:db8::1]"),
        ("https://[::1/", "no address", "[2001:db8::1]"),
        ("https://[::1]x/", "no address", "[2001:db8::1]"),
        ("https://[example.com]/", "no address", "[2001:db8::1]"),
        ("https://example.com:/", "no port", "leave the : out"),
    ],
)
def test_what_has_two_readings_is_refused_with_what_to_write(text: str, why: str, instead: str) -> None:
    with pytest.raises(Invalid) as caught:
        urls.split(text)
    assert why in caught.value.reason
    assert instead in caught.value.hint
    assert caught.value.detail == "bad_name"


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(Invalid, match="a URL is text"):
        urls.split(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "params", "path"),
    [
        ("https://a.example/x", {"q": "a b&c", "n": 3, "none": None, "on": True}, "/x?q=a+b%26c&n=3&on=True"),
        ("https://a.example", {"tag": ["x", "ü"]}, "/?tag=x&tag=%C3%BC"),
        ("https://a.example/x?y=1", [("z", 2), ("z", 3)], "/x?y=1&z=2&z=3"),
        ("https://a.example/x?", "?y=1", "/x?y=1"),
        ("https://a.example/x#f", b"raw=%20", "/x?raw=%20"),
        ("https://a.example/x", {}, "/x"),
        ("https://a.example/x", {"gone": None}, "/x"),
    ],
)
def test_parameters_become_the_query(url: str, params: urls.Params, path: str) -> None:
    assert urls.split(url).with_query(params).path == path


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("https://other.example/y", "https://other.example/y"),
        ("/y?z", "https://a.example/y?z"),
        ("y", "https://a.example/b/y"),
        ("../y", "https://a.example/y"),
        ("?z=1", "https://a.example/b/c?z=1"),
        ("//other.example/y", "https://other.example/y"),
        ("#f", "https://a.example/b/c?d"),
    ],
)
def test_a_reference_leads_on_from_where_it_stands(location: str, url: str) -> None:
    assert str(urls.joined(urls.split("https://a.example/b/c?d"), location)) == url


def test_a_reference_hides_no_control_character() -> None:
    with pytest.raises(Invalid, match=r"U\+0009"):
        urls.joined(urls.split("https://a.example/"), "/\t/evil.example")
