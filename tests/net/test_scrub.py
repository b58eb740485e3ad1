"""A secret that comes back: found in whatever form, over any boundary, and replaced by its mark."""

from __future__ import annotations

import base64
import html
import json
import string
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos.capabilities.net.scrub import Needles, Stream
from agentos.v1.capability_pb2 import Secret

VALUE = 'gh"p/9+x%Z Tq&<\\u7'
MARK = b"[secret github]"
PRINTABLE = "".join(map(chr, range(33, 127)))
VALUES = st.text(PRINTABLE, min_size=8, max_size=60).filter(lambda text: len(set(text)) >= 4)


def named(value: str = VALUE, name: str = "github", form: str = "Bearer {secret}") -> Secret:
    return Secret(name=name, value=value, form=form, header="Authorization", places=["https://a.example/**"])


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(c):04x}" for c in text)


FORMS: dict[str, Callable[[str], bytes]] = {
    "itself": str.encode,
    "upper": lambda text: text.upper().encode(),
    "lower": lambda text: text.lower().encode(),
    "quoted": lambda text: quote(text, safe="").encode(),
    "quoted, lower": lambda text: quote(text, safe="").lower().encode(),
    "quoted, /": lambda text: quote(text).encode(),
    "form": lambda text: quote_plus(text).encode(),
    "all of it quoted": lambda text: "".join(f"%{ord(c):02X}" for c in text).encode(),
    "JSON": lambda text: json.dumps(text)[1:-1].encode(),
    "JSON, /": lambda text: json.dumps(text)[1:-1].replace("/", "\\/").encode(),
    "JSON, all of it": lambda text: escaped(text).encode(),
    "Python": lambda text: "".join(f"\\x{ord(c):02x}" for c in text).encode(),
    "HTML": lambda text: html.escape(text).encode(),
    "HTML, numbers": lambda text: "".join(f"&#{ord(c)};" for c in text).encode(),
    "HTML, hex": lambda text: "".join(f"&#x{ord(c):x};" for c in text).encode(),
    "hex": lambda text: text.encode().hex().encode(),
    "HEX": lambda text: text.encode().hex().upper().encode(),
    "UTF-16": lambda text: text.encode("utf-16-le"),
    "UTF-16, big": lambda text: text.encode("utf-16-be"),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64, URL": lambda text: base64.urlsafe_b64encode(text.encode()),
    "base64, quoted": lambda text: quote(base64.b64encode(text.encode()), safe="").encode(),
    **{
        f"base64 behind {prefix!r}": lambda text, prefix=prefix: base64.b64encode(f"{prefix}{text}}}".encode())  # type: ignore[misc]
        for prefix in ("u:", "me:", "user:", '{"a":"', "Bearer ")
    },
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", [VALUE, "ghp_0123456789abcdefABCDEF", "aB3$aB3$", "-" * 40 + "xyz"])
def test_each_form_is_replaced_and_nothing_else(form: str, value: str) -> None:
    said = Needles([named(value)]).whole(b'{"before": "\xff ' + FORMS[form](value) + b' ", "after": 1}')
    assert MARK in said
    assert said.startswith(b'{"before": "\xff ')
    assert said.endswith(b' ", "after": 1}')
    assert FORMS[form](value)[2:-2] not in said


@given(
    value=VALUES,
    form=st.sampled_from(sorted(FORMS)),
    before=st.binary(max_size=40),
    after=st.binary(max_size=40),
    data=st.data(),
)
def test_a_stream_says_what_the_whole_would_say_however_it_is_cut(
    value: str, form: str, before: bytes, after: bytes, data: st.DataObject
) -> None:
    needles = Needles([named(value)])
    raw = before + FORMS[form](value) + after
    whole = needles.whole(raw)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    stream, said = Stream(needles), b""
    for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        said += stream.feed(raw[start:end])
        assert value.lower().encode() not in said.lower()
    assert said + stream.end() == whole
    assert value.lower().encode() not in whole.lower()


@given(st.binary(max_size=300), VALUES)
def test_what_has_no_secret_in_it_is_left_alone(raw: bytes, value: str) -> None:
    said = Needles([named(value)]).whole(raw)
    assert said == raw or MARK in said


def test_every_byte_alone_is_enough_for_a_stream() -> None:
    raw = b"x" + FORMS["JSON, all of it"](VALUE) + FORMS["base64 behind 'me:'"](VALUE) + VALUE.encode() + b"y"
    needles = Needles([named()])
    stream = Stream(needles)
    said = b"".join(stream.feed(raw[at : at + 1]) for at in range(len(raw))) + stream.end()
    assert said == needles.whole(raw)
    assert said.count(MARK) == 3


def test_a_stream_reads_an_escape_as_the_whole_does_wherever_it_is_cut() -> None:
    """`\\\\` is one backslash: to begin anew in its middle would read what follows in another way."""
    needles = Needles([named("Abcdefgh-1")])
    for said, found in ((rb"\\\u0041bcdefgh-1", True), (rb"\\u0041bcdefgh-1", False)):
        raw = said + b"z" * 2 * needles.longest
        for out in range(len(said)):  # so much is given out first
            stream = Stream(needles)
            told = stream.feed(raw[: needles.longest + out]) + stream.feed(raw[needles.longest + out :]) + stream.end()
            assert told == needles.whole(raw)
            assert (MARK in told) is found


def test_an_answer_that_trickles_in_is_not_delayed() -> None:
    stream = Stream(Needles([named("ghp_0123456789abcdefABCDEF")]))
    for piece in (b'data: {"delta": "Hello"}\n\n', b'data: {"delta": " there \\u00e9"}\n\n', b"data: [DONE]\n\n"):
        assert stream.feed(piece) == piece


def test_what_breaks_off_within_a_value_is_never_given_out() -> None:
    stream = Stream(Needles([named("ghp_0123456789abcdefABCDEF")]))
    assert stream.feed(b"it is\nghp_0123456789abcdefABCDE") == b"it is\n"


def test_what_is_held_back_does_not_tell_a_good_guess_from_a_bad_one() -> None:
    value = "ghp_0123456789abcdefABCDEF"

    def given_out(guess: str) -> list[int]:
        stream = Stream(Needles([named(value)]))
        return [len(stream.feed(guess.encode())) for _ in range(200)]

    for length in range(1, len(value)):
        assert given_out(value[:length]) == given_out("!" * length)


def test_a_find_without_an_end_is_given_out_as_it_comes() -> None:
    stream, said = Stream(Needles([named("abcdabcd")])), b""
    for _ in range(100):
        said += stream.feed(b"abcd" * 1000)
    assert said == MARK
    assert len(stream._held) < 1000
    assert stream.feed(b"") == b""
    assert stream.feed(b"a\nb") + stream.end() == b"a\nb"


def test_secrets_that_overlap_are_replaced_together() -> None:
    both = Needles([named("abcdefgh12", "one"), named("gh12ijklmn", "two")])
    assert both.whole(b"<abcdefgh12ijklmn>") == b"<[secret one]>"
    assert both.whole(b"abcdefgh12 gh12ijklmn") == b"[secret one] [secret two]"


def test_what_stood_in_the_header_is_found_too() -> None:
    basic = named("s3cret-value", form="Basic {me@example.com:secret}")
    sent = base64.b64encode(b"me@example.com:s3cret-value")
    assert Needles([basic]).whole(b"Basic " + sent + b";") == b"Basic [secret github];"
    assert MARK in Needles([basic]).whole(base64.b64encode(sent))


def test_text_keeps_what_is_not_the_secret() -> None:
    assert Needles([named()]).text(f"caf\u00e9 \u2039{VALUE}\u203a") == "caf\u00e9 \u2039[secret github]\u203a"
    assert Needles([]).text("caf\u00e9") == "caf\u00e9"


def test_a_long_value_is_found_as_quickly_as_a_short_one() -> None:
    long = (string.ascii_letters + string.digits) * 60
    said = Needles([named(long)]).whole(b"a" * 2**20 + long.encode() + b"b" * 2**20)
    assert said == b"a" * 2**20 + MARK + b"b" * 2**20
