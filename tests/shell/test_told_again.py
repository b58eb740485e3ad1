"""What a command tells the person once is told in a way that works: hints reach the same kernel, and repeat nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentos.shell.again import HERE, again, remember
from tests.shell.conftest import Shell, environment

NAMES = ("run", "ps", "up")
REFUSED = """
from agentos.sdk import AgentError, files
for name in ("secret.txt", "secret.txt", "other.txt", "secret.txt", "secret.txt"):
    try:
        files.read(name)
    except AgentError:
        pass
"""


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["--home", "a b", "ps"], "start one: agentos --home 'a b' up --detach, or agentos-up; agentos upper"),
        (["ps", "--on=ssh://host"], "start one: agentos up --detach, or agentos-up; agentos upper"),
        (["run", "x.py", "--", "--home", "h"], "start one: agentos up --detach, or agentos-up; agentos upper"),
        (["ps", "--home"], "start one: agentos up --detach, or agentos-up; agentos upper"),
    ],
)
def test_a_hint_repeats_where_the_kernel_is(line: list[str], told: str) -> None:
    remember(line, NAMES)
    assert again("start one: agentos up --detach, or agentos-up; agentos upper") == told
    remember([], NAMES)


def test_a_hint_for_another_machine_repeats_it_but_for_what_works_here_alone() -> None:
    remember(["ps", "--on=ssh://host"], NAMES)
    assert again("see: agentos ps, or agentos up there") == "see: agentos --on ssh://host ps, or agentos up there"
    remember([], NAMES)


def test_hints_of_a_command_that_was_given_a_home_name_it(served: Path, tmp_path: Path) -> None:
    shell = Shell(tmp_path, {name: value for name, value in environment(served).items() if name != "AGENTOS_HOME"})
    program = shell.write("refused.py", REFUSED, grants='"files.read" = { path = ["notes/**"] }')
    said = shell("run", program, "--home", str(served))
    assert f"agentos --home {served} why r" in said.err
    assert "agentos why" not in said.err
    absent = shell("show", "r999999", "--home", str(served))
    assert f"see: agentos --home {served} ps" in absent.err
    assert f"agentos --home {served} ps" in shell("--home", str(served), "show", "r999999", "--json").out


def test_calls_that_are_refused_alike_are_told_of_once_and_counted(shell: Shell) -> None:
    said = shell("run", shell.write("refused.py", REFUSED, grants='"files.read" = { path = ["notes/**"] }')).err
    lines = [line for line in said.splitlines() if line.startswith("✗")]
    folder = shell.folder
    assert lines == [
        f"✗ call 1 refused: files.read {folder}/secret.txt",
        f"✗ call 3 refused: files.read {folder}/other.txt",
        f"✗ 3 more like call 1: files.read {folder}/secret.txt",
    ]
    assert "5 calls were refused" in said


def test_a_run_that_is_over_is_followed_by_what_it_printed(shell: Shell) -> None:
    ran = shell("run", shell.write("says.py", "print('one')", "print('two')", "result = [3]"), "--json")
    run = str(ran.json["run"])  # type: ignore[index]
    said = shell("follow", run)
    assert (said.code, said.out) == (0, "one\ntwo\n[\n  3\n]\n")
    assert f"{run} is over" in said.err
    assert shell("follow", run, "--json").json["output"] == "one\ntwo\n"  # type: ignore[index]


@pytest.mark.parametrize("name", sorted(HERE))
def test_what_works_here_alone_is_what_refuses_another_machine(name: str, homeless: Shell) -> None:
    """So that the list stays right."""
    more = {"backup": ["x"], "restore": ["x"], "audit": ["verify"]}.get(name, [])
    assert "works on this machine alone" in homeless(name, *more, "--on", "ssh://nowhere.invalid").err
