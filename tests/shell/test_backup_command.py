"""agentos backup and restore: as a person uses them, beside a kernel that is up, and on another device."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.shell.conftest import SECONDS, Shell, environment, until


def test_a_home_is_backed_up_while_it_works_and_goes_on_from_there(shell: Shell, served: Path, tmp_path: Path) -> None:
    """On another device: it knows no head of this home. What was compiled for it is brought along, to save time."""
    program = shell.write("says.py", "print('before')")
    assert shell("run", program).out == "before\n"
    taken = shell("backup", "kept.backup", "--json")
    assert taken.code == 0, taken.err
    assert isinstance(taken.json, dict)
    assert taken.json["file"] == str(tmp_path / "kept.backup")
    again = shell("backup", "kept.backup")
    assert (again.code, "choose a path that is free" in again.err) == (2, True), again.err
    over = shell("restore", "kept.backup")
    assert (over.code, "agentos down" in over.err) == (2, True), over.err

    other = Shell(tmp_path, environment(tmp_path / "home"))
    restored = other("restore", "kept.backup")
    assert restored.code == 0, restored.err
    assert "agentos audit accept" in restored.err
    over = other("restore", "kept.backup")
    assert (over.code, "move it away first" in over.err) == (2, True), over.err
    shutil.copytree(served / "cache", tmp_path / "home" / "cache", copy_function=shutil.copy2)
    refused = other("ps")
    assert (refused.code, "was restored from a backup" in refused.err) == (5, True), refused.err
    assert other("audit", "accept", "--yes").code == 0
    shown = other("ps", "--json").json
    assert isinstance(shown, list)
    assert shown[0]["program"] == "says"
    assert other("run", other.write("after.py", "print('after')")).out == "after\n"
    assert "you accepted this history, though this home was restored" in other("audit", "--kind", "home").out
    verified = other("audit", "verify")
    assert verified.code == 0, verified.out


# Two steps that count, and between them a question and a while.
STEPS = """\
import time
from agentos.sdk import files
files.append("steps.log", text="first\\n")
files.write("answered.txt", text="yes")
time.sleep(2.5)
files.append("steps.log", text="second\\n")
print("over")
"""


def test_a_run_that_was_under_way_goes_on_where_it_was_when_the_home_is_restored(
    shell: Shell, served: Path, tmp_path: Path
) -> None:
    asked = '"files.write" = { path = ["answered.txt"], ask = "always" }'
    program = shell.write("steps.py", STEPS, grants=f'"files.append" = {{ path = ["steps.log"] }}\n{asked}')
    steps = tmp_path / "steps.log"
    running = subprocess.Popen(
        shell.command("run", program, "--ask", "wait", "--grant", "manifest"),
        cwd=tmp_path, env=shell.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until(lambda: steps.exists() and steps.read_text() == "first\n", "the run did not begin")
    until(lambda: rows(shell, "inbox"), "it does not ask")
    assert shell("backup", "kept.backup").code == 0
    [run] = [each["run"] for each in rows(shell, "ps") if each["program"] == "steps"]
    assert shell("cancel", run).code == 0  # the device is gone, and what ran there with it
    running.wait(SECONDS)
    assert steps.read_text() == "first\n"

    other = Shell(tmp_path, environment(tmp_path / "home"))
    assert other("restore", "kept.backup").code == 0
    shutil.copytree(served / "cache", tmp_path / "home" / "cache", copy_function=shutil.copy2)
    assert other("audit", "accept", "--yes").code == 0
    assert other("up", "--detach", "--ready", "1").code == 0
    try:
        until(lambda: rows(other, "inbox"), "it does not ask")
        [question] = rows(other, "inbox")
        assert not (tmp_path / "answered.txt").exists()
        assert other("approve", question["id"], "--for", "once").code == 0
        followed = other("follow", run)
        assert (followed.code, followed.out) == (0, "over\n"), followed.err
        assert (tmp_path / "answered.txt").read_text() == "yes"
        assert steps.read_text() == "first\nsecond\n"
        assert other("audit", "verify").code == 0
    finally:
        assert other("down").code == 0


def rows(shell: Shell, *line: str) -> list[dict[str, str]]:
    said = shell(*line, "--json")
    assert isinstance(said.json, list), said.err
    return said.json


def test_what_cannot_be_is_said(homeless: Shell) -> None:
    nothing = homeless("backup", "kept.backup")
    assert (nothing.code, "there is no home yet" in nothing.err) == (5, True), nothing.err
    missing = homeless("restore", "kept.backup")
    assert (missing.code, "the backup cannot be read" in missing.err) == (2, True), missing.err
    (homeless.folder / "kept.backup").write_text("a letter")
    letter = homeless("restore", "kept.backup")
    assert (letter.code, "this is no backup of a home" in letter.err) == (2, True), letter.err
    assert homeless("backup", "kept.backup", "--on", "ssh://box").code == 2
