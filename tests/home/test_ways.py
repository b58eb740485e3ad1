"""The ways of unlocking a home come and go; whoever changes them opens the home first, and one way always stays."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from agentos.home import home, unlocking
from agentos.home.keys import HomeError
from agentos.home.ways import Change, changing

OLD, NEW = "correct horse", "battery staple"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes, str]:
    """A home under a passphrase, as its two files, and its recovery key."""
    place = tmp_path_factory.mktemp("made") / "home"
    recovery = home.initialise(place, "passphrase", OLD)
    return (place / "unlock.json").read_bytes(), (place / "agentos.db").read_bytes(), recovery


@pytest.fixture
def path(made: tuple[bytes, bytes, str], tmp_path: Path) -> Path:
    place = tmp_path / "home"
    place.mkdir(0o700)
    for name, content in zip(("unlock.json", "agentos.db"), made, strict=False):
        (place / name).write_bytes(content if isinstance(content, bytes) else b"")
        (place / name).chmod(0o600)
    return place


def opens(path: Path, secret: str = "") -> bool:
    try:
        home.unlock(path, secret).close()
    except HomeError as error:
        if error.code not in ("passphrase_needed", "wrong_passphrase", "no_key_file"):
            raise
        return False
    return True


def kinds(path: Path) -> list[str]:
    return [slot.kind for slot in unlocking.read(path).slots]


def test_another_passphrase_takes_the_place_of_the_old_one(path: Path) -> None:
    with changing(path, OLD) as change:
        change.passphrase(NEW)
    assert kinds(path) == ["passphrase", "recovery"]
    assert opens(path, NEW)
    assert not opens(path, OLD)


def test_any_way_opens_the_home_and_each_by_itself(path: Path) -> None:
    key_file = path.parent / "key"
    with changing(path, OLD) as change:
        change.add("key-file", key_file=key_file)
    assert kinds(path) == ["passphrase", "key-file", "recovery"]
    assert opens(path)
    key_file.rename(path.parent / "elsewhere")
    assert not opens(path)
    assert opens(path, OLD)


def test_the_database_stays_as_it_was(path: Path) -> None:
    before = (path / "agentos.db").read_bytes()
    with changing(path, OLD) as change:
        change.passphrase(NEW)
        change.recovery()
    assert (path / "agentos.db").read_bytes() == before


def test_the_recovery_key_changes_a_forgotten_passphrase(path: Path, made: tuple[bytes, bytes, str]) -> None:
    with changing(path, made[2]) as change:
        change.passphrase(NEW)
    assert opens(path, NEW)


def test_a_new_recovery_key_voids_the_old_one(path: Path, made: tuple[bytes, bytes, str]) -> None:
    with changing(path, OLD) as change:
        shown = change.recovery()
    assert opens(path, shown)
    assert not opens(path, made[2])
    assert kinds(path) == ["passphrase", "recovery"]


def test_a_way_that_is_taken_away_opens_nothing_any_more(path: Path) -> None:
    key_file = path.parent / "key"
    with changing(path, OLD) as change:
        change.add("key-file", key_file=key_file)
    with changing(path, "") as change:
        assert change.remove(1).kind == "passphrase"
    assert not opens(path, "wrong") or opens(path)  # by the key file alone
    key_file.unlink()
    assert not opens(path, OLD)


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (lambda change: change.remove(1), "invalid"),
        (lambda change: change.remove(0), "not_found"),
        (lambda change: change.remove(3), "not_found"),
        (lambda change: change.remove(-1), "not_found"),
        (lambda change: change.add("passphrase", NEW), "exists"),
        (lambda change: change.passphrase(""), "passphrase_needed"),
        (lambda change: change.add("key-file"), "invalid"),
        (lambda change: change.add("paper"), "invalid"),
    ],
)
def test_what_would_lock_the_person_out_or_means_nothing_changes_nothing(
    path: Path, step: Callable[[Change], None], code: str
) -> None:
    before = (path / "unlock.json").read_bytes()
    with pytest.raises(HomeError) as told, changing(path, OLD) as change:
        step(change)
    assert told.value.code == code
    assert told.value.hint
    assert (path / "unlock.json").read_bytes() == before
    assert opens(path, OLD)


def test_nobody_changes_a_home_that_they_cannot_open(path: Path) -> None:
    for secret, code in (("", "passphrase_needed"), ("guess", "wrong_passphrase")):
        with pytest.raises(HomeError) as told, changing(path, secret) as change:
            change.passphrase(NEW)
        assert told.value.code == code
    assert opens(path, OLD)


def test_a_change_that_does_not_come_about_leaves_no_key_file(path: Path) -> None:
    key_file = path.parent / "key"

    def both() -> None:
        with changing(path, OLD) as change:
            change.add("key-file", key_file=key_file)
            change.remove(9)

    with pytest.raises(HomeError):
        both()
    assert not key_file.exists()
    assert kinds(path) == ["passphrase", "recovery"]


def test_two_changes_at_once_take_turns(path: Path) -> None:
    with changing(path, OLD) as change:
        with pytest.raises(HomeError) as told, changing(path, OLD):
            pass
        change.passphrase(NEW)
    assert told.value.code == "busy"
    assert opens(path, NEW)


def test_the_ways_change_beside_a_kernel_that_is_up(path: Path) -> None:
    held = home.unlock(path, OLD)
    try:
        with changing(path, OLD) as change:
            change.passphrase(NEW)
    finally:
        held.close()
    assert opens(path, NEW)


def test_the_file_is_the_persons_alone_and_holds_no_secret(path: Path) -> None:
    with changing(path, OLD) as change:
        change.passphrase(NEW)
        shown = change.recovery()
    found = path / "unlock.json"
    assert stat.S_IMODE(found.stat().st_mode) == 0o600
    assert found.stat().st_uid == os.geteuid()
    assert not [word for word in (OLD, NEW, shown[:9]) if word in found.read_text()]
