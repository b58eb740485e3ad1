"""`python -m tests.sabotage`: take each check of the design's rules out, one by one, and show which test notices.

    --rule N     only what belongs to rule N; may be repeated
    --only TEXT  only what has this text in its description; may be repeated
    --jobs N     how many at once (2)
    --json       one list of objects instead of a table

Exit status 1 if a check can be taken out and no test fails, if one is no longer found, or if the tests fail without
any mutation. What needs a new build of the guest is not tried: its shims are convenience, the wall is its one import.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue

from tests.sabotage.copies import ALL_WITHIN_S, Copy, Outcome
from tests.sabotage.mutation import ROOT, Drifted, Mutation
from tests.sabotage.table import LATER, MUTATIONS

KILLED, SURVIVED, DRIFTED, UNTRIED = "killed", "SURVIVED", "DRIFTED", "COULD NOT BE TRIED"


@dataclass(frozen=True)
class Verdict:
    """What became of one mutation. `by` is the test that noticed, or what went wrong."""

    rule: int
    takes: str
    verdict: str
    by: str
    seconds: float = 0.0


def main() -> int:
    asked = _parser().parse_args()
    chosen = [
        each for each in MUTATIONS
        if each.rule in (asked.rule or (each.rule,)) and any(text in each.takes for text in asked.only or [""])
    ]  # fmt: skip
    verdicts = sorted(_drifted(chosen), key=lambda each: each.rule)
    if not verdicts:
        with tempfile.TemporaryDirectory(prefix="sab-", ignore_cleanup_errors=True) as folder:
            verdicts = tried(chosen, Path(folder), max(asked.jobs, 1), shown=not asked.json)
    if asked.json:
        print(json.dumps([asdict(each) for each in verdicts], indent=1))
    else:
        _sum_up(verdicts)
    return int(not verdicts or any(each.verdict != KILLED for each in verdicts))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.sabotage", description="take each check out, one by one")
    parser.add_argument("--rule", type=int, action="append", help="only this rule; may be repeated")
    parser.add_argument("--only", action="append", metavar="TEXT", help="only what is described with this text")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once")
    parser.add_argument("--json", action="store_true")
    return parser


def _drifted(chosen: Sequence[Mutation]) -> list[Verdict]:
    found = []
    for mutation in chosen:
        try:
            mutation.applied(ROOT)
        except Drifted as drifted:
            found.append(Verdict(mutation.rule, mutation.takes, DRIFTED, str(drifted)))
    return found


def tried(chosen: Sequence[Mutation], place: Path, jobs: int, shown: bool = False) -> list[Verdict]:
    """Try them all whose tests pass without any."""
    copies: SimpleQueue[Copy] = SimpleQueue()
    for number in range(min(jobs, len(chosen))):
        copies.put(Copy(place / str(number)))

    def one(mutation: Mutation) -> Verdict:
        copy = copies.get()
        try:
            verdict = judged(mutation, copy)
        finally:
            copies.put(copy)
        if shown:
            print(_line(verdict), flush=True)
        return verdict

    copy = copies.get()
    tests = tuple(dict.fromkeys(test for mutation in chosen for test in mutation.tests))
    side_by_side = ("-n", str(jobs), "--dist", "worksteal") if jobs > 1 else ()
    whole = copy.tested(tests, *side_by_side, within_s=ALL_WITHIN_S)
    copies.put(copy)
    if whole.status != int(bool(whole.failed + whole.broken)):
        return [Verdict(0, "nothing at all", UNTRIED, f"the tests cannot be run\n{whole.text[-4000:]}")]
    if shown:
        print(f"without any mutation: {whole.text.strip().splitlines()[-1]}\n", flush=True)
    untried = [
        Verdict(mutation.rule, mutation.takes, UNTRIED, f"{test} does not pass anyway")
        for mutation in chosen
        for test in [_fails_anyway(mutation, whole)]
        if test
    ]
    with ThreadPoolExecutor(jobs) as pool:
        return untried + list(pool.map(one, (each for each in chosen if not _fails_anyway(each, whole))))


def _fails_anyway(mutation: Mutation, whole: Outcome) -> str:
    """The first of its tests that did not pass before anything was taken out; empty if they all did."""
    return next((failed for failed in whole.failed + whole.broken if failed.partition("[")[0] in mutation.tests), "")


def judged(mutation: Mutation, copy: Copy) -> Verdict:
    with copy.without(mutation):
        outcome = copy.tested(mutation.tests, "-x")
    if outcome.noticed:
        verdict, by = KILLED, outcome.failed[0]
    elif outcome.status == 0:
        verdict, by = SURVIVED, ", ".join(mutation.tests)
    else:
        verdict, by = UNTRIED, "\n".join(outcome.text.strip().splitlines()[-12:])
    return Verdict(mutation.rule, mutation.takes, verdict, by, round(outcome.seconds, 1))


def _line(verdict: Verdict) -> str:
    return f"{verdict.rule:>2}  {verdict.takes[:74]:<74}  {verdict.verdict:<8}  {verdict.by}"


def _sum_up(verdicts: Sequence[Verdict]) -> None:
    failed = [each for each in verdicts if each.verdict != KILLED]
    if failed:
        print("\nnot noticed, or not tried:")
        print("\n".join(map(_line, failed)))
    print(f"\n{len(verdicts) - len(failed)} of {len(verdicts)} checks taken out were noticed by a test")
    for rule, why in LATER.items():
        print(f"rule {rule}: {why}")


if __name__ == "__main__":
    sys.exit(main())
