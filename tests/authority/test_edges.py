"""Where names, patterns and amounts end: the last that is taken, the first that is refused, and in which words."""

from __future__ import annotations

import pytest

from agentos.v1 import matchers, patterns
from agentos.v1.annotations_pb2 import Matcher
from agentos.v1.matchers import EXACT, HOST, MAIL, MAXIMUM, PATH, PORT, SECRET, URL_PATH
from agentos.v1.names import BadName
from agentos.v1.paths import canonical_path
from agentos.v1.patterns import canonical_pattern
from tests.authority.letters import HOME, START
from tests.authority.spellings import value

LONG_PATH = "/" + "/".join(["x" * 255] * 15 + ["x" * 254])  # 4095 bytes
LONG_HOST = ".".join(["x" * 63] * 3 + ["x" * 61])  # 253 bytes

# What is just taken, and its canonical form where that is another.
VALUES: list[tuple[int, str, str]] = [
    (PATH, LONG_PATH, ""), (PATH, "/" + "é" * 127 + "x", ""), (PATH, "/a" * 256, ""), (PATH, "/...", ""),
    (PATH, "~", HOME), (PATH, "~/a", f"{HOME}/a"), (PATH, "~a", f"{START}/~a"), (PATH, "a", f"{START}/a"),
    (HOST, LONG_HOST, ""), (HOST, "x" * 63 + ".com", ""), (HOST, "A.Com", "a.com"), (HOST, "1a.2b", ""),
    (HOST, "0x.com", ""), (HOST, "0xg", ""), (HOST, "a-b.c0", ""), (HOST, "zü.de", "xn--z-eha.de"),
    (HOST, "127.0.0.1", ""),
    (HOST, "[::1]", "::1"), (HOST, "::FFFF:1.2.3.4", "1.2.3.4"), (HOST, "2001:DB8::0:1", "2001:db8::1"),
    (MAIL, "x" * 64 + "@b.c", ""), (MAIL, "A.b_c+d-e'f=g&h~i#j@B.C", "a.b_c+d-e'f=g&h~i#j@b.c"),
    (MAIL, "0@" + "a" * 62 + "." + "b" * 63 + "." + "c" * 63 + "." + "d" * 61, ""),
    (EXACT, "x" * 4096, ""), (EXACT, "é" * 2048, ""), (EXACT, "a b", ""),
    (PORT, "1", ""), (PORT, "9", ""), (PORT, "10", ""), (PORT, "65535", ""),
    (URL_PATH, "", "/"), (URL_PATH, "/" + "a" * 7999, ""), (URL_PATH, "/a" * 256, ""), (URL_PATH, "/a/", ""),
    (URL_PATH, "/%7Ea%2fb", "/~a%2Fb"), (URL_PATH, "/é?q=é&r=/?", "/%C3%A9?q=%C3%A9&r=/?"), (URL_PATH, "/a%20b", ""),
    (URL_PATH, "/a;b=c", ""), (URL_PATH, "/.a/b..", ""), (URL_PATH, "/a?", ""), (URL_PATH, "/-._~!$&'()*+,;=:@", ""),
]  # fmt: skip
PATTERNS: list[tuple[int, str, str]] = [
    (PATH, LONG_PATH, ""), (PATH, "/" + "*a" * 32, ""), (PATH, "/**/a" * 32, ""), (PATH, "/**/**/a/**", "/**/a/**"),
    (PATH, "~", HOME), (PATH, "~/*", f"{HOME}/*"), (PATH, "./~x", f"{START}/~x"), (PATH, r"/\*\?\[\]\{\}\\", ""),
    (PATH, "/" + r"\*" * 255, ""),
    (HOST, "*.A.com", "*.a.com"), (HOST, "a.com", ""), (HOST, "*.1a.com", ""), (HOST, "*.a.1b", ""), (HOST, "::1", ""),
    (HOST, "*." + "x" * 63 + ".com", ""), (HOST, "1.2.3.4", ""),
    (MAIL, "a@b.c", ""), (MAIL, "*@B.c", "*@b.c"), (MAIL, "*@localhost", ""),
    (MAIL, "*@" + "a" * 62 + "." + "b" * 63 + "." + "c" * 63 + "." + "d" * 61, ""),
    (URL_PATH, "/v1/**/**", "/v1/**"), (URL_PATH, "/*a*/b", ""), (URL_PATH, r"/a\*b", ""), (URL_PATH, "/%7e*", "/~*"),
    (URL_PATH, "/*" * 32, ""), (URL_PATH, "/" + "a" * 7999, ""), (URL_PATH, "/é/*", "/%C3%A9/*"),
    (MAXIMUM, "1", ""), (MAXIMUM, "0000000000000000001", "1"), (MAXIMUM, "9223372036854775807", ""),
    (MAXIMUM, "7B", "7"),
    (MAXIMUM, "1 kB", "1000"), (MAXIMUM, "1_0Kib", "10240"), (MAXIMUM, "2mb", "2000000"), (MAXIMUM, "2MiB", "2097152"),
    (MAXIMUM, "3GB", "3000000000"), (MAXIMUM, "1gib", "1073741824"), (MAXIMUM, "1TB", "1000000000000"),
    (MAXIMUM, "1tib", "1099511627776"),
]  # fmt: skip


