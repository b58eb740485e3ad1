"""The vault: a value is there under its key, and when it is let go, no copy of the file has it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from agentos.home import chain, schema
from agentos.home.chain import JournalBroken, JournalFull
from agentos.home.journal import Journal
from agentos.home.vault import TABLE, Vault

KEY = b"k" * 32
VALUE = b"the-value-of-a-secret-" * 40
OTHER = b"another-value-" * 300  # on pages of its own


@pytest.fixture
def path(tmp_path: Path) -> Path:
    schema.create(tmp_path / "db", KEY)
    return tmp_path / "db"


@pytest.fixture
def vault(path: Path) -> Iterator[Vault]:
    opened = Vault.open(path, KEY)
    yield opened
    opened.close()


def log_of(path: Path) -> Path:
    return path.with_name("db-wal")


def unencrypted(path: Path) -> Vault:
    """A vault with all that ours has but the cipher, so that a test can see what its files hold."""
    writing, reading = apsw.Connection(str(path)), apsw.Connection(str(path))
    for each in (writing, reading):
        chain.configure(each)
    writing.execute(TABLE)
    return Vault(writing, reading, False)


def files(path: Path) -> bytes:
    """All that is on disk of a database, the gaps and the free pages of it too."""
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


def test_a_value_is_there_under_its_key_alone(path: Path, vault: Vault) -> None:
    key = vault.put(VALUE)
    assert vault.get(key) == VALUE
    assert vault.get("another") is None
    assert vault.put(VALUE) != key
    again = Vault.open(path, KEY)
    assert again.get(key) == VALUE
    again.close()


def test_what_is_not_kept_is_in_no_file(tmp_path: Path) -> None:
    vault = unencrypted(tmp_path / "plain")
    gone, kept, large = (vault.put(value) for value in (VALUE, b"kept-all-the-while", OTHER))
    vault._wipe()
    assert VALUE[:100] in files(tmp_path / "plain")  # so that its absence says something
    vault.keep([kept])
    left = files(tmp_path / "plain")
    assert b"the-value-of" not in left
    assert b"another-value" not in left
    assert b"kept-all-the-while" in left
    assert [vault.get(key) for key in (gone, kept, large)] == [None, b"kept-all-the-while", None]
    vault.close()


def test_a_value_that_was_only_in_the_log_is_gone_from_there_too(tmp_path: Path) -> None:
    vault = unencrypted(tmp_path / "plain")
    vault.put(VALUE)
    assert VALUE[:100] in files(tmp_path / "plain")
    vault.keep([])
    assert b"the-value-of" not in files(tmp_path / "plain")
    vault.close()


def test_no_file_has_a_value_in_the_clear(path: Path, vault: Vault) -> None:
    vault.put(VALUE)
    for file in path.parent.iterdir():
        assert b"the-value-of" not in file.read_bytes(), file.name


def test_traces_that_a_reader_holds_are_said_and_wiped_the_next_time(
    path: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentos.home.vault.EMPTIED_WITHIN_S", 0.0)
    vault.put(VALUE)
    reader = chain.connect(path, KEY)
    reader.execute("BEGIN; SELECT count(*) FROM vault").fetchall()
    reader.set_busy_timeout(0)
    vault._writing.set_busy_timeout(0)
    with pytest.raises(JournalFull, match="still in the log"):
        vault.keep([])
    reader.execute("COMMIT")
    reader.close()
    vault.keep([])
    assert log_of(path).stat().st_size == 0


def test_what_a_killed_kernel_left_in_the_log_is_wiped(path: Path, tmp_path: Path) -> None:
    killed = Vault.open(path, KEY)
    killed.put(VALUE)
    killed._write("DELETE FROM vault", ())
    place = tmp_path / "after"
    place.mkdir()
    for name in ("db", "db-wal"):
        shutil.copy(tmp_path / name, place / name)
    killed.close()
    opened = Vault.open(place / "db", KEY)
    opened.keep([])
    assert log_of(place / "db").stat().st_size == 0
    opened.close()


async def test_it_lives_beside_a_journal_that_is_written_all_the_time(path: Path, vault: Vault) -> None:
    journal = Journal.open(path, KEY)
    keys = []
    for number in range(20):
        seq = journal.append(("call", "r1", b"x" * 5000))
        keys.append(vault.put(b"value %d" % number))
        vault.keep(keys[-1:])
        await journal.durable(seq)
    assert vault.get(keys[-1]) == b"value 19"
    await journal.close()


def test_another_key_opens_nothing(path: Path, vault: Vault) -> None:
    vault.put(VALUE)
    with pytest.raises(JournalBroken):
        Vault.open(path, b"o" * 32)
