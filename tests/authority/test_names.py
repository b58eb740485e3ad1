"""Paths, hosts, addresses and exact values: one spelling each, and none that could be taken for another."""

from __future__ import annotations

import time

import pytest
from hypothesis import given

from agentos.v1 import matchers
from agentos.v1.matchers import EXACT, HOST, MAIL, MAXIMUM, PATH, PORT
from agentos.v1.names import BadName
from agentos.v1.paths import canonical_path
from tests.authority.letters import HOME
from tests.authority.spellings import anything, path, pattern, value


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("notes", "/home/me/work/notes"),
        ("./notes//a/./b/", "/home/me/work/notes/a/b"),
        ("~", "/home/me"),
        ("~/notes/", "/home/me/notes"),
        ("~$lock.docx", "/home/me/work/~$lock.docx"),
        ("/", "/"),
        ("//etc", "/etc"),
        (".", "/home/me/work"),
        ("...", "/home/me/work/..."),
        ("räksmörgås ☃", "/home/me/work/räksmörgås ☃"),
    ],
)
def test_a_path_has_one_spelling(text: str, canonical: str) -> None:
    assert path(text) == canonical


def test_a_name_like_home_is_not_home_where_the_program_starts_in_home() -> None:
    assert canonical_path("~x", HOME, HOME) == "/home/me/~x"


def test_a_relative_path_wants_a_folder_to_start_from() -> None:
    for start, home in (("", HOME), ("work", HOME)):
        with pytest.raises(BadName):
            canonical_path("notes", start, home)
    with pytest.raises(BadName):
        canonical_path("~/notes", HOME, "")


BAD_PATHS = [
    "",
    "..",
    "a/../b",
    "/..",
    "a\0b",
    "a\nb",
    "a\x7fb",
    "a\u202eb",
    "a\u200bb",
    "a\u2066b",
    "a\ufeffb",
    "a\u3164b",
    "a\ufe0fb",
    "a\u2028b",
    "a\ud800b",
    "x" * 256,
    "é" * 128,
    "x/" * 257,
    "/" + "x" * 4096,
    "/" + "/".join(["é" * 100] * 30),
]


@pytest.mark.parametrize("text", BAD_PATHS)
def test_a_path_that_cannot_be_shown_or_named_is_refused(text: str) -> None:
    with pytest.raises(BadName) as bad:
        path(text)
    assert str(bad.value).isascii()
    assert str(bad.value).isprintable()
    with pytest.raises(BadName):
        pattern(text)


def test_a_path_may_be_as_long_as_linux_opens_and_no_longer() -> None:
    longest = ("/" + "x" * 255) * 15 + "/" + "x" * 254
    assert len(longest) == 4095
    for good in ("/" + "x" * 255, "/x" * 256, longest):
        assert path(good) == good
    for bad in ("/x" * 257, longest + "x"):
        with pytest.raises(BadName):
            path(bad)


INVISIBLE = [
    0x34F,
    0x115F,
    0x1160,
    0x17B4,
    0x17B5,
    *range(0x180B, 0x1810),
    0x2065,
    0x3164,
    *range(0xFE00, 0xFE10),
    0xFFA0,
]
NEIGHBOURS = [
    0x34E,
    0x350,
    0x115E,
    0x1161,
    0x17B3,
    0x17B6,
    0x180A,
    0x1810,
    0x3163,
    0x3165,
    0xFDFF,
    0xFE10,
    0xFF9F,
    0xFFA1,
]


def test_a_character_that_is_drawn_as_nothing_is_refused_and_its_neighbours_are_not() -> None:
    for code in INVISIBLE:
        with pytest.raises(BadName, match=f"U\\+{code:04X}"):
            path(f"a{chr(code)}b")
    for code in NEIGHBOURS:
        assert path(f"/a{chr(code)}b") == f"/a{chr(code)}b"