@pytest.mark.parametrize(("matcher", "text", "canonical"), VALUES)
def test_the_last_value_that_fits_is_taken(matcher: int, text: str, canonical: str) -> None:
    assert value(matcher, text) == (canonical or text)


@pytest.mark.parametrize(("matcher", "text", "canonical"), PATTERNS)
def test_the_last_pattern_that_fits_is_taken(matcher: int, text: str, canonical: str) -> None:
    assert canonical_pattern(matcher, text, START, HOME) == (canonical or text)


def empty(what: str) -> str:
    return f"{what} is empty"


def longer(what: str, most: int) -> str:
    return f"{what} is longer than {most} bytes"


def hidden(what: str, number: str) -> str:
    return f"{what} has a control or invisible character, U+{number}"


DOTS = "`..` is not allowed in a path: write the folder itself"
NO_HOST = "not a host name: letters, digits, `-` and dots, without port, path or user"
NO_ADDRESS = "not a host: write an address as 192.0.2.1 or 2001:db8::1, without port"
READINGS = "the host has characters with more than one reading: write its xn-- form"
NO_MAIL = "not one plain mail address: name@example.com, without display name, quotes or comments"
MAIL_NAME = "a mail address ends in a name, not in a number"
NO_PORT = "a port is a number from 1 to 65535"
NO_URL = "a path of a URL begins with / and has no #"
URL_DOTS = "`.` and `..` are not allowed in the path of a URL"
PERCENT = "a % stands only before two hex digits: write %25 for the character itself"

