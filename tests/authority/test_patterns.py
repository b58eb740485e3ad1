"""Patterns: as people write them, and one beside the other."""

from __future__ import annotations

import pytest
from hypothesis import example, given

from agentos.v1 import matchers
from agentos.v1.matchers import BUDGET, HOST, MAIL, MAXIMUM, PATH
from agentos.v1.names import BadName
from agentos.v1.patterns import amount, canonical_pattern, contains, root
from tests.authority.letters import HOME, START
from tests.authority.spellings import paths, pattern, patterns, value

# ---- containment


@given(patterns, patterns, paths)
@example("/a/**", "/a/**/b", "/a/b")
def test_a_containing_pattern_matches_all_that_the_contained_one_does(wide: str, narrow: str, where: str) -> None:
    if contains(PATH, wide, narrow) and matchers.matches(PATH, narrow, where):
        assert matchers.matches(PATH, wide, where)


@given(patterns, paths)
def test_a_pattern_contains_itself_and_each_path_it_matches(one: str, where: str) -> None:
    assert contains(PATH, one, one)
    assert contains(PATH, one, matchers.literal(PATH, where)) == matchers.matches(PATH, one, where)


@given(patterns, patterns, patterns)
def test_containment_is_transitive(a: str, b: str, c: str) -> None:
    if contains(PATH, a, b) and contains(PATH, b, c):
        where = root(c)
        assert not matchers.matches(PATH, c, where) or matchers.matches(PATH, a, where)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("/a/**", "/a/**/*.md"),
        ("/a/**", "/a/*/**"),
        ("/a/*/**/b", "/a/x/**/b"),
        ("/a/*/**/b", "/a/**/x/b"),
        ("/a/**/b", "/a/b"),
        ("/a/*.md", "/a/*x.md"),
        ("/a/*?", "/a/?*"),
        ("/a/?*", "/a/*"),
        ("/a/**/*", "/a/**"),
        ("/**", "/a"),
    ],
)
def test_containment_sees_the_usual_narrowings(wide: str, narrow: str) -> None:
    assert contains(PATH, pattern(wide), pattern(narrow))


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("/a/*/**", "/a/**"),
        ("/a/*", "/a/**"),
        ("/a/?", "/a/*"),
        ("/a/**", "/a"),
        ("/a/*/**/b", "/a/**/b"),
        ("/a", "/ab"),
        ("/a/*.md", "/a/*"),
        ("/a/a*", "/a/?*"),
    ],
)
def test_containment_refuses_what_is_wider(wide: str, narrow: str) -> None:
    assert not contains(PATH, pattern(wide), pattern(narrow))


@pytest.mark.parametrize("matcher", [HOST, MAIL])
def test_named_patterns_contain_what_they_match_and_themselves(matcher: int) -> None:
    wide, narrow, other = {
        HOST: ("*.a.com", "x.a.com", "*.x.a.com"),
        MAIL: ("*@a.com", "x@a.com", "*@x.a.com"),
    }[matcher]
    assert contains(matcher, wide, narrow)
    assert contains(matcher, wide, wide)
    assert not contains(matcher, narrow, wide)
    assert not contains(matcher, wide, other)


def test_a_count_lies_within_a_bound_up_to_it() -> None:
    for matcher in (MAXIMUM, BUDGET):
        assert matchers.matches(matcher, "500", "500")
        assert not matchers.matches(matcher, "500", "501")
        assert contains(matcher, "500", "499")
        assert not contains(matcher, "499", "500")


# ---- as people write them


@pytest.mark.parametrize(
    ("one", "folder"),
    [("/a/*/c", "/a"), ("/a/c", "/a"), ("/c", "/"), ("/**", "/"), ("/a/**", "/a"), ("/a\\*/b/*", "/a*/b"), ("/", "/")],
)
def test_the_root_is_the_literal_beginning(one: str, folder: str) -> None:
    assert root(one) == folder


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("notes/**/*.md", "/home/me/work/notes/**/*.md"),
        ("notes/**/**", "/home/me/work/notes/**"),
        ("~/x?", "/home/me/x?"),
        ("./~x", "/home/me/work/~x"),
        (r"a\*b", r"/home/me/work/a\*b"),
        ("**", "/home/me/work/**"),
    ],
)
def test_a_pattern_has_one_spelling(text: str, canonical: str) -> None:
    assert pattern(text) == canonical


@pytest.mark.parametrize(
    "text", ["a**", "**a", "a/b**/c", "***", "[ab]", "{a,b}", "a\\", "a\\b", "~root/x", "~*", "?*" * 17, "**/a/" * 33]
)
def test_a_pattern_with_any_other_wildcard_is_refused(text: str) -> None:
    with pytest.raises(BadName):
        pattern(text)


def test_wildcards_in_the_folder_a_program_starts_in_are_its_name() -> None:
    assert canonical_pattern(PATH, "*.md", "/a*b/[x]", HOME) == r"/a\*b/\[x\]/*.md"


def test_the_longest_name_can_be_written_literally() -> None:
    where = "/" + "*" * 255
    assert pattern(matchers.literal(PATH, where)) == matchers.literal(PATH, where)


@pytest.mark.parametrize("text", ["*", "*.com", "*.*.com", "a.*.com", "a*.com", "*a.com", "*.1.2.3.4", "*.[::1]", "*."])
def test_a_host_pattern_has_one_wildcard_label_above_a_domain(text: str) -> None:
    with pytest.raises(BadName):
        canonical_pattern(HOST, text, START, HOME)


def test_mail_patterns_are_an_address_or_anybody_at_a_domain() -> None:
    one = canonical_pattern(MAIL, "*@Acme.com", START, HOME)
    assert one == "*@acme.com"
    assert matchers.matches(MAIL, one, value(MAIL, "Bob@ACME.com"))
    assert not matchers.matches(MAIL, one, "bob@x.acme.com")
    assert not matchers.matches(MAIL, one, "bob@evilacme.com")
    for bad in ("*", "*@", "*@*", "*@*.com", "b*@acme.com", "**@acme.com"):
        with pytest.raises(BadName):
            canonical_pattern(MAIL, bad, START, HOME)


@pytest.mark.parametrize(
    ("text", "count"),
    [("500", 500), ("1_000", 1000), ("10MiB", 10 * 2**20), ("2 GB", 2 * 10**9), ("1kib", 1024), ("7B", 7)],
)
def test_amounts_are_read_with_their_unit(text: str, count: int) -> None:
    assert amount(text) == count


@pytest.mark.parametrize(
    "text",
    ["", "0", "-1", "1.5MiB", "MiB", "1__0", "_1", "1_", "1e9", "٣", "²", "10 parsecs", "9" * 20, "9000000000000 TiB"],
)
def test_other_amounts_are_refused(text: str) -> None:
    with pytest.raises(BadName):
        amount(text)
