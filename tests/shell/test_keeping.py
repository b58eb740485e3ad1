"""agentos prune and export: old runs go when the person is sure, and a run leaves without a word of theirs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.shell.conftest import Shell

SPEAKS = "print('the words')\nresult = {'cardinal': 'the result'}"
READS = """
import os
os.environ.get("USER")
try:
    open("/home/canary-person/plans.txt").read()
except OSError:
    pass
print("canary-printed")
raise ValueError("canary-raised")
"""


def ran(shell: Shell, program: str, *more: str) -> str:
    said = shell("run", program, "--json", *more).json
    assert isinstance(said, dict)
    return str(said["run"])


def test_old_runs_are_named_asked_about_and_forgotten(shell: Shell) -> None:
    program = shell.write("spoke.py", SPEAKS)
    runs = [ran(shell, program) for _ in range(4)]
    told = shell("prune", "--program", program, "--keep", "1", "--dry-run")
    assert (told.code, "3 runs of 1 program" in told.err) == (0, True), told
    assert shell("show", runs[0]).code == 0
    asked = shell("prune", "--program", program, "--keep", "1")
    assert (asked.code, "say --yes" in asked.err) == (3, True), asked
    assert shell("prune", "--program", program, "--older-than", "1d", "--yes", "--json").json["chosen"] == 0  # type: ignore[index]
    done = shell("prune", "--program", program, "--keep", "1", "--yes")
    assert (done.code, "forgot 3 runs" in done.err) == (0, True), done
    assert [shell("show", run).code for run in runs] == [2, 2, 2, 0]
    assert shell("audit", "verify").code == 0


def test_what_events_said_that_no_run_got_goes_where_no_program_is_named(shell: Shell) -> None:
    block = ["# /// script", "# [tool.agentos]", '# on = [{ event = "event.quiet", debounce = 3600 }]', "# ///"]
    program = shell.write("quiet.py", *block, "result = 1")
    assert shell("arm", program, "--grant", "manifest").code == 0
    for _ in range(2):
        assert shell("events", "send", "quiet").code == 0
    assert shell("disarm", program).code == 0
    told = shell("prune", "--keep", "10000", "--dry-run")
    assert (told.code, "events that no run got: what they said" in told.err) == (0, True), told
    assert shell("prune", "--keep", "10000", "--program", program, "--dry-run", "--json").json["events"] == 0  # type: ignore[index]
    asked = shell("prune", "--keep", "10000")
    assert (asked.code, "say --yes" in asked.err) == (3, True), asked
    done = shell("prune", "--keep", "10000", "--yes", "--json").json
    assert isinstance(done, dict)
    assert (done["chosen"], done["events"] >= 2) == (0, True), done
    assert shell("prune", "--keep", "10000", "--dry-run", "--json").json["events"] == 0  # type: ignore[index]
    assert "events said that no run got was erased" in shell("audit", "--kind", "events").out
    assert shell("audit", "verify").code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "say --older-than 90d"),
        (("--older-than", "soon"), "say 12h, 90d"),
        (("--older-than", "3x"), "say 12h, 90d"),
        (("--keep", "-1"), "0 or more"),
    ],
)
def test_what_is_old_has_to_be_said(shell: Shell, options: tuple[str, ...], said: str) -> None:
    told = shell("prune", *options, "--yes")
    assert (told.code, said in told.err) == (2, True), told


def test_a_run_is_written_out_without_a_word_of_the_persons(shell: Shell, tmp_path: Path) -> None:
    program = shell.write("canary-program.py", READS)
    run = ran(shell, program, "--", "canary-argument")
    target = tmp_path / "report.json"
    assert shell("export", run, "--to", str(target)).code == 0
    text = target.read_text()
    assert target.stat().st_mode & 0o777 == 0o600
    for word in ("canary", "plans", "/home", str(tmp_path)):
        assert word not in text, word
    found = json.loads(text)
    assert (found["form"], found["full"], found["run"]["run"]) == ("agentos run 1", False, run)
    assert (found["run"]["status"], found["failed"]) == ("failed", {"raised": "ValueError", "lines": [9]})
    assert [call["action"] for call in found["run"]["calls"] if call["decision"] == "refused"] == ["files.read"]
    again = tmp_path / "again.json"
    shell("export", run, "--to", str(again))
    assert json.loads(again.read_text())["run"]["path"] != found["run"]["path"]


def test_all_of_a_run_is_written_out_when_the_person_is_sure(shell: Shell, tmp_path: Path) -> None:
    run = ran(shell, shell.write("tells.py", SPEAKS))
    target = tmp_path / "all.json"
    asked = shell("export", run, "--to", str(target), "--full")
    assert (asked.code, target.exists()) == (3, False), asked
    assert shell("export", run, "--to", str(target), "--full", "--with-program", "--yes").code == 0
    found = json.loads(target.read_text())
    assert (found["program"], found["run"]["output"]) == (SPEAKS + "\n", "the words\n")
    assert "cardinal" in found["run"]["result"]


def test_no_file_is_written_over(shell: Shell, tmp_path: Path) -> None:
    run = ran(shell, shell.write("tells.py", SPEAKS))
    target = tmp_path / "mine.json"
    target.write_text("mine")
    told = shell("export", run, "--to", str(target))
    assert (told.code, "is there already" in told.err, target.read_text()) == (2, True, "mine"), told