REFUSED_VALUES: list[tuple[int, str, str]] = [
    (PATH, "", empty("the path")), (PATH, LONG_PATH + "x", longer("the path", 4095)),
    (PATH, "é" * 2048, longer("the path", 4095)), (PATH, "/" + "/".join(["é" * 100] * 20) + "/" + "y" * 76,
     longer("the path", 4095)),
    (PATH, "a\x1bb", hidden("the path", "001B")), (PATH, "a\u115fb", hidden("the path", "115F")),
    (PATH, "a\u2028b", hidden("the path", "2028")), (PATH, "a/../b", DOTS),
    (PATH, "/a" * 257, "a path has at most 256 segments"),
    (PATH, "x" * 256, "a name in the path is longer than 255 bytes"),
    (HOST, "", empty("the host")), (HOST, LONG_HOST + "x", longer("the host", 253)), (HOST, "a_b.com", NO_HOST),
    (HOST, "-a.com", NO_HOST), (HOST, "a-.com", NO_HOST), (HOST, "a..b", NO_HOST), (HOST, "x" * 64 + ".com", NO_HOST),
    (HOST, "127.1", NO_ADDRESS), (HOST, "a.0x", NO_ADDRESS), (HOST, "a.0xf", NO_ADDRESS), (HOST, "::g", NO_ADDRESS),
    (HOST, "[::1", NO_ADDRESS), (HOST, "::1]", NO_ADDRESS),
    (HOST, "fe80::1%eth0", "an address with a zone is not allowed"),
    (HOST, "①.com", READINGS), (HOST, "faß.de", READINGS), (HOST, "a。b", READINGS), (HOST, "ς.gr", READINGS),
    (HOST, "ü" * 70 + ".de", "not a host name: write its xn-- form"),
    (HOST, ("ü" * 20 + ".") * 6 + "de" + "f" * 40, longer("the host", 253)),
    (MAIL, "", empty("the address")), (MAIL, "x" * 255, longer("the address", 254)), (MAIL, "bob", NO_MAIL),
    (MAIL, "a..b@c.d", NO_MAIL), (MAIL, ".a@c.d", NO_MAIL), (MAIL, "x" * 65 + "@b.c", NO_MAIL),
    (MAIL, "a b@c.d", NO_MAIL),
    (MAIL, "a@1.2.3.4", MAIL_NAME), (MAIL, "a@::1", MAIL_NAME), (MAIL, "a@b_c.d", NO_HOST), (MAIL, "a@b@c.d", NO_MAIL),
    (EXACT, "", empty("the value")), (EXACT, "x" * 4097, longer("the value", 4096)),
    (EXACT, "é" * 2048 + "x", longer("the value", 4096)), (EXACT, "a\nb", hidden("the value", "000A")),
    (PORT, "", NO_PORT), (PORT, "0", NO_PORT), (PORT, "080", NO_PORT), (PORT, "65536", NO_PORT), (PORT, "٣", NO_PORT),
    (PORT, "22 ", NO_PORT), (PORT, "-1", NO_PORT), (PORT, "022222", NO_PORT),
    (URL_PATH, "v1", NO_URL), (URL_PATH, "/a#b", NO_URL), (URL_PATH, "/a" * 257, "a path has at most 256 segments"),
    (URL_PATH, "/a//b", "a path has no // in it"), (URL_PATH, "/a\\b", "a path of a URL has no \\"),
    (URL_PATH, "/a/../b", URL_DOTS), (URL_PATH, "/a/%2e%2E/b", URL_DOTS), (URL_PATH, "/%252e%252e", URL_DOTS),
    (URL_PATH, "/..;a", URL_DOTS), (URL_PATH, "/a%2f..", URL_DOTS), (URL_PATH, "/a%5c..", URL_DOTS),
    (URL_PATH, "/.%20", URL_DOTS),
    (URL_PATH, "/%0d", "the path has an encoded control character"),
    (URL_PATH, "/%257f", "the path has an encoded control character"),
    (URL_PATH, "/%1f", "the path has an encoded control character"), (URL_PATH, "/%", PERCENT),
    (URL_PATH, "/a?%4", PERCENT),
    (URL_PATH, "/" + "a" * 8000, longer("the path", 8000)), (URL_PATH, "/" + "é" * 3000, longer("the path", 8000)),
    (0, "a", "no such matcher"), (MAXIMUM, "1", "no such matcher"),
]  # fmt: skip

