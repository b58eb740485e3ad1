"""agentos backup and restore: as a person uses them, beside a kernel that is up, and on another device."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.shell.conftest import Shell, environment


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


def test_what_cannot_be_is_said(homeless: Shell) -> None:
    nothing = homeless("backup", "kept.backup")
    assert (nothing.code, "there is no home yet" in nothing.err) == (5, True), nothing.err
    missing = homeless("restore", "kept.backup")
    assert (missing.code, "the backup cannot be read" in missing.err) == (5, True), missing.err
    (homeless.folder / "kept.backup").write_text("a letter")
    letter = homeless("restore", "kept.backup")
    assert "this is no backup of a home" in letter.err
    assert homeless("backup", "kept.backup", "--on", "ssh://box").code == 2
