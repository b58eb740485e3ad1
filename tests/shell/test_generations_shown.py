"""A run that began anew is looked at a generation at a time: what each was given, did and printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from tests.shell.conftest import Shell, environment

GRANTS = '"files.append" = { path = ["log.txt"] }'
COUNTS = """
from agentos.sdk import files, run

def main(input, state):
    n = state["secret_n"] if state else 0
    print("this is", n)
    for each in range(n + 1):
        files.append("log.txt", text=f"{n}.{each}\\n")
    if n < 2:
        run.continue_with({"secret_n": n + 1})
    return "done at last"
"""


@pytest.fixture(scope="module")
def run(served: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    shell = Shell(tmp_path_factory.mktemp("counts"), environment(served))
    ran = shell("run", shell.write("counts.py", COUNTS, grants=GRANTS), "--grant", "manifest", "--json")
    assert ran.code == 0, ran.err
    return str(cast("dict[str, Any]", ran.json)["run"])


def test_each_generation_of_a_run_can_be_looked_at(shell: Shell, run: str) -> None:
    newest = shell("show", run).out
    assert "generation 3 of 3" in newest
    assert f"agentos show {run} --generation 1" in newest
    assert (newest.count("files.append"), "done at last" in newest) == (3, True)

    second = shell("show", run, "--generation", "2").out
    assert "generation 2 of 3" in second
    assert '  state    {"secret_n":1}' in second
    assert second.endswith("what it printed:\nthis is 1\n")
    assert (second.count("files.append"), "done at last" in second) == (2, False)


def test_a_script_gets_the_list_of_generations_and_all_of_each(shell: Shell, run: str) -> None:
    whole = cast("dict[str, Any]", shell("show", run, "--json").json)
    listed = whole["generations"]
    assert [(each["number"], each["calls"]) for each in listed] == [(1, 2), (2, 3), (3, 3)]
    assert [each["ended"] for each in listed] == [listed[1]["began"], listed[2]["began"], None]
    told = [
        cast("dict[str, Any]", shell("show", run, "--generation", str(number), "--json").json) for number in (1, 2, 3)
    ]
    assert [each["generation"]["state"] for each in told] == [None, {"secret_n": 1}, {"secret_n": 2}]
    assert [each["output"] for each in told] == ["this is 0\n", "this is 1\n", "this is 2\n"]
    assert [len([call for call in each["calls"] if call["action"] == "files.append"]) for each in told] == [1, 2, 3]
    assert [each["result"] for each in told] == [None, None, "done at last"]
    assert whole["calls"] == told[2]["calls"]


def test_a_generation_that_there_is_not_is_refused_with_those_there_are(shell: Shell, run: str) -> None:
    said = shell("show", run, "--generation", "4")
    assert (said.code, "generations are 1 to 3" in said.err) == (2, True)
    assert shell("show", run, "--generation", "0").code == 2


def test_the_state_of_a_run_is_left_out_of_what_a_bug_report_carries(shell: Shell, run: str) -> None:
    assert shell("export", run).code == 0
    written = (shell.folder / f"{run}.json").read_text()
    assert "secret_n" not in written
    assert '"generation"' in written
