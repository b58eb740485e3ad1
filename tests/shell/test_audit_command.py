"""agentos audit and forget: as a person uses them, when all is well and when somebody put an old database back."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import keyring
import pytest

from agentos.home import home
from agentos.home.journal import Journal
from agentos.home.records import Revoked
from agentos.kernel.ledger import FOLD, Ledger
from tests.home.rings import FileRing
from tests.kernel.cases import at, grant
from tests.shell.conftest import Shell

ROOT = Path(__file__).parents[2]


async def went_on(path: Path, *, first: bool) -> None:
    """As a kernel would that was started, worked and was stopped: a grant, then its revocation."""
    held = home.unlock(path)
    journal = Journal.open(held.database, held.keys.database, held.witness(), (FOLD,))
    ledger = Ledger(journal)
    if first:
        ledger.record(grant("g1", "files.read", at("/home/me/notes.txt")))
    else:
        ledger.record(Revoked(("g1",)))
    ledger.keep()
    await journal.close()
    held.close()


def test_an_old_database_put_back_is_refused_looked_at_and_accepted(
    homeless: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(homeless.environment["AGENTOS_HOME"])
    monkeypatch.setenv("AGENTOS_STATE", homeless.environment["AGENTOS_STATE"])
    assert homeless("init", "--key-file", "key").code == 0
    assert "no head of this home is kept yet" in homeless("audit", "head").err
    asyncio.run(went_on(path, first=True))
    old = (path / "agentos.db").read_bytes()
    line = homeless("audit", "head").out
    assert line.startswith("agentos-head-1 ")

    asyncio.run(went_on(path, first=False))
    told = homeless("audit").out
    assert "links: you allowed files.read where path = /home/me/notes.txt, while this version lives (g1," in told
    assert "links: you took back g1 files.read" in told
    fits = homeless("audit", "verify", "--head", line)
    assert (fits.code, "all of it fits" in fits.out) == (0, True), fits.out
    assert homeless("audit", "accept").err == "there is nothing to accept: this home is what was known of it\n"

    (path / "agentos.db").write_bytes(old)
    refused = homeless("grants")
    assert (refused.code, refused.out) == (5, "")
    assert "the database was rolled back: it ends at record 1, and this home had come to record 2" in refused.err
    assert "agentos audit accept" in refused.err
    looked = homeless("audit", "verify")
    assert (looked.code, "WRONG: rolled back" in looked.out) == (1, True)
    asked = homeless("audit", "accept")
    assert (asked.code, "say --yes" in asked.err) == (3, True), asked.err
    assert homeless("grants").code == 5
    assert homeless("audit", "accept", "--yes").code == 0
    asyncio.run(went_on(path, first=False))
    assert '"ok": true' in homeless("audit", "verify", "--json").out
    assert "you accepted this history, though the database was rolled back" in homeless("audit", "--kind", "home").out


def test_a_head_in_the_keyring_and_on_another_disk_is_chosen_checked_and_left_out_again(
    homeless: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ringed = homeless.environment | {
        "PYTHON_KEYRING_BACKEND": "tests.home.rings.FileRing", "RING": str(tmp_path / "ring"), "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    person, path = Shell(homeless.folder, ringed), Path(homeless.environment["AGENTOS_HOME"])
    for name, value in ringed.items():
        monkeypatch.setenv(name, value)
    before = keyring.get_keyring()
    keyring.set_keyring(FileRing())
    try:
        (tmp_path / "disk").mkdir()
        assert person("init", "--key-file", "key").code == 0
        asyncio.run(went_on(path, first=True))
        assert "in its file alone" in person("audit", "head", "--where").err
        assert person("audit", "head", "--keep-in", "keyring").code == 0
        said = person("audit", "head", "--keep-in", "disk")
        assert said.out == f"keyring  record 1\n{tmp_path / 'disk'}  record 1\n", said.err
        shutil.copytree(path, tmp_path / "old")
        shutil.copytree(tmp_path / "state", tmp_path / "old state")
        asyncio.run(went_on(path, first=False))
        fits = person("audit", "verify")
        assert fits.code == 0, fits.out
        assert (
            f"the head in this device's keyring fits: record 4 of 4\nthe head in {tmp_path / 'disk'} fits" in fits.out
        )

        for name, old in (("home", "old"), ("state", "old state")):  # the file goes with the home, and notices nothing
            shutil.rmtree(tmp_path / name)
            (tmp_path / old).rename(tmp_path / name)
        refused = person("grants")
        assert (refused.code, "the database was rolled back: it ends at record 3" in refused.err) == (5, True), (
            refused.err
        )
        assert "WRONG: rolled back: it ends at record 3, and the head in" in person("audit", "verify").out
    finally:
        keyring.set_keyring(before)
    assert person("audit", "accept", "--yes").code == 0
    (tmp_path / "ring").write_text('{"locked": ""}')
    refused = person("grants")
    assert (refused.code, "agentos audit head --not-in keyring" in refused.err) == (5, True), refused.err
    left = person("audit", "head", "--not-in", "keyring", "--json").json
    assert left == {"kept": [{"where": str(tmp_path / "disk"), "state": "record 4", "seq": 4}]}
    assert person("audit", "verify").code == 0
    told = person("audit", "--kind", "home").out
    assert f"you chose to keep the head in keyring and {tmp_path / 'disk'} as well" in told
    assert person("audit", "show", "--where").code == 2


def test_a_run_is_forgotten_when_the_person_is_sure(shell: Shell) -> None:
    program = shell.write("speaks.py", "print('the words')")
    said = shell("run", program, "--json").json
    assert isinstance(said, dict)
    run = str(said["run"])
    asked = shell("forget", run)
    assert (asked.code, "say --yes" in asked.err) == (3, True)
    assert shell("show", run).code == 0
    assert shell("forget", run, "--yes", "--json").json == {"forgotten": run}
    gone = shell("show", run)
    assert (gone.code, "no such run" in gone.err) == (2, True)
    assert f"what {run} was given, did and said was erased" in shell("audit", "--kind", "runs").out
    told = shell("audit", "--kind", "runs", "--json").json
    assert isinstance(told, list)
    assert "forgotten" in {each["kind"] for each in told}
    assert shell("audit", "verify").code == 0


def test_what_makes_no_sense_is_said(shell: Shell) -> None:
    soon = shell("audit", "--since", "soon")
    assert (soon.code, soon.out, "soon is no time: say 3d, 2h" in soon.err) == (2, "", True), soon.err
    error = shell("audit", "--since", "soon", "--json").json
    assert isinstance(error, dict)
    assert "soon is no time" in error["error"]["message"]
    assert shell("audit", "--since", "9999-01-01", "--json").json == []
    later = shell("audit", "--since", "9999-01-01")
    assert (later.code, later.out, later.err) == (0, "", "nothing of that is on record\n")
    assert shell("audit", "verify", "--head", "nonsense").code == 1
    assert shell("forget", "r99999", "--yes").code == 2


def test_nothing_is_wrong_with_a_home_of_which_a_kernel_recorded_nothing_yet(homeless: Shell) -> None:
    homeless.made()
    assert homeless("ps").code == 0
    fits = homeless("audit", "verify")
    assert (fits.code, "all of it fits" in fits.out) == (0, True), fits.out
