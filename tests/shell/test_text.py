"""Text from programs on the person's screen: nothing is obeyed, nothing hides, honest text stays readable."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos.shell.text import LONGEST, escaped, printable, quoted, size, span


@given(st.text())
def test_no_text_brings_anything_hidden_into_a_question(text: str) -> None:
    shown = escaped(text)
    assert shown == " ".join(shown.split(" "))
    assert not [
        each for each in shown if unicodedata.category(each)[0] == "C" or unicodedata.category(each) in ("Zl", "Zp")
    ]


@given(st.text())
def test_no_output_moves_the_cursor_or_turns_a_line_around(text: str) -> None:
    shown = printable(text)
    assert not [each for each in shown if unicodedata.category(each) == "Cc" and each not in "\n\t"]
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


@pytest.mark.parametrize(
    "hidden",
    ["\x1b[2J", "\u202e", "\u200b", "\u2060", "\ufeff", "\u00ad", "\u3164", "\u2800", "\u00a0", "\U000e0041", "\n"],
)
def test_a_question_spells_out_what_could_not_be_seen(hidden: str) -> None:
    shown = escaped(f"a{hidden}b")
    assert hidden not in shown
    assert "\\" in shown


@pytest.mark.parametrize("honest", ["/home/me/Überblick.md", "/home/я/заметки", "/写真/東京.jpg", "naïve (2).md"])
def test_honest_names_stay_as_they_are(honest: str) -> None:
    assert escaped(unicodedata.normalize("NFC", honest)) == honest
    assert escaped(unicodedata.normalize("NFD", honest)) == unicodedata.normalize("NFD", honest)


def test_emoji_and_lines_stay_in_output() -> None:
    assert printable("done 👩‍👩‍👧\n\tok") == "done 👩‍👩‍👧\n\tok"


def test_a_pile_of_marks_does_not_cover_the_lines_around_it() -> None:
    assert escaped("e" + "\u0301" * 50).count("\u0301") == 2


@given(st.text(max_size=3000))
def test_a_quoted_text_has_a_largest_size(text: str) -> None:
    assert len(quoted(text)) <= LONGEST + 10


def test_sizes_and_spans_are_said_as_a_person_says_them() -> None:
    assert [size(each) for each in (0, 512, 20_480, 128 << 20)] == ["0 B", "512 B", "20 KiB", "128 MiB"]
    assert [span(each) for each in (840, 3_100, 2_400_000, 120_000_000, 185_000_000)] == [
        "840 µs",
        "3.1 ms",
        "2.4 s",
        "2 min",
        "3 min 5 s",
    ]
    assert [span(999_600), size(1_023 << 10), size(1_023 << 20)] == ["1000 ms", "1023 KiB", "1023 MiB"]
