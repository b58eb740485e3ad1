"""That `python -m tests.sabotage` still fits the source, and a few of its mutations. All of them take minutes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.sabotage.__main__ import KILLED, tried
from tests.sabotage.mutation import ROOT, Drifted, out
from tests.sabotage.table import LATER, MUTATIONS, RULES

QUICK = (
    "only admit makes an Authorized",
    "an answer is to what was shown, by digest",
    "a change is on disk before it is made",
    "the manifest is the ceiling",
    "revoking takes the subtree",
    "calls and output of one request",
)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: f"{each.rule} {each.takes}")
def test_each_check_is_found_once_in_its_room(mutation: object) -> None:
    assert isinstance(mutation, type(MUTATIONS[0]))
    changed = mutation.applied(ROOT)
    assert changed
    assert all(path.read_text() != text for path, text in changed.items())


def test_a_check_that_was_rewritten_is_an_error_that_names_it() -> None:
    for text in ("no such text", "return"):
        with pytest.raises(Drifted, match="the check"):
            out(1, "the check", "kernel", text, "pass").applied(ROOT)
    with pytest.raises(Drifted, match="no Python"):
        out(1, "the check", "kernel", "if seal is not _seal:", "if:").applied(ROOT)


def test_each_rule_that_applies_has_checks_that_are_taken_out() -> None:
    assert {mutation.rule for mutation in MUTATIONS} == set(RULES)
    assert not set(RULES) & set(LATER)
    assert len({mutation.takes for mutation in MUTATIONS}) == len(MUTATIONS)


def test_each_test_that_must_notice_is_there() -> None:
    tests = {test.partition("[")[0] for mutation in MUTATIONS for test in mutation.tests}  # without its parameters
    for file, _, name in {tuple(test.partition("::")) for test in tests}:
        # A state machine of hypothesis is named by its class, and has one test.
        there = rf"^(async )?def {name}\(|^{name.removesuffix('::runTest')} = \w+\.TestCase$"
        assert re.search(there, (ROOT / "tests" / file).read_text(), re.MULTILINE), (file, name)


@pytest.mark.slow
def test_the_quickest_are_noticed(tmp_path: Path) -> None:
    chosen = [mutation for mutation in MUTATIONS if mutation.takes in QUICK]
    assert len(chosen) == len(QUICK)
    verdicts = tried(chosen, tmp_path, jobs=1)
    assert [verdict for verdict in verdicts if verdict.verdict != KILLED] == []


@pytest.mark.slow
def test_what_no_test_looks_at_survives(tmp_path: Path) -> None:
    """Else the script would prove nothing."""
    harmless = out(1, "nothing that counts", "kernel", '"only admit makes an Authorized"', '"no"', *MUTATIONS[0].tests)
    [verdict] = tried([harmless], tmp_path, jobs=1)
    assert verdict.verdict == "SURVIVED"
