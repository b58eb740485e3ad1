"""agentos audit and forget: as a person uses them, when all is well and when somebody put an old database back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agentos.home import home
from agentos.home.journal import Journal
from agentos.home.records import Revoked
from agentos.kernel.ledger import FOLD, Ledger
from tests.kernel.cases import at, grant
from tests.shell.conftest import Shell


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
    assert shell("audit", "verify").code == 0


def test_what_makes_no_sense_is_said(shell: Shell) -> None:
    assert shell("audit", "--since", "soon").code == 2
    assert shell("audit", "verify", "--head", "nonsense").code == 1
    assert shell("forget", "r99999", "--yes").code == 2
