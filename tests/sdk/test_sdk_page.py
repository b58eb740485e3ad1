"""`net.page(url)` against a web in memory: what is a page, what is none, and what is done when the reader was ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from agentos.sdk import Invalid, LimitExceeded, Unavailable, gather, net
from agentos.sdk.testing import Grant, Kit, Reply
from agentos.v1 import pages_pb2 as pb

URL = "https://post.example/owls.html"
TYPE = {"Content-Type": "text/html; charset=iso-8859-1"}
HTML = """<html lang="en"><head><title>Owls</title><meta name="author" content="Ada"><style>p {}</style></head>
<body><nav><a href="/">Home</a></nav><p>An owl calls.</p><p>Grüße <a href="hills#top">from the hills</a></p></body>"""


class Reader:
    """Notes what it is asked, and is ended at the first so many calls."""

    def __init__(self, ended: int = 0) -> None:
        self.asked: list[pb.PagesExtractRequest] = []
        self._ended = ended

    def extract(self, request: pb.PagesExtractRequest, bounds: Mapping[str, Sequence[str]]) -> pb.PagesExtractResponse:
        self.asked.append(request)
        if len(self.asked) <= self._ended:
            raise Unavailable("another page took so long", "make the call again", "interrupted")
        return pb.PagesExtractResponse(title="Owls", cut=True)


def kit(answer: object, reader: Reader | None = None) -> Kit:
    granted = [Grant("net.fetch", host=["post.example"])]
    return Kit(web={URL: answer}, grants=granted, serve={"pages": reader} if reader else None)


def page_of(answer: object, reader: Reader | None = None) -> net.Page:
    with kit(answer, reader):
        return net.page(URL)


def test_a_page_says_its_text_and_where_it_leads() -> None:
    page = page_of(Reply(HTML.encode("latin-1"), headers=TYPE))
    assert (page.url, page.title, page.author, page.language) == (URL, "Owls", "Ada", "en")
    assert page.text == "An owl calls.\nGrüße from the hills"
    assert [(link.url, link.text) for link in page.links][1] == ("https://post.example/hills#top", "from the hills")


def test_the_reader_is_given_the_bytes_and_what_the_answer_says_of_them() -> None:
    reader = Reader()
    assert page_of(Reply(b"<p>\xff", headers=TYPE), reader).cut
    [asked] = reader.asked
    assert (asked.html, asked.url, asked.charset) == (b"<p>\xff", URL, "iso-8859-1")


def test_without_a_charset_the_page_speaks_for_itself() -> None:
    reader = Reader()
    page_of(Reply(b"<p>", headers={"Content-Type": "TEXT/HTML"}), reader)
    assert reader.asked[0].charset == ""


def test_plain_text_is_a_page_of_its_own() -> None:
    reader = Reader()
    assert page_of("one\ntwo", reader) == net.Page(URL, text="one\ntwo")
    assert page_of(Reply(b"no tag", headers={"Content-Type": ""}), reader).text == "no tag"
    assert not reader.asked


@pytest.mark.parametrize(
    ("kind", "instead"),
    [("application/json", "net.get(url).json()"), ("application/pdf", "net.get(url).content"),
     ("text/csv", "net.get(url).text"), ("application/rss+xml", "net.get(url).text"), ("image/png", ".content")],
)  # fmt: skip
def test_what_is_no_page_says_what_to_use_instead(kind: str, instead: str) -> None:
    with pytest.raises(Invalid, match=kind.replace("+", ".")) as wrong:
        page_of(Reply(b"<p>", headers={"Content-Type": kind}))
    assert instead in wrong.value.hint


def test_a_page_that_is_not_there_is_an_error() -> None:
    with pytest.raises(net.HTTPError, match="404"):
        page_of(Reply(HTML, 404))


def test_a_page_beyond_its_size_is_not_read_to_its_end() -> None:
    with kit(Reply(b"<p>" * (2 << 20), headers=TYPE)) as web, pytest.raises(LimitExceeded, match="4 MiB"):
        net.page(URL)
    assert [made.action for made in web.calls].count("net.read") == 4
    assert web.calls[-1].action == "net.close"


def test_who_waited_for_a_page_that_ended_the_reader_asks_again_and_once() -> None:
    reader = Reader(ended=1)
    assert page_of(Reply(b"<p>", headers=TYPE), reader).title == "Owls"
    assert len(reader.asked) == 2
    with pytest.raises(Unavailable):
        page_of(Reply(b"<p>", headers=TYPE), Reader(ended=2))


def test_several_pages_are_fetched_side_by_side_and_each_has_its_own_error() -> None:
    with kit(Reply(HTML, headers=TYPE)):
        found, missing = gather(net.page.call(URL), net.page.call("https://other.example/"))
    assert isinstance(found, net.Page)
    assert isinstance(missing, PermissionError)
