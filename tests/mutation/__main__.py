"""`python -m tests.mutation`: change what decides and what reads, a little each time, and show what no test notices.

    --only TEXT  only modules with this text in their path; may be repeated
    --jobs N     how many at once (2)

A mutant that changes nothing, or nothing that counts, is in survivors.toml with the reason. Exit status 1 if one that
is not there survives, if one that is there is noticed or gone, or if the tests fail without any mutant.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tests.mutation.mutants import Mutant, mutants
from tests.mutation.targets import LABELS_ALONE, TARGETS
from tests.sabotage.copies import Copy
from tests.sabotage.mutation import ROOT

SURVIVORS = Path(__file__).with_name("survivors.toml")
KILLED, SURVIVED, TIMEOUT, UNTRIED = "killed", "SURVIVED", "killed (it hung)", "COULD NOT BE TRIED"
PATIENCE, LEAST_S, EACH_S = 5, 20.0, 15
WHOLE_S, WHOLE_EACH_S = 300, 120  # without a mutant, and with what has to be made first: the image of a guest
Key = tuple[str, str, str, int]


@dataclass(frozen=True)
class Verdict:
    mutant: Mutant
    verdict: str
    by: str


class Worker:
    """A copy of the tree, and a process in it that forks for each mutant."""

    def __init__(self, place: Path) -> None:
        self._copy = Copy(place)
        self._process: subprocess.Popen[str] | None = None

    def start(self, *more: str) -> None:
        self.close()
        command = [str(self._copy.python), "-m", "tests.mutation.forks", *more]
        self._process = subprocess.Popen(
            command, cwd=self._copy.tree, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def tested(self, tests: Sequence[str], each_s: float, within_s: float) -> dict[str, Any]:
        assert self._process
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"tests": tests, "each_s": each_s, "within_s": within_s}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    @contextmanager
    def mutated(self, mutant: Mutant) -> Iterator[None]:
        path = self._copy.tree / mutant.module
        kept = path.read_text(encoding="utf-8")
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
            compiled.unlink()
        path.write_text(mutant.text, encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(kept, encoding="utf-8")

    def close(self) -> None:
        if self._process and self._process.stdin:
            with suppress(OSError):
                self._process.stdin.close()
            self._process.wait(10)


def main() -> int:
    parser = _parser()
    asked = parser.parse_args()
    modules = [module for module in TARGETS if any(text in module for text in asked.only or ("",))]
    if not modules:
        parser.error("none of the modules in tests/mutation/targets.py has this text in its path")
    listed = _listed(modules)
    with tempfile.TemporaryDirectory(prefix="mut-", ignore_cleanup_errors=True) as folder:
        verdicts = tried(modules, listed, Path(folder), max(asked.jobs, 1))
    return int(verdicts is None or _sum_up(verdicts, listed))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description="change a little, see who notices")
    parser.add_argument("--only", action="append", metavar="TEXT", help="only such modules; may be repeated")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once")
    return parser


def _listed(modules: Sequence[str]) -> dict[Key, str]:
    """The mutants of these modules that are known to survive, and why that is so."""
    known = tomllib.loads(SURVIVORS.read_text(encoding="utf-8")).get("mutant", [])
    return {
        (each["module"], each["was"], each["becomes"], each.get("turn", 1)): each["why"]
        for each in known
        if each["module"] in modules
    }


def tried(modules: Sequence[str], listed: Container[Key], place: Path, jobs: int) -> list[Verdict] | None:
    workers: SimpleQueue[Worker] = SimpleQueue()
    made = [Worker(place / str(number)) for number in range(jobs)]
    with ThreadPoolExecutor(jobs) as pool:
        timed = list(pool.map(lambda worker: _prepared(worker, modules), made))
    if not all(timed):
        return None
    takes_s = {module: max(each[TARGETS[module]] for each in timed) for module in modules}
    for worker in made:
        workers.put(worker)

    def one(mutant: Mutant) -> Verdict:
        worker = workers.get()
        try:
            with worker.mutated(mutant):
                within_s = max(PATIENCE * takes_s[mutant.module], LEAST_S)
                said = worker.tested(TARGETS[mutant.module], EACH_S, within_s)
        finally:
            workers.put(worker)
        verdict = _verdict(said["status"])
        if verdict == SURVIVED and mutant.key not in listed:
            _show(mutant)
        return Verdict(mutant, verdict, str(said["failed"] or said["text"][-300:]))

    verdicts: list[Verdict] = []
    with ThreadPoolExecutor(jobs) as pool:
        for module in modules:
            began = time.monotonic()
            found = list(pool.map(one, mutants(ROOT, module, module in LABELS_ALONE)))
            verdicts += found
            counted = ", ".join(f"{number} {name}" for name, number in Counter(each.verdict for each in found).items())
            print(f"{module:<30} {counted}, in {time.monotonic() - began:.0f} s", flush=True)
    for worker in made:
        worker.close()
    return verdicts


def _prepared(worker: Worker, modules: Sequence[str]) -> dict[tuple[str, ...], float]:
    """How long the tests take without any mutant, or nothing if one fails."""
    worker.start("--fresh")  # keeps what is compiled: for all but the mutated modules that holds
    takes_s: dict[tuple[str, ...], float] = {}
    for module in modules:
        if (tests := TARGETS[module]) not in takes_s:
            began = time.monotonic()
            whole = worker.tested(tests, WHOLE_EACH_S, WHOLE_S)
            takes_s[tests] = time.monotonic() - began
            if whole["status"] != 0:
                print(f"{module}: its tests fail without any mutant\n{whole['text']}", flush=True)
                return {}
    worker.start()
    return takes_s


def _verdict(status: int) -> str:
    """A mutant that cannot even be imported ends pytest with 2 or above: it was noticed."""
    return {0: SURVIVED, -1: TIMEOUT}.get(status, KILLED)


def _show(mutant: Mutant) -> None:
    turn = f"  (turn {mutant.turn})" if mutant.turn > 1 else ""
    print(f"  {mutant.module}:{mutant.line} survives{turn}\n    - {mutant.was}\n    + {mutant.becomes}", flush=True)


def _sum_up(verdicts: Sequence[Verdict], listed: dict[Key, str]) -> bool:
    """Whether something is wrong; says what."""
    survived = {each.mutant.key: each for each in verdicts if each.verdict == SURVIVED}
    unlisted = [each for key, each in survived.items() if key not in listed]
    by = {each.mutant.key: each.by for each in verdicts}
    stale = [key for key in listed if key not in survived]
    for key in stale:
        module, was, becomes, nth = key
        how = f"was noticed by {by[key]}" if key in by else "is not there"
        print(f"\nlisted as surviving, and {how} (turn {nth}): {module}\n  - {was}\n  + {becomes}")
    noticed = len(verdicts) - len(survived)
    print(f"\n{noticed} of {len(verdicts)} mutants were noticed, {len(survived) - len(unlisted)} are known to survive")
    print(f"{len(unlisted)} survive unlisted, {len(stale)} of the list are out of date")
    return bool(unlisted or stale)


if __name__ == "__main__":
    sys.exit(main())