# ---- hosts


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("EXAMPLE.com", "example.com"),
        ("localhost", "localhost"),
        ("bücher.de", "xn--bcher-kva.de"),
        ("BÜCHER.de", "xn--bcher-kva.de"),
        ("bu\u0308cher.de", "xn--bcher-kva.de"),
        ("192.0.2.1", "192.0.2.1"),
        ("[::1]", "::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:7f00:1", "127.0.0.1"),
        ("3com.com", "3com.com"),
    ],
)
def test_a_host_has_one_spelling(text: str, canonical: str) -> None:
    assert value(HOST, text) == canonical


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "a..b", "example.com.", "-a.com", "a-.com", "a_b.com", "x" * 64 + ".com", "a." * 127 + "com"),
        *("2130706433", "0x7f000001", "0x7f.1", "127.1", "0127.0.0.1", "0177.0.0.1", "1.2.3.4.5", "a.0x", "a.1"),
        *(
            "①②⑦.⓪.⓪.①",
            "127。0。0。1",
            "１２７.0.0.1",
            "example。com",
            "ｅxample.com",
            "faß.de",
            "a\u200db.com",
            "a\u00adb.com",
        ),
        *("a.com:80", "u@a.com", "a.com/x", "a.com\\x", "a b.com", "a\r\nb.com", "a\tb.com", "%61.com", "http://a.com"),
        *("[::1", "::1]", "[1.2.3.4]", "fe80::1%eth0", "[::1]:80", ":::", "*.com", "*"),
    ],
)
def test_a_host_with_two_readings_is_refused(text: str) -> None:
    with pytest.raises(BadName):
        value(HOST, text)


@given(anything)
def test_no_text_becomes_an_address_that_it_does_not_spell(text: str) -> None:
    try:
        host = value(HOST, text)
    except BadName:
        return
    assert host.isascii()
    assert value(HOST, host) == host
    if host.replace(".", "").isdigit():
        assert text == host or ":" in text


# ---- mail addresses and exact values


@pytest.mark.parametrize(
    "text",
    [
        *("", "bob", "@a.com", "bob@", '"bob@a.com" <evil@x.com>', '"a b"@b.c', "a@b@c", "evil@x,b@b", "<a@b.c>"),
        *("a@1.2.3.4", "a@[1.2.3.4]", "a@::1", "a\r\n@b.c", "a@b.c\n", "a..b@c.d", ".a@b.c", "a.@b.c", "(x)a@b.c"),
        *("a%b@c.d", "a!b@c.d", "*@b.c", "ü@b.c", "a@b.c,d@e.f", "x" * 65 + "@b.c", "a@b.c ", " a@b.c"),
    ],
)
def test_anything_but_one_plain_address_is_refused(text: str) -> None:
    with pytest.raises(BadName):
        value(MAIL, text)


def test_each_kind_of_name_may_be_as_long_as_its_standard_says_and_no_longer() -> None:
    label = "x" * 63
    host = f"{label}.{label}.{label}.{'x' * 61}"
    assert len(host) == 253
    local = "x" * 64
    address = f"{local}@{label}.{label}.{'x' * 61}"
    assert len(address) == 254
    for matcher, longest in ((HOST, label), (HOST, host), (MAIL, f"{local}@b.c"), (MAIL, address), (EXACT, "x" * 4096)):
        assert value(matcher, longest) == longest
        with pytest.raises(BadName):
            value(matcher, "x" + longest)
    with pytest.raises(BadName, match="longer than 253"):
        value(HOST, f"{label}.{label}.{label}.é{'x' * 54}")  # it is short enough only as it is written


def test_a_port_is_a_number_from_1_to_65535_in_one_spelling() -> None:
    for good in ("1", "443", "65535"):
        assert value(PORT, good) == good
    for bad in ("", "0", "0443", "65536", "443 ", "٣", "²", "-1", "100000"):
        with pytest.raises(BadName):
            value(PORT, bad)


def test_exact_values_are_equal_or_not() -> None:
    assert matchers.matches(EXACT, value(EXACT, "INBOX"), "INBOX")
    assert not matchers.matches(EXACT, "INBOX", "inbox")
    assert not matchers.matches(EXACT, "*", "INBOX")
    for bad in ("", "a\nb", "a\u202eb", "x" * 4097):
        with pytest.raises(BadName):
            value(EXACT, bad)


def test_a_number_of_any_size_or_a_host_of_any_length_is_refused_at_once() -> None:
    began = time.process_time()
    for matcher in (PATH, HOST, MAIL, EXACT, MAXIMUM):
        for text in ("9" * 10**6, "é" * 10**6, "a." * 10**6):
            with pytest.raises(BadName):
                value(matcher, text)
    assert time.process_time() - began < 1
