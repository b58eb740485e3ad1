"""The matchers: against a plain regular expression, against each other, and against input made to be slow."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentos.v1 import annotations_pb2, matchers
from agentos.v1.matchers import BUDGET, EXACT, HOST, MAIL, MAXIMUM, PATH, BadName

START, HOME = "/home/me/work", "/home/me"

# ---- a second opinion, slow and plain


def as_regex(pattern: str) -> re.Pattern[str]:
    segments = pattern[1:].split("/") if pattern != "/" else []
    out = ""
    for i, segment in enumerate(segments):
        if segment == "**":
            out += "(/[^/]+)+" if i == len(segments) - 1 else "(/[^/]+)*"
        else:
            out += "/(?!/)(?!$)" + "".join(_one(t) for t in re.findall(r"\\.|.", segment, re.DOTALL))
    return re.compile((out or "/") + r"\Z", re.DOTALL)


def _one(token: str) -> str:
    return {"*": "[^/]*", "?": "[^/]"}.get(token) or re.escape(token[-1])


names = st.text(st.sampled_from("ab.*[\\"), min_size=1, max_size=4).filter(lambda s: s not in (".", ".."))
pieces = st.sampled_from(["a", "b", ".", "*", "?", "\\*", "\\["])
pattern_names = st.one_of(
    st.just("**"),
    st.lists(pieces, min_size=1, max_size=4).map("".join).filter(lambda s: "**" not in s and s not in (".", "..")),
)
paths = st.lists(names, max_size=5).map(lambda s: "/" + "/".join(s))
patterns = st.lists(pattern_names, min_size=1, max_size=5).map(lambda s: pattern("/" + "/".join(s)))
anything = st.text(st.characters(), max_size=40)


def pattern(text: str) -> str:
    return matchers.canonical_pattern(PATH, text, START, HOME)


def path(text: str) -> str:
    return matchers.canonical_path(text, START, HOME)


def value(matcher: int, text: str) -> str:
    return matchers.canonical_value(matcher, text, START, HOME)


def test_the_numbers_are_those_of_the_protos() -> None:
    for name in ("PATH", "HOST", "MAIL", "EXACT", "MAXIMUM", "BUDGET"):
        assert getattr(matchers, name) == annotations_pb2.Matcher.Value(f"MATCHER_{name}")


# ---- paths


@given(patterns, paths)
@example("/**", "/")
@example("/a/**/**/b", "/a/b")
def test_a_path_matches_where_the_plain_regular_expression_does(one: str, other: str) -> None:
    assert matchers.matches(PATH, one, other) == bool(as_regex(one).match(other))


@given(patterns, patterns, paths)
@example("/a/**", "/a/**/b", "/a/b")
def test_a_containing_pattern_matches_all_that_the_contained_one_does(wide: str, narrow: str, where: str) -> None:
    if matchers.contains(PATH, wide, narrow) and matchers.matches(PATH, narrow, where):
        assert matchers.matches(PATH, wide, where)


@given(patterns, paths)
def test_a_pattern_contains_itself_and_each_path_it_matches(one: str, where: str) -> None:
    assert matchers.contains(PATH, one, one)
    assert matchers.contains(PATH, one, matchers.literal(PATH, where)) == matchers.matches(PATH, one, where)


@given(patterns, patterns, patterns)
def test_containment_is_transitive(a: str, b: str, c: str) -> None:
    if matchers.contains(PATH, a, b) and matchers.contains(PATH, b, c):
        where = matchers.root(c)
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
    assert matchers.contains(PATH, pattern(wide), pattern(narrow))


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
    assert not matchers.contains(PATH, pattern(wide), pattern(narrow))


@given(paths)
def test_a_literal_pattern_matches_its_path_alone(where: str) -> None:
    assert pattern(matchers.literal(PATH, where)) == matchers.literal(PATH, where)
    assert matchers.matches(PATH, matchers.literal(PATH, where), where)
    assert not matchers.matches(PATH, matchers.literal(PATH, where), where + "x")


@given(patterns, paths)
def test_what_matches_lies_below_the_root_and_all_between_leads_to_it(one: str, where: str) -> None:
    if not matchers.matches(PATH, one, where):
        return
    folder, above = matchers.root(one), where.rpartition("/")[0] or "/"
    assert above == folder or above.startswith(folder.rstrip("/") + "/")
    while above != folder:
        assert matchers.leads(one, above)
        above = above.rpartition("/")[0] or "/"
    assert matchers.leads(one, folder)


@given(patterns, paths)
def test_nothing_outside_the_root_leads(one: str, where: str) -> None:
    if matchers.leads(one, where):
        assert where == matchers.root(one) or where.startswith(matchers.root(one).rstrip("/") + "/")


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


@pytest.mark.parametrize(
    ("one", "folder"),
    [("/a/*/c", "/a"), ("/a/c", "/a"), ("/c", "/"), ("/**", "/"), ("/a/**", "/a"), ("/a\\*/b/*", "/a*/b"), ("/", "/")],
)
def test_the_root_is_the_literal_beginning(one: str, folder: str) -> None:
    assert matchers.root(one) == folder


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
    assert matchers.canonical_path("~x", HOME, HOME) == "/home/me/~x"


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
    assert matchers.canonical_pattern(PATH, "*.md", "/a*b/[x]", HOME) == r"/a\*b/\[x\]/*.md"


def test_the_longest_name_can_be_written_literally() -> None:
    where = "/" + "*" * 255
    assert pattern(matchers.literal(PATH, where)) == matchers.literal(PATH, where)


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


@pytest.mark.parametrize("text", ["*", "*.com", "*.*.com", "a.*.com", "a*.com", "*a.com", "*.1.2.3.4", "*.[::1]", "*."])
def test_a_host_pattern_has_one_wildcard_label_above_a_domain(text: str) -> None:
    with pytest.raises(BadName):
        matchers.canonical_pattern(HOST, text, START, HOME)


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


# ---- mail, exact values, amounts


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


def test_mail_patterns_are_an_address_or_anybody_at_a_domain() -> None:
    one = matchers.canonical_pattern(MAIL, "*@Acme.com", START, HOME)
    assert one == "*@acme.com"
    assert matchers.matches(MAIL, one, value(MAIL, "Bob@ACME.com"))
    assert not matchers.matches(MAIL, one, "bob@x.acme.com")
    assert not matchers.matches(MAIL, one, "bob@evilacme.com")
    for bad in ("*", "*@", "*@*", "*@*.com", "b*@acme.com", "**@acme.com"):
        with pytest.raises(BadName):
            matchers.canonical_pattern(MAIL, bad, START, HOME)


@pytest.mark.parametrize("matcher", [HOST, MAIL])
def test_named_patterns_contain_what_they_match_and_themselves(matcher: int) -> None:
    wide, narrow, other = {
        HOST: ("*.a.com", "x.a.com", "*.x.a.com"),
        MAIL: ("*@a.com", "x@a.com", "*@x.a.com"),
    }[matcher]
    assert matchers.contains(matcher, wide, narrow)
    assert matchers.contains(matcher, wide, wide)
    assert not matchers.contains(matcher, narrow, wide)
    assert not matchers.contains(matcher, wide, other)


def test_exact_values_are_equal_or_not() -> None:
    assert matchers.matches(EXACT, value(EXACT, "INBOX"), "INBOX")
    assert not matchers.matches(EXACT, "INBOX", "inbox")
    assert not matchers.matches(EXACT, "*", "INBOX")
    for bad in ("", "a\nb", "a\u202eb", "x" * 4097):
        with pytest.raises(BadName):
            value(EXACT, bad)


@pytest.mark.parametrize(
    ("text", "count"),
    [("500", 500), ("1_000", 1000), ("10MiB", 10 * 2**20), ("2 GB", 2 * 10**9), ("1kib", 1024), ("7B", 7)],
)
def test_amounts_are_read_with_their_unit(text: str, count: int) -> None:
    assert matchers.amount(text) == count


@pytest.mark.parametrize(
    "text",
    ["", "0", "-1", "1.5MiB", "MiB", "1__0", "_1", "1_", "1e9", "٣", "²", "10 parsecs", "9" * 20, "9000000000000 TiB"],
)
def test_other_amounts_are_refused(text: str) -> None:
    with pytest.raises(BadName):
        matchers.amount(text)


def test_a_count_lies_within_a_bound_up_to_it() -> None:
    for matcher in (MAXIMUM, BUDGET):
        assert matchers.matches(matcher, "500", "500")
        assert not matchers.matches(matcher, "500", "501")
        assert matchers.contains(matcher, "500", "499")
        assert not matchers.contains(matcher, "499", "500")


# ---- all of them


@given(st.sampled_from([PATH, HOST, MAIL, EXACT, MAXIMUM, BUDGET]), anything)
def test_canonical_forms_are_their_own_canonical_form(matcher: int, text: str) -> None:
    for canonical in (matchers.canonical_value, matchers.canonical_pattern):
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
        matchers.contains(PATH, one, one)
    assert (time.process_time() - began) / 10 < 0.05


def test_a_number_of_any_size_or_a_host_of_any_length_is_refused_at_once() -> None:
    began = time.process_time()
    for matcher in (PATH, HOST, MAIL, EXACT, MAXIMUM):
        for text in ("9" * 10**6, "é" * 10**6, "a." * 10**6):
            with pytest.raises(BadName):
                value(matcher, text)
    assert time.process_time() - began < 1