WILDCARDS = "a pattern has at most 32 wildcards"
WHOLE = "`**` is only allowed as a whole segment: folder/**/*.md"
FIRST_LABEL = "only the first label of a host may be a wildcard: *.example.com"
TWO_LABELS = "a wildcard needs a domain below it of at least two labels: *.example.com"
URL_PATTERN = "a pattern of a URL's path begins with / and has no ? or #: /v1/**"
NO_AMOUNT = "not an amount: write a number such as 500, 1_000 or 10MiB"
AMOUNT_RANGE = "an amount is at least 1 and below 2^63"
ALONE = "a host stands alone: api.example.com; what stands before and behind it are other bounds"
NO_SECRET = "a secret has a name of small letters, digits, dots, dashes and underscores: github"
REFUSED_PATTERNS: list[tuple[int, str, str]] = [
    (PATH, "~root/x", "`~name` is not supported: write the folder, or ./~name for a name that begins with ~"),
    (PATH, "a**", WHOLE), (PATH, "**a", WHOLE),
    (PATH, "[ab]", "only *, ? and ** are wildcards: write \\[ for the character itself"),
    (PATH, "[a**", "only *, ? and ** are wildcards: write \\[ for the character itself"),
    (PATH, "{a}", "only *, ? and ** are wildcards: write \\{ for the character itself"),
    (PATH, "a\\b", "`\\` stands only before one of * ? [ ] { } \\"), (PATH, "/" + "*a" * 33, WILDCARDS),
    (PATH, "/" + "a?" * 33, WILDCARDS),
    (PATH, "/**/a" * 33, WILDCARDS), (PATH, "x" * 256, "a name in the path is longer than 255 bytes"),
    (PATH, LONG_PATH + "x", longer("the path", 4095)),
    (PATH, "/" + "x/" * 5000, longer("the path", 8190)), (PATH, "a/..", DOTS),
    (PATH, "/a" * 257, "a path has at most 256 segments"),
    (HOST, "a*.com", FIRST_LABEL), (HOST, "*.*.com", FIRST_LABEL), (HOST, "*a.com", FIRST_LABEL),
    (HOST, "*", FIRST_LABEL),
    (HOST, "*.com", TWO_LABELS), (HOST, "*.1.2.3.4", TWO_LABELS), (HOST, "*.::1", TWO_LABELS),
    (HOST, "*.", empty("the host")),
    (HOST, "a.com/v1", ALONE), (HOST, "https://a.com", ALONE),
    (HOST, "a.com:80", "a port is a bound of its own: port = 80"),
    (HOST, ":80", "not a host: write an address as 192.0.2.1 or 2001:db8::1, without port"),
    (SECRET, "GitHub", NO_SECRET), (SECRET, "", NO_SECRET), (SECRET, "a" * 65, NO_SECRET),
    (MAIL, "*", NO_MAIL), (MAIL, "*@", empty("the host")), (MAIL, "*@*.com", NO_HOST), (MAIL, "*@1.2.3.4", MAIL_NAME),
    (MAIL, "*@" + "a" * 253, longer("the address", 254)), (MAIL, "*@\u200b", hidden("the address", "200B")),
    (URL_PATH, "", empty("the pattern")), (URL_PATH, "/" + "a" * 8000, longer("the pattern", 8000)),
    (URL_PATH, "v1", URL_PATTERN), (URL_PATH, "/v1?x", URL_PATTERN), (URL_PATH, "/v1#x", URL_PATTERN),
    (URL_PATH, "/*" * 33, WILDCARDS), (URL_PATH, "/a\\b", "`\\` stands only before *"),
    (URL_PATH, "/a**", "`**` is only allowed as a whole segment: /v1/**"),
    (URL_PATH, "/a//b", "a path has no // in it"),
    (URL_PATH, "/%zz", PERCENT), (URL_PATH, "/a" * 257, "a path has at most 256 segments"),
    (URL_PATH, "/../*", URL_DOTS),
    (MAXIMUM, "", NO_AMOUNT), (MAXIMUM, "1.5MiB", NO_AMOUNT), (MAXIMUM, "1__0", NO_AMOUNT), (MAXIMUM, "_1", NO_AMOUNT),
    (MAXIMUM, "10 parsecs", NO_AMOUNT), (MAXIMUM, "1" * 20, NO_AMOUNT), (MAXIMUM, "٣", NO_AMOUNT),
    (MAXIMUM, "1\tB", NO_AMOUNT),
    (MAXIMUM, "0", AMOUNT_RANGE), (MAXIMUM, "9223372036854775808", AMOUNT_RANGE),
    (MAXIMUM, "9000000000000 TiB", AMOUNT_RANGE),
    (MAXIMUM, "1X", NO_AMOUNT),
]  # fmt: skip


@pytest.mark.parametrize(("matcher", "text", "words"), REFUSED_VALUES)
def test_the_first_value_that_does_not_fit_is_refused_in_these_words(matcher: int, text: str, words: str) -> None:
    with pytest.raises(BadName) as refused:
        value(matcher, text)
    assert str(refused.value) == words


@pytest.mark.parametrize(("matcher", "text", "words"), REFUSED_PATTERNS)
def test_the_first_pattern_that_does_not_fit_is_refused_in_these_words(matcher: int, text: str, words: str) -> None:
    with pytest.raises(BadName) as refused:
        canonical_pattern(matcher, text, START, HOME)
    assert str(refused.value) == words


@pytest.mark.parametrize(
    ("start", "home", "text"), [("", HOME, "a"), ("work", HOME, "a"), (START, "", "~"), (START, "me", "~/a")]
)
def test_a_path_that_is_relative_to_nothing_is_refused(start: str, home: str, text: str) -> None:
    with pytest.raises(BadName, match=r"^a relative path, and no folder to start from$"):
        canonical_path(text, start, home)


