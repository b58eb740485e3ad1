"""Pages that are made to hurt: each is read or refused, typed, and the server serves the next one."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentos.capabilities.failure import Failure
from agentos.capabilities.pages import charset, plain, server
from agentos.capabilities.pages.reading import read
from agentos.kernel.cells.servers import CallFailed
from agentos.v1 import error_pb2
from tests.pages.bombs import READ, TOO_MUCH, WORDS, attributes, whole
from tests.servers.world import World

served = pytest.mark.asyncio(loop_scope="session")


@served
@pytest.mark.parametrize("name", READ)
async def test_what_is_odd_is_read(reader: World, name: str) -> None:
    page = await reader.call("pages.extract", html=READ[name](), url="https://example.com/")
    assert "root:" not in page.text
    assert len(page.text.encode()) <= plain.MOST_TEXT
    assert page.text.count("lol") <= 1
    assert len(page.title) <= plain.MOST_LINE


@served
@pytest.mark.parametrize("name", TOO_MUCH)
async def test_what_is_too_much_is_refused_with_what_to_do(reader: World, name: str) -> None:
    error = await reader.refused("pages.extract", html=TOO_MUCH[name]())
    assert (error.code, error.detail) == (error_pb2.CODE_LIMIT, "too_large")
    assert error.hint
    # Beyond it there is the limit of memory, which would say the same much later.
    assert ("elements" if name == "elements" else "tags") in error.reason


@served
async def test_a_page_beyond_its_size_is_refused(reader: World) -> None:
    error = await reader.refused("pages.extract", html=b"x" * (server.MOST_HTML + 1))
    assert (error.code, error.detail) == (error_pb2.CODE_LIMIT, "too_large")


@served
async def test_a_long_text_is_cut_and_it_says_so(reader: World) -> None:
    page = await reader.call("pages.extract", html=READ["one long word"]())
    assert page.cut
    assert len(page.text) == plain.MOST_TEXT


@served
@pytest.mark.slow
async def test_a_page_that_keeps_the_parser_busy_is_ended_and_the_next_is_read(reader: World) -> None:
    """With the times as they are: seven seconds of processor."""
    error = await reader.refused("pages.extract", html=attributes())
    assert (error.code, error.detail) in (
        (error_pb2.CODE_LIMIT, "too_large"),
        (error_pb2.CODE_UNAVAILABLE, "interrupted"),
    )
    # The server may be on its way out, and says that the call can be made again.
    for _ in range(2):
        with suppress(CallFailed):
            assert (await reader.call("pages.extract", html=whole(WORDS))).title == "Owls"
            return
    pytest.fail("it is not read")


# ---- whatever comes

TAGS = st.sampled_from(
    ["<p>", "</p>", "<div>", "</div>", "<a href='x'>", "</a>", "<table>", "<td>", "<ul><li>", "<b>", "</i>",
     "<article>", "<main>", "<h2>", "<script>", "</script>", "<!--", "-->", "<![CDATA[", "<?xml?>", "&lt;", "&#0;",
     "text ", "\0",     "<base href='//x'>", "<meta charset=utf-16>", "<svg><style>", "<title>", "<html lang=", "<a href=http://[>x</a>"]
)  # fmt: skip
BOUNDED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@BOUNDED
@given(st.lists(TAGS, max_size=60).map("".join), st.sampled_from(["", "https://example.com/a/b", "x:", "http://["]))
def test_any_heap_of_tags_is_read_or_refused(html: str, url: str) -> None:
    check(html.encode(), url, "")


@BOUNDED
@given(st.binary(max_size=400), st.text(max_size=20))
def test_any_bytes_in_any_charset_are_read_or_refused(html: bytes, named: str) -> None:
    check(html, "https://example.com/", named)


def check(html: bytes, url: str, named: str) -> None:
    try:
        said = server.reply(read(html, url, named))
    except Failure:
        return
    said.SerializeToString()
    for text in (said.title, said.text, said.author, said.site, *(link.url + link.text for link in said.links)):
        assert not any(plain._hidden(character) for character in text.replace("\n", ""))
    assert all(not url or link.url.lower().startswith(("http:", "https:", "mailto:")) for link in said.links)


@given(st.text(max_size=60))
def test_no_label_leads_to_a_codec_that_is_no_charset_of_the_web(label: str) -> None:
    assert charset.known(label) in {"", *charset._WEB}
