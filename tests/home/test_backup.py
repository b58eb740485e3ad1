"""A backup is one moment of a home, whatever is written meanwhile; it opens with whatever opened the home, or not."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from agentos.home import auditing, backup, home, unlocking
from agentos.home.chain import JournalBroken, connect
from agentos.home.journal import Entry, Journal
from agentos.home.keys import HomeError
from agentos.home.vault import Vault
from agentos.home.ways import changing

WORDS = "correct horse"
PHRASE = b"what nobody else may read"


def unheard(done: int, of: int) -> None:
    """Nobody watches."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """A home with 700 records and a secret, its key file, and its recovery key."""
    place = tmp_path_factory.mktemp("kept")
    recovery = home.initialise(place / "home", "key-file", key_file=place / "key")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENTOS_STATE", str(place / "state"))
        asyncio.run(written(place / "home", 700))
    opened = home.unlock(place / "home")
    vault = Vault.open(opened.database, opened.keys.database)
    vault.put(b"the secret of r1")
    vault.close()
    opened.close()
    return place / "home", place / "key", recovery


@pytest.fixture
def place(kept: tuple[Path, Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that home, on a device that knows its head."""
    shutil.copytree(kept[0], tmp_path / "home", copy_function=shutil.copy2)
    shutil.copytree(kept[0].parent / "state", tmp_path / "state", copy_function=shutil.copy2)
    monkeypatch.setenv("AGENTOS_STATE", str(tmp_path / "state"))
    return tmp_path / "home"


async def written(path: Path, count: int, secret: str = "") -> list[Entry]:
    """Open a home as a kernel does, append, and close it; returns all that it holds."""
    with closing(home.unlock(path, secret)) as held:
        journal = Journal.open(held.database, held.keys.database, held.witness())
        for number in range(count):
            journal.append(("call", f"r{number % 3}", PHRASE + b" %d" % number))
        await journal.durable(journal.head[0])
        found = list(journal.entries())
        await journal.close()
    return found


def test_a_home_comes_back_whole_once_it_was_accepted(place: Path, tmp_path: Path) -> None:
    before = asyncio.run(written(place, 0))
    taken = backup.backup(place, "", tmp_path / "b", unheard)
    again = tmp_path / "again"
    assert backup.restore(again, "", tmp_path / "b", unheard) == taken
    with pytest.raises(JournalBroken, match=r"was restored from a backup of .* which ends at record 700") as refused:
        asyncio.run(written(again, 0))
    assert "agentos audit accept" in refused.value.hint
    accepted = auditing.accept(again, "", True)
    assert accepted is not None
    assert accepted.reason.startswith("this home was restored from a backup of ")
    assert asyncio.run(written(again, 0)) == before
    assert len(asyncio.run(written(again, 5))) == len(before) + 5
    held = home.unlock(again)
    vault = Vault.open(held.database, held.keys.database)
    [(key,)] = connect(held.database, held.keys.database).execute("SELECT key FROM vault").fetchall()
    assert vault.get(str(key)) == b"the secret of r1"
    vault.close()
    held.close()


