"""docs/attacks.md names every case, and every test that it names is there."""

from __future__ import annotations

import re

import pytest

from tests.repository.source import ROOT

PAGE = (ROOT / "docs" / "attacks.md").read_text()
# What a case may wait for: a part that is not built yet.
LATER = (
    "labels", "mail", "models", "the calendar", "the store", "rehearsal",
)  # fmt: skip
# How many cases the list has under each heading. One that is taken out of the page is missed here.
CASES = {
    "net": 18, "mail": 10, "files": 12, "model": 8, "calendar": 6, "store": 8, "timers": 4, "spawn": 6,
    "kernel and runtime": 12, "found in design review": 12,
}  # fmt: skip
TEST = re.compile(r"\b([\w/]+\.py)::(test_\w+)")


def rows() -> list[tuple[str, str, str]]:
    """Heading, case and tests of each row."""
    found, heading = [], ""
    for line in PAGE.splitlines():
        if line.startswith("## "):
            heading = line[3:]
        elif line.startswith("| ") and not line.startswith("| case "):
            case, tests = line.strip("| ").split(" | ")
            found.append((heading, case, tests))
    return found


def test_every_case_of_the_list_is_on_the_page() -> None:
    by_heading = {heading: [case for each, case, _ in rows() if each == heading] for heading in CASES}
    assert {heading: len(set(cases)) for heading, cases in by_heading.items()} == CASES
    assert sum(CASES.values()) == len(rows())


@pytest.mark.parametrize(("case", "tests"), [(case, tests) for _, case, tests in rows()])
def test_a_case_has_tests_that_are_there_or_says_what_it_waits_for(case: str, tests: str) -> None:
    waits = re.search(r"\bwaits? for ([\w ]+)", tests)
    named = TEST.findall(tests)
    assert named or waits
    assert not waits or waits[1] in LATER
    for file, name in named:
        assert re.search(rf"^(async )?def {name}\(", (ROOT / "tests" / file).read_text(), re.MULTILINE), (file, name)
    left = TEST.sub("", tests)
    assert "::" not in left


def test_no_case_waits_for_what_is_built() -> None:
    built = {"the network": "net", "mail": "mail", "models": "model", "the calendar": "calendar", "the store": "store"}
    for part, folder in built.items():
        if (ROOT / "capabilities" / folder / "server.py").exists():
            assert f"waits for {part}" not in PAGE
