"""What the tests of patterns share: names and patterns to try, and a second opinion on what a pattern matches."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from agentos.v1 import matchers
from agentos.v1.matchers import PATH
from agentos.v1.paths import canonical_path
from agentos.v1.patterns import canonical_pattern
from tests.authority.letters import HOME, START


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
    return canonical_pattern(PATH, text, START, HOME)


def path(text: str) -> str:
    return canonical_path(text, START, HOME)


def value(matcher: int, text: str) -> str:
    return matchers.canonical_value(matcher, text, START, HOME)
