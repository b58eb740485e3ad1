"""Matching: against a plain regular expression, against the root of a pattern, and against input made to be slow."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentos.v1 import annotations_pb2, matchers
from agentos.v1.matchers import BUDGET, EXACT, HOST, MAIL, MAXIMUM, PATH
from agentos.v1.names import BadName
from agentos.v1.patterns import canonical_pattern, contains, root
from tests.authority.letters import HOME, START
from tests.authority.spellings import anything, as_regex, paths, pattern, patterns


def test_the_numbers_are_those_of_the_protos() -> None:
    for name in ("PATH", "HOST", "MAIL", "EXACT", "MAXIMUM", "BUDGET"):
        assert getattr(matchers, name) == annotations_pb2.Matcher.Value(f"MATCHER_{name}")


# ---- paths


@given(patterns, paths)
@example("/**", "/")
@example("/a/**/**/b", "/a/b")
def test_a_path_matches_where_the_plain_regular_expression_does(one: str, other: str) -> None:
    assert matchers.matches(PATH, one, other) == bool(as_regex(one).match(other))


@given(paths)
def test_a_literal_pattern_matches_its_path_alone(where: str) -> None:
    assert pattern(matchers.literal(PATH, where)) == matchers.literal(PATH, where)
    assert matchers.matches(PATH, matchers.literal(PATH, where), where)
    assert not matchers.matches(PATH, matchers.literal(PATH, where), where + "x")


@given(patterns, paths)
def test_what_matches_lies_below_the_root_and_all_between_leads_to_it(one: str, where: str) -> None:
    if not matchers.matches(PATH, one, where):
        return
    folder, above = root(one), where.rpartition("/")[0] or "/"
    assert above == folder or above.startswith(folder.rstrip("/") + "/")
    while above != folder:
        assert matchers.leads(one, above)
        above = above.rpartition("/")[0] or "/"
    assert matchers.leads(one, folder)


@given(patterns, paths)
def test_nothing_outside_the_root_leads(one: str, where: str) -> None:
    if matchers.leads(one, where):
        assert where == root(one) or where.startswith(root(one).rstrip("/") + "/")


@pytest.mark.parametrize(
    ("one", "folder", "way"),
    [
        ("/a/**/*.md", "/a", True),
        ("/a/**/*.md", "/a/b/c", True),
        ("/a/**/*.md", "/", False),
        ("/a/**/*.md", "/ab", False),
        ("/a/b.md", "/a", True),
        ("/a/b.md", "/a/b.md", False),
        ("/a/*/c", "/a/x", True),
        ("/a/*/c", "/a/x/c", False),
        ("/a/x*/c", "/a/y", False),
        ("/a/**", "/a", True),
        ("/a\\*/b/*", "/a*/b", True),
    ],
)
def test_folders_on_the_way_lead(one: str, folder: str, way: bool) -> None:
    assert matchers.leads(one, folder) is way


def test_a_folder_is_not_its_content_but_a_guarded_folder_is_reached() -> None:
    assert not matchers.matches(PATH, "/home/me/notes/**", "/home/me/notes")
    assert matchers.reaches("/**/.git/**", "/repo/.git")
    assert matchers.reaches("/**/.git/**", "/repo/.git/hooks/pre-commit")
    assert not matchers.reaches("/**/.git/**", "/repo/.github")


def test_wildcards_match_names_that_begin_with_a_dot() -> None:
    assert matchers.matches(PATH, "/a/*", "/a/.ssh")
    assert matchers.matches(PATH, "/**/.git/**", "/.x/.git/y")


def test_a_sibling_with_the_same_beginning_does_not_match() -> None:
    assert not matchers.matches(PATH, "/srv/root/**", "/srv/root-evil/x")


# ---- all of them


@pytest.mark.parametrize(
    ("one", "host", "same"),
    [
        ("*.a.com", "x.a.com", True),
        ("*.a.com", "a.com", False),
        ("*.a.com", "x.y.a.com", False),
        ("*.a.com", "xa.com", False),
        ("*.a.com", ".a.com", False),
        ("a.com", "a.com", True),
        ("a.com", "b.a.com", False),
    ],
)
def test_a_wildcard_label_is_exactly_one_label(one: str, host: str, same: bool) -> None:
    assert matchers.matches(HOST, one, host) is same


@given(st.sampled_from([PATH, HOST, MAIL, EXACT, MAXIMUM, BUDGET]), anything)
def test_canonical_forms_are_their_own_canonical_form(matcher: int, text: str) -> None:
    for canonical in (matchers.canonical_value, canonical_pattern):
        try:
            first = canonical(matcher, text, START, HOME)
        except BadName:
            continue
        assert canonical(matcher, first, "/elsewhere", "/nowhere") == first
        if canonical is matchers.canonical_value:
            exact = matchers.literal(matcher, first)
            assert matchers.matches(matcher, exact, first)


def slow_cases() -> list[tuple[str, str]]:
    return [
        ("/" + "*a" * 30 + "*b", "/" + "a" * 255),
        ("/" + "*" + "a" * 250 + "b", "/" + "a" * 255),
        ("/*" + "?" * 30 + "b*", "/" + "a" * 255),
        ("/**" + "/a" * 120 + "/b/**", "/a" * 256),
        ("/**/a" * 32, "/a" * 255 + "/b"),
        ("/**/*" + "a?" * 20 + "b*/x/**", ("/" + "a" * 255) * 15),
        ("/**" + ("/" + "?a" * 3 + "*b") * 4 + "/x/**", "/aaaaaaaaaaaaaab" * 256),
    ]


@pytest.mark.parametrize(("one", "where"), slow_cases())
def test_no_pattern_is_slow(one: str, where: str) -> None:
    one = pattern(one)
    began = time.process_time()
    for _ in range(10):
        matchers.matches(PATH, one, where)
        matchers.leads(one, where)
        contains(PATH, one, one)
    assert (time.process_time() - began) / 10 < 0.05
