"""agentos keys: as a person uses it, with the passphrases that a script would set."""

from __future__ import annotations

from dataclasses import replace

from tests.shell.conftest import Shell

PASSPHRASE, NEW = "AGENTOS_PASSPHRASE", "AGENTOS_NEW_PASSPHRASE"


def knowing(shell: Shell, **secrets: str) -> Shell:
    return replace(shell, environment=shell.environment | secrets)


def test_a_home_changes_hands_from_a_key_file_to_a_passphrase(homeless: Shell) -> None:
    assert homeless("init", "--key-file", "key").code == 0
    assert homeless("keys").out == f"1  the key file {homeless.folder}/key\n2  the recovery key, on paper\n"
    added = knowing(homeless, **{NEW: "first"})("keys", "add", "--passphrase")
    assert added.code == 0, added.err
    assert homeless("keys", "remove", "1").code == 0
    locked = homeless("keys", "recovery")
    assert locked.code == 5, locked.err
    assert "AGENTOS_PASSPHRASE" in locked.err
    changed = knowing(homeless, **{PASSPHRASE: "first", NEW: "second"})("keys", "change", "--json")
    assert changed.json == {
        "home": homeless.environment["AGENTOS_HOME"],
        "ways": [{"number": 1, "kind": "passphrase", "path": ""}, {"number": 2, "kind": "recovery", "path": ""}],
    }
    wrong = knowing(homeless, **{PASSPHRASE: "first"})("keys", "recovery")
    assert wrong.code == 2
    assert "not the passphrase" in wrong.err
    recovery = knowing(homeless, **{PASSPHRASE: "second"})("keys", "recovery", "--json").json
    assert isinstance(recovery, dict)
    assert len(str(recovery["recovery_key"])) == 69
    knows = {PASSPHRASE: str(recovery["recovery_key"]), NEW: "third"}
    assert knowing(homeless, **knows)("keys", "change").code == 0


def test_what_makes_no_sense_is_said_with_what_would(homeless: Shell) -> None:
    for line, said in (
        (("keys", "add"), "choose one of --keyring"),
        (("keys", "add", "--keyring", "--passphrase"), "choose one of --keyring"),
        (("keys", "remove"), "agentos keys remove NUMBER"),
        (("keys", "change", "3"), "only remove takes a number"),
        (("keys", "--keyring"), "agentos keys add"),
    ):
        told = homeless(*line)
        assert (told.code, said in told.err) == (2, True), told.err
    assert homeless("keys").code == 5
