"""Each way of keeping the home key, and what each says when it fails."""

from __future__ import annotations

import secrets
from pathlib import Path

import keyring
import keyring.backend
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring.backends import fail, null

from agentos.home import keys
from agentos.home.keys import HomeError, Slot

HOME_KEY = bytes(range(32))


class Ring(keyring.backend.KeyringBackend):
    """A keyring in memory, through the library's own seam."""

    priority = 1  # pyright: ignore[reportAssignmentType]  # declared as a property of the class, which a number is

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


@pytest.fixture
def ring() -> Ring:
    return use(Ring())


def use(backend: Ring) -> Ring:
    keyring.set_keyring(backend)
    return backend


def test_sub_keys_differ_by_purpose_and_by_home_and_are_not_shown() -> None:
    one, other = keys.derive(HOME_KEY), keys.derive(bytes(32))
    all_of_them = {one.database, one.images, one.boot, other.database, other.images, other.boot}
    assert len(all_of_them) == 6
    assert HOME_KEY not in all_of_them
    assert (repr(one), str(one)) == ("Keys(…)", "Keys(…)")
    assert keys.derive(HOME_KEY) == one


def test_a_slot_opens_with_its_key_for_its_home_and_its_kind_only() -> None:
    key = secrets.token_bytes(32)
    slot = Slot("keyring", keys.wrap(HOME_KEY, key, "keyring", "home1"))
    assert keys.unwrap(slot, key, "home1") == HOME_KEY
    assert keys.unwrap(slot, key, "home2") is None
    assert keys.unwrap(Slot("key-file", slot.wrapped), key, "home1") is None
    assert keys.unwrap(slot, secrets.token_bytes(32), "home1") is None
    assert keys.unwrap(slot, b"short", "home1") is None
    assert keys.unwrap(Slot("keyring", b"stub"), key, "home1") is None
    assert HOME_KEY not in slot.wrapped


def test_a_passphrase_opens_however_it_was_typed_and_another_does_not() -> None:
    slot = keys.passphrase_slot(HOME_KEY, "home1", "motörhead")
    assert keys.unwrap(slot, keys.passphrase_key(slot, "moto\N{COMBINING DIAERESIS}rhead"), "home1") == HOME_KEY
    assert keys.unwrap(slot, keys.passphrase_key(slot, "motorhead"), "home1") is None


def test_an_empty_passphrase_is_none() -> None:
    with pytest.raises(HomeError) as told:
        keys.passphrase_slot(HOME_KEY, "home1", "")
    assert told.value.code == "passphrase_needed"


@pytest.mark.parametrize(("ops", "memory"), [(0, 1 << 20), (10_000, 1 << 20), (3, 1 << 40), (3, 0)])
def test_a_cost_that_would_stop_the_machine_is_not_paid(ops: int, memory: int) -> None:
    slot = Slot("passphrase", bytes(72), bytes(16), ops, memory)
    with pytest.raises(HomeError) as told:
        keys.passphrase_key(slot, "x")
    assert told.value.code == "broken"


def test_a_key_file_is_made_for_nobody_else_and_never_over_another(tmp_path: Path) -> None:
    path = tmp_path / "key"
    slot = keys.key_file_slot(HOME_KEY, "home1", path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys.unwrap(slot, keys.key_file_key(slot), "home1") == HOME_KEY
    with pytest.raises(HomeError) as told:
        keys.key_file_slot(HOME_KEY, "home1", path)
    assert told.value.code == "exists"
    with pytest.raises(HomeError) as told:
        keys.key_file_slot(HOME_KEY, "home1", tmp_path / "none" / "key")
    assert told.value.code == "unavailable"


def test_a_key_file_that_is_gone_or_open_or_nonsense_says_so(tmp_path: Path) -> None:
    path = tmp_path / "key"
    slot = keys.key_file_slot(HOME_KEY, "home1", path)
    path.chmod(0o640)
    with pytest.raises(HomeError) as told:
        keys.key_file_key(slot)
    assert (told.value.code, told.value.hint) == ("open_to_others", f"chmod 600 {path}")
    path.chmod(0o600)
    path.write_text("ä")
    with pytest.raises(HomeError) as told:
        keys.key_file_key(slot)
    assert told.value.code == "broken"
    path.unlink()
    with pytest.raises(HomeError) as told:
        keys.key_file_key(slot)
    assert told.value.code == "no_key_file"
    assert str(path) in told.value.reason


def test_a_keyring_keeps_a_key_of_its_own_and_not_the_homes(ring: Ring) -> None:
    slot = keys.keyring_slot(HOME_KEY, "home1")
    assert keys.unwrap(slot, keys.keyring_key("home1"), "home1") == HOME_KEY
    assert list(ring.kept) == [("agentos", "home1")]
    assert HOME_KEY.hex() not in ring.kept.values()


def test_a_machine_without_a_keyring_is_told_what_to_use_instead() -> None:
    keyring.set_keyring(fail.Keyring())  # type: ignore[no-untyped-call]
    with pytest.raises(HomeError) as told:
        keys.keyring_slot(HOME_KEY, "home1")
    assert told.value.code == "no_keyring"
    assert "--passphrase" in told.value.hint
    assert "--key-file" in told.value.hint
    with pytest.raises(HomeError) as told:
        keys.keyring_key("home1")
    assert "recovery key" in told.value.hint


def test_a_keyring_that_keeps_nothing_is_not_trusted_with_the_only_key(ring: Ring) -> None:
    keyring.set_keyring(null.Keyring())  # type: ignore[no-untyped-call]
    with pytest.raises(HomeError, match="does not keep"):
        keys.keyring_slot(HOME_KEY, "home1")
    use(ring)
    with pytest.raises(HomeError, match="no key of this home"):
        keys.keyring_key("home1")


def test_the_recovery_key_opens_the_home() -> None:
    slot, shown = keys.recovery_slot(HOME_KEY, "home1")
    key = keys.recovery_key(shown)
    assert key
    assert keys.unwrap(slot, key, "home1") == HOME_KEY


@given(st.binary(min_size=32, max_size=32))
def test_a_recovery_key_is_read_however_it_was_copied(key: bytes) -> None:
    shown = keys.recovery_text(key)
    assert len(shown.split("-")) == 14
    copied = shown.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    for text in (shown, copied, f"  {shown}\n", shown.replace("-", "\n"), shown.replace("1", "I")):
        assert keys.recovery_key(text) == key


@given(st.binary(min_size=32, max_size=32), st.integers(0, 55), st.sampled_from(keys.ALPHABET))
def test_one_wrong_letter_of_a_recovery_key_is_noticed(key: bytes, at: int, letter: str) -> None:
    letters = list(keys.recovery_text(key).replace("-", ""))
    if letters[at] != letter:
        letters[at] = letter
        assert keys.recovery_key("".join(letters)) is None


@given(st.text())
def test_no_text_upsets_the_reader_of_recovery_keys(text: str) -> None:
    assert keys.recovery_key(text) is None or len(text) >= 56