CONTAINED: list[tuple[int, str, str, bool]] = [
    (URL_PATH, "/v1/**", "/v1/*", True), (URL_PATH, "/v1/*", "/v1/**", False), (URL_PATH, "/v1/*", "/v1/a", True),
    (URL_PATH, "/v1/*", "/v1/a*", True), (URL_PATH, "/v1/a*", "/v1/*", False), (URL_PATH, "/**", "/v1/**", True),
    (URL_PATH, r"/\*", r"/\*", True), (URL_PATH, r"/\*", "/*", False), (URL_PATH, "/*", r"/\*", True),
    (HOST, "*.a.com", "*.a.com", True), (HOST, "*.a.com", "*.b.a.com", False), (HOST, "a.com", "*.a.com", False),
    (MAIL, "*@a.com", "*@a.com", True), (MAIL, "*@a.com", "*@b.com", False), (MAIL, "x@a.com", "*@a.com", False),
    (PORT, "443", "443", True), (PORT, "443", "80", False), (EXACT, "*", "a", False), (EXACT, "a", "a", True),
    (PATH, "/a/?*", "/a/*?", True), (PATH, "/a/*?*?", "/a/??*", True), (PATH, "/a/??*", "/a/?*", False),
    (PATH, "/a/*?b", "/a/?*b", True), (PATH, "/a/?", "/a/??", False), (PATH, "/a/*x?*", "/a/*x*?", True),
]  # fmt: skip


@pytest.mark.parametrize(("matcher", "wide", "narrow", "within"), CONTAINED)
def test_what_one_pattern_covers_of_another(matcher: int, wide: str, narrow: str, within: bool) -> None:
    wide, narrow = (canonical_pattern(matcher, text, START, HOME) for text in (wide, narrow))
    assert patterns.contains(matcher, wide, narrow) is within


def test_what_nobody_knows_matches_nothing() -> None:
    for matcher in (0, 9, 10, 99, -1):
        assert not matchers.matches(matcher, "5", "5")
    assert not patterns.contains(99, "5", "5")
    assert patterns.contains(matchers.SECRET, "a", "a")
    assert not patterns.contains(matchers.AT_USE, "a", "b")


MATCHES: list[tuple[int, str, str, bool]] = [
    (MAIL, "*@a.com", "x@a.com", True), (MAIL, "*@a.com", "a.com", False), (MAIL, "x@a.com", "x@a.com", True),
    (MAIL, "*@a.com", "x@b.com", False), (HOST, "*.a.com", "b.a.com", True), (HOST, "*.a.com", ".a.com", False),
    (HOST, "*.a.com", "b", False), (PORT, "443", "443", True), (PORT, "443", "4430", False), (PATH, "/**", "a", False),
    (PATH, "/**/a/*/**", "/x/a/b", False), (PATH, "/**/a/*/**", "/x/a/b/c", True),
    (PATH, "/*a*b", "/xb", False), (PATH, "/*a*b", "/xaxb", True), (PATH, "/*a*b*c", "/xaxc", False),
    (PATH, "/*a*b*c", "/xaxbxc", True), (PATH, "/*a*a", "/xa", False),
    (URL_PATH, "/v1/*", "/v1/a?b=c", True), (URL_PATH, "/v1/*", "/v1/a/b", False), (URL_PATH, "/v1", "/v1?x", True),
    (URL_PATH, r"/a\*", "/a*", True), (URL_PATH, r"/a\*b", "/a*b?c", True), (URL_PATH, r"/a\*", "/ab", False),
    (URL_PATH, "/v1/**", "/v1", False),
    (URL_PATH, "/v1/**", "/v1/", True), (MAXIMUM, "10", "10", True), (MAXIMUM, "10", "11", False),
    (MAXIMUM, "9", "10", False),
]  # fmt: skip


@pytest.mark.parametrize(("matcher", "pattern", "text", "within"), MATCHES)
def test_what_lies_within(matcher: int, pattern: str, text: str, within: bool) -> None:
    assert matchers.matches(matcher, pattern, text) is within


@pytest.mark.parametrize("name", ["github", "a", "a.b-c_d1", "a" * 64])
def test_the_name_of_a_secret_is_its_own_form(name: str) -> None:
    assert canonical_pattern(SECRET, name, START, HOME) == name


def test_each_matcher_has_the_number_of_its_annotation() -> None:
    numbers = {name.removeprefix("MATCHER_"): number for name, number in Matcher.items() if number}
    assert {name: getattr(matchers, name) for name in numbers} == numbers
