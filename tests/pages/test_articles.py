"""What is read from pages as people write them."""

from __future__ import annotations

import pytest

from tests.pages.conftest import HTML
from tests.servers.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")
ARTICLE = (HTML / "article.html").read_bytes()
URL = "https://post.example.com/nature/owls.html"
PARAGRAPH = (
    "<p>" + "The wind turned in the night, and by the morning all the boats had gone out to sea again. " * 3 + "</p>"
)


async def test_an_article_is_read_without_what_surrounds_it(reader: World) -> None:
    page = await reader.call("pages.extract", html=ARTICLE, url=URL)
    for words in (
        "An owl is heard long before it is seen.",
        "Listen first, then look",
        "Take the first bus to the mill",
    ):
        assert words in page.text
    for words in ("Weather today", "Buy boots", "trollface", "Ten fish", "Imprint", "tracking", "color: red", "<p>"):
        assert words not in page.text
    assert not page.cut


async def test_it_says_one_paragraph_a_line(reader: World) -> None:
    page = await reader.call("pages.extract", html=ARTICLE, url=URL)
    [heard] = [line for line in page.text.splitlines() if line.startswith("The tawny owl")]
    assert heard.endswith("above the hills and the wind drops.")
    assert "" not in page.text.splitlines()


async def test_it_says_what_the_page_says_of_itself(reader: World) -> None:
    page = await reader.call("pages.extract", html=ARTICLE, url=URL)
    assert (page.title, page.author, page.date) == ("Owls of the northern woods", "Ada Lindqvist", "2026-11-20")
    assert (page.site, page.language) == ("The Evening Post", "en-GB")
    assert page.description == "What a winter among owls taught a listener."


async def test_links_are_absolute_in_order_and_each_once(reader: World) -> None:
    page = await reader.call("pages.extract", html=ARTICLE, url=URL)
    assert [(link.url, link.text) for link in page.links] == [
        ("https://post.example.com/", "Home"),
        ("https://post.example.com/sport", "Sport"),
        ("https://post.example.com/weather", "Weather today"),
        ("https://ads.example.net/buy?x=1", "Buy boots now, half the price"),
        ("https://post.example.com/hills/index.html", "hills"),
        ("https://owls.example.org/atlas", "national atlas"),
        ("mailto:walks@example.com", "Write to us"),
        ("https://post.example.com/fish", "Ten fish you never knew"),
        ("https://post.example.com/imprint", "Imprint"),
    ]


async def test_without_a_url_links_stay_as_they_are(reader: World) -> None:
    page = await reader.call(
        "pages.extract", html=b'<body><a href="/a">A</a><a href="b.html#c">B</a><a href="javascript:x">C</a>'
    )
    assert [link.url for link in page.links] == ["/a", "b.html#c"]


async def test_a_page_says_what_its_links_are_relative_to(reader: World) -> None:
    html = b'<head><base href="/archive/"></head><body><a href="a">A</a><a href="//cdn.example.net/b">B</a>'
    page = await reader.call("pages.extract", html=html, url=URL)
    assert [link.url for link in page.links] == ["https://post.example.com/archive/a", "https://cdn.example.net/b"]


@pytest.mark.parametrize(
    "href",
    ["javascript:alert(1)", "JaVa\tScRiPt:alert(1)", "data:text/html,x", "file:///etc/passwd", "vbscript:x", "blob:x",
     "ftp://example.com/", "http:", "https://", "http://[::1", "//", "tel:1", "\x01javascript:x", " ", "#top"],
)  # fmt: skip
async def test_a_link_leads_to_the_web_or_to_an_address_and_nowhere_else(reader: World, href: str) -> None:
    page = await reader.call("pages.extract", html=f'<body><a href="{href}">x</a>'.encode(), url=URL)
    assert all(link.url.startswith(("http://", "https://post.example.com/", "mailto:")) for link in page.links)
    assert not any("script" in link.url or "etc" in link.url for link in page.links)


async def test_there_are_at_most_a_thousand_links_and_it_says_so(reader: World) -> None:
    html = "<body>" + "".join(f'<a href="/{number}">{number}</a> ' for number in range(1500))
    page = await reader.call("pages.extract", html=html.encode(), url=URL)
    assert len(page.links) == 1000
    assert page.links[-1].url.endswith("/999")
    assert page.cut


async def test_a_page_without_a_main_text_still_has_its_title_and_its_links(reader: World) -> None:
    html = b'<title>Menu</title><body><nav><a href="/a">A</a><a href="/b">B</a></nav>'
    page = await reader.call("pages.extract", html=html, url=URL)
    assert (page.title, [link.text for link in page.links]) == ("Menu", ["A", "B"])


@pytest.mark.parametrize("html", [b"", b" \n", b"<!-- nothing -->", b"<", b"\0\0", b"</p>", b"<!doctype html>"])
async def test_what_says_nothing_is_an_empty_page(reader: World, html: bytes) -> None:
    page = await reader.call("pages.extract", html=html, url=URL)
    assert len(page.text) <= 1
    assert not page.links


GREETING = "Grüße von der Küste"


@pytest.mark.parametrize(
    ("codec", "charset"),
    [
        ("utf-8", ""), ("latin-1", ""), ("latin-1", "ISO-8859-1"), ("utf-16", ""), ("utf-16-be", "utf-16be"),
        ("utf-8-sig", "koi8-r"), ("utf-8", "no-such-charset"), ("utf-8", "utf-7"), ("utf-8", "punycode"),
        ("utf-8", "zlib"), ("utf-8", "\0"), ("utf-8", "utf-8\r\n"), ("utf-8", "x" * 1000),
    ],
)  # fmt: skip
async def test_a_page_is_read_in_its_charset_and_in_no_codec_that_is_none(
    reader: World, codec: str, charset: str
) -> None:
    html = f"<title>{GREETING}</title><p>x".encode(codec)
    page = await reader.call("pages.extract", html=html, charset=charset)
    assert page.title == GREETING


async def test_a_page_is_read_in_the_charset_that_it_declares(reader: World) -> None:
    html = '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251"><title>Совы</title>'
    assert (await reader.call("pages.extract", html=html.encode("cp1251"))).title == "Совы"


async def test_no_character_that_is_not_seen_comes_through(reader: World) -> None:
    hidden = "".join(
        map(chr, (0, 7, 0x1B, 0xAD, 0x200B, 0x200D, 0x202E, 0x2066, 0xFEFF, 0xFE0F, 0xE0041, 0xE0100, 0xE000))
    )
    html = f'<title>A{hidden}B</title><body><a href="/x{hidden[4:]}">C{hidden}D</a><p>E{hidden}F.</p>{PARAGRAPH}'
    page = await reader.call("pages.extract", html=html.encode(), url=URL)
    assert page.title == "AB"
    assert "EF." in page.text
    assert page.links == []
    shown = str(page.title) + page.text
    assert not [char for char in hidden if char in shown]