def test_another_device_which_knows_no_head_accepts_it_too(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup.backup(place, "", tmp_path / "b", unheard)
    monkeypatch.setenv("AGENTOS_STATE", str(tmp_path / "elsewhere"))
    backup.restore(tmp_path / "again", "", tmp_path / "b", unheard)
    with pytest.raises(JournalBroken, match="was restored"):
        asyncio.run(written(tmp_path / "again", 0))
    assert auditing.accept(tmp_path / "again", "", True)
    assert len(asyncio.run(written(tmp_path / "again", 1))) == 701


def test_it_is_one_moment_while_a_kernel_writes(place: Path, tmp_path: Path) -> None:
    async def beside() -> None:
        with closing(home.unlock(place)) as held:
            journal = Journal.open(held.database, held.keys.database, held.witness())
            vault = Vault.open(held.database, held.keys.database)

            def told(done: int, of: int) -> None:
                journal.append(("call", "r9", PHRASE * 1000))
                vault.put(b"later")  # on disk when it returns

            taken = await asyncio.to_thread(backup.backup, place, "", tmp_path / "b", told)
            assert taken.seq == 700
            await journal.durable(journal.head[0])
            assert journal.head[0] > 700
            vault.close()
            await journal.close()

    asyncio.run(beside())
    backup.restore(tmp_path / "again", "", tmp_path / "b", unheard)
    auditing.accept(tmp_path / "again", "", True)
    assert len(asyncio.run(written(tmp_path / "again", 0))) == 700


def test_what_opened_the_home_opens_the_backup(place: Path, kept: tuple[Path, Path, str], tmp_path: Path) -> None:
    with changing(place, "") as change:
        change.add("passphrase", WORDS)
    backup.backup(place, WORDS, tmp_path / "b", unheard)
    away = kept[1].with_name("away")
    kept[1].rename(away)
    try:
        backup.restore(tmp_path / "one", WORDS, tmp_path / "b", unheard)
        backup.restore(tmp_path / "two", kept[2], tmp_path / "b", unheard)
        with pytest.raises(HomeError) as refused:
            backup.restore(tmp_path / "three", "another", tmp_path / "b", unheard)
        assert refused.value.code == "wrong_passphrase"
    finally:
        away.rename(kept[1])
    assert not (tmp_path / "three" / "unlock.json").exists()


def test_there_is_no_word_of_it_in_the_clear_and_it_is_nobody_elses(place: Path, tmp_path: Path) -> None:
    backup.backup(place, "", tmp_path / "b", unheard)
    raw = (tmp_path / "b").read_bytes()
    assert PHRASE not in raw
    assert b"the secret" not in raw
    assert b"CREATE TABLE" not in raw
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600


def flipped(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda raw: flipped(raw, -1), id="its last bit"),
        pytest.param(lambda raw: flipped(raw, len(raw) // 2), id="a bit within"),
        pytest.param(lambda raw: flipped(raw, raw.index(b'"seq":') + 7), id="the header"),
        pytest.param(lambda raw: raw[:-40], id="cut off"),
        pytest.param(lambda raw: raw + b"more", id="longer"),
        pytest.param(lambda raw: raw[:30], id="hardly begun"),
        pytest.param(lambda raw: b"", id="empty"),
        pytest.param(lambda raw: raw[:17] + b"\xff" * 4 + raw[21:], id="a header without end"),
    ],
)
def test_what_was_altered_is_refused_and_leaves_nothing(
    place: Path, tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    backup.backup(place, "", tmp_path / "b", unheard)
    (tmp_path / "b").write_bytes(spoil((tmp_path / "b").read_bytes()))
    with pytest.raises(HomeError) as refused:
        backup.restore(tmp_path / "again", "", tmp_path / "b", unheard)
    assert refused.value.code == "broken"
    assert not (tmp_path / "again").exists() or os.listdir(tmp_path / "again") == []


def framed(raw: bytes) -> list[bytes]:
    """A backup, taken apart: all before the first frame, and each frame."""
    at = 17 + 4 + int.from_bytes(raw[17:21], "big") + 24
    parts = [raw[:at]]
    while at < len(raw):
        after = at + 4 + int.from_bytes(raw[at : at + 4], "big")
        parts.append(raw[at:after])
        at = after
    return parts


@pytest.mark.parametrize("which", [1, 2, -2, -1])
def test_a_frame_that_is_left_out_is_missed(place: Path, tmp_path: Path, which: int) -> None:
    backup.backup(place, "", tmp_path / "b", unheard)
    parts = framed((tmp_path / "b").read_bytes())
    assert len(parts) > 4
    del parts[which]
    (tmp_path / "b").write_bytes(b"".join(parts))
    with pytest.raises(HomeError) as refused:
        backup.restore(tmp_path / "again", "", tmp_path / "b", unheard)
    assert refused.value.code == "broken"


def test_nothing_is_written_over(place: Path, tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"an older backup")
    with pytest.raises(HomeError, match="there is such a file already"):
        backup.backup(place, "", tmp_path / "b", unheard)
    assert (tmp_path / "b").read_bytes() == b"an older backup"
    with pytest.raises(HomeError, match="a backup within the home"):
        backup.backup(place, "", place / "b", unheard)
    backup.backup(place, "", tmp_path / "c", unheard)
    with pytest.raises(HomeError, match="nothing is restored over it") as refused:
        backup.restore(place, "", tmp_path / "c", unheard)
    assert "move it away first" in refused.value.hint
    held = home.unlock(place)
    with pytest.raises(HomeError, match="a kernel serves the home") as refused:
        backup.restore(place, "", tmp_path / "c", unheard)
    assert "agentos down" in refused.value.hint
    held.close()


def test_a_file_made_meanwhile_stays(place: Path, tmp_path: Path) -> None:
    def told(done: int, of: int) -> None:
        (tmp_path / "b").write_bytes(b"another's")

    with pytest.raises(HomeError, match="there is such a file already"):
        backup.backup(place, "", tmp_path / "b", told)
    assert (tmp_path / "b").read_bytes() == b"another's"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["b", "home", "state"]


def test_a_home_that_is_broken_makes_no_backup(place: Path, tmp_path: Path) -> None:
    opened = home.unlock(place)
    db = connect(opened.database, opened.keys.database)
    db.execute("UPDATE journal SET body = ? WHERE seq = 300", (b"otherwise",))
    db.close()
    opened.close()
    with pytest.raises(JournalBroken, match="record 300"):
        backup.backup(place, "", tmp_path / "b", unheard)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["home", "state"]


def test_what_was_erased_is_in_no_backup(place: Path, tmp_path: Path) -> None:
    async def forget() -> None:
        held = home.unlock(place)
        journal = Journal.open(held.database, held.keys.database, held.witness())
        await journal.durable(journal.append(("forgotten", "r1", b"{}"), erase=[("r1", ("call",))]))
        await journal.close()
        held.close()

    asyncio.run(forget())
    backup.backup(place, "", tmp_path / "b", unheard)
    backup.restore(tmp_path / "again", "", tmp_path / "b", unheard)
    auditing.accept(tmp_path / "again", "", True)
    found = asyncio.run(written(tmp_path / "again", 0))
    assert {entry.run for entry in found if entry.kind == "call"} == {"r0", "r2"}


def test_a_place_that_takes_nothing_is_said(place: Path) -> None:
    with pytest.raises(HomeError, match="cannot be written"):
        backup.backup(place, "", Path("/proc/agentos-backup"), unheard)


def test_a_backup_of_a_newer_version_is_refused(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backup.backup(place, "", tmp_path / "b", unheard)
    monkeypatch.setattr("agentos.home.schema.VERSION", 1)
    with pytest.raises(HomeError) as refused:
        backup.restore(tmp_path / "again", "", tmp_path / "b", unheard)
    assert refused.value.code == "newer"
    monkeypatch.undo()
    monkeypatch.setattr(unlocking, "VERSION", 0)
    with pytest.raises(HomeError) as refused:
        backup.contents(tmp_path / "b")
    assert refused.value.code == "newer"
