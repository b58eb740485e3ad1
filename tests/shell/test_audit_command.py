"""agentos audit and forget: as a person uses them, when all is well and when somebody put an old database back."""

from __future__ import annotations

from pathlib import Path

from tests.shell.conftest import Shell

READS = '"files.read" = { path = ["notes.txt"] }'


def test_an_old_database_put_back_is_refused_looked_at_and_accepted(homeless: Shell) -> None:
    home = Path(homeless.environment["AGENTOS_HOME"])
    assert homeless("init", "--key-file", "key").code == 0
    (homeless.folder / "notes.txt").write_text("hello")
    program = homeless.write("reads.py", "print(open('notes.txt').read())", grants=READS)
    assert homeless("run", program, "--grant", "manifest").code == 0
    old = (home / "agentos.db").read_bytes()
    line = homeless("audit", "head").out
    assert line.startswith("agentos-head-1 ")

    assert homeless("revoke", "g1").code == 0
    told = homeless("audit").out
    assert "reads: you allowed files.read where path =" in told
    assert "by --grant manifest in r1" in told
    assert "reads: you took back g1 files.read" in told
    fits = homeless("audit", "verify", "--head", line)
    assert (fits.code, "all of it fits" in fits.out) == (0, True), fits.out
    assert homeless("audit", "accept").err == "there is nothing to accept: this home is what was known of it\n"

    (home / "agentos.db").write_bytes(old)
    refused = homeless("run", program)
    assert refused.code == 5
    assert "the database was rolled back: it ends at record" in refused.err
    assert "agentos audit accept" in refused.err
    assert refused.out == ""
    looked = homeless("audit", "verify")
    assert (looked.code, "WRONG: rolled back" in looked.out) == (1, True)
    asked = homeless("audit", "accept")
    assert (asked.code, "say --yes" in asked.err) == (3, True), asked.err
    assert homeless("run", program).code == 5
    assert homeless("audit", "accept", "--yes").code == 0
    assert homeless("run", program).out == "hello\n"
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
