"""agentos backup and restore: as a person uses them, beside a kernel that is up and on a device that lost its home."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.shell.conftest import Shell


def test_a_home_is_backed_up_while_it_works_and_goes_on_from_there(homeless: Shell) -> None:
    path = Path(homeless.environment["AGENTOS_HOME"])
    assert homeless("init", "--key-file", "key").code == 0
    assert homeless("up", "--detach", "--ready", "1").code == 0
    try:
        program = homeless.write("says.py", "print('before')")
        assert homeless("run", program).out == "before\n"
        taken = homeless("backup", "kept.backup", "--json")
        assert taken.code == 0, taken.err
        assert isinstance(taken.json, dict)
        assert taken.json["file"] == str(homeless.folder / "kept.backup")
        again = homeless("backup", "kept.backup")
        assert (again.code, "choose a path that is free" in again.err) == (2, True), again.err
        over = homeless("restore", "kept.backup")
        assert (over.code, "agentos down" in over.err) == (2, True), over.err
    finally:
        assert homeless("down").code == 0
    over = homeless("restore", "kept.backup")
    assert (over.code, "move it away first" in over.err) == (2, True), over.err

    shutil.rmtree(path)
    restored = homeless("restore", "kept.backup")
    assert restored.code == 0, restored.err
    assert "agentos audit accept" in restored.err
    refused = homeless("ps")
    assert (refused.code, "was restored from a backup" in refused.err) == (5, True), refused.err
    assert homeless("audit", "accept", "--yes").code == 0
    shown = homeless("ps", "--json").json
    assert isinstance(shown, list)
    assert [run["program"] for run in shown] == ["says"]
    assert "you accepted this history, though this home was restored" in homeless("audit", "--kind", "home").out
    verified = homeless("audit", "verify")
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
