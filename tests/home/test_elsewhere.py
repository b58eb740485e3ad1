"""A head in the keyring and in a folder of the person's choice: asked at each start, written after each commit."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backends import null

from agentos.home import auditing, commits, elsewhere, heads, home
from agentos.home.elsewhere import SERVICE
from agentos.home.journal import Journal, JournalBroken
from agentos.home.keys import HomeError
from tests.home.moments import within
from tests.home.rings import Ring


def parsed(line: str) -> heads.Head:
    found = heads.parsed(line)
    assert found
    return found


class Kept:
    """A home with a head beside it, in a keyring and in a folder on another disk, as far as those were chosen."""

    def __init__(self, folder: Path, ring: Ring) -> None:
        self.path = folder / "home"
        self.disk = folder / "disk"
        self.disk.mkdir()
        self.state = folder / "state"
        self.ring = ring
        home.initialise(self.path, "key-file", key_file=folder / "key")

    def open(self) -> tuple[home.Home, Journal]:
        held = home.unlock(self.path)
        try:
            return held, Journal.open(held.database, held.keys.database, held.witness())
        except BaseException:
            held.close()
            raise

    async def write(self, count: int = 3) -> int:
        held, journal = self.open()
        for number in range(count):
            journal.append(("call", "r1", b"%d" % number))
        await journal.durable(journal.head[0])
        await journal.close()
        held.close()
        return journal.head[0]

    def keep_in(self, *places: str) -> None:
        for each in places:
            auditing.keep_in(self.path, "", each)

    @property
    def file(self) -> Path:
        return next(self.state.glob("*/head"))

    @property
    def there(self) -> Path:
        return next(self.disk.glob("*.head"))

    @property
    def entry(self) -> tuple[str, str]:
        return next(key for key in self.ring.kept if key[0] == SERVICE)

    @property
    def lines(self) -> list[str]:
        """What is in the file, the keyring, the folder."""
        return [self.file.read_text(), self.ring.kept[self.entry], self.there.read_text()]

    @lines.setter
    def lines(self, lines: list[str]) -> None:
        self.file.write_text(lines[0])
        self.ring.kept[self.entry] = lines[1]
        self.there.write_text(lines[2])

    def number(self, line: str) -> int:
        return parsed(line).number

    @property
    def seqs(self) -> tuple[int, ...]:
        """Up to which record each of them is."""
        return tuple(parsed(line).seq for line in self.lines)

    def refused(self, code: str, *said: str) -> None:
        with pytest.raises((JournalBroken, HomeError)) as told:
            self.open()
        wrong = told.value
        assert isinstance(wrong, JournalBroken | HomeError)
        assert wrong.code == code, wrong.reason
        for each in said:
            assert each in f"{wrong.reason}: {wrong.hint}"


@pytest.fixture
def ring() -> Iterator[Ring]:
    before, made = keyring.get_keyring(), Ring()
    keyring.set_keyring(made)
    yield made
    made.open.set()
    keyring.set_keyring(before)


@pytest.fixture
def kept(tmp_path: Path, ring: Ring, monkeypatch: pytest.MonkeyPatch) -> Kept:
    monkeypatch.setenv("AGENTOS_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(elsewhere, "ANSWER_S", 0.3)
    monkeypatch.setattr(commits, "LAST_S", 5.0)
    return Kept(tmp_path, ring)


async def test_a_head_is_kept_in_each_place_that_was_chosen(kept: Kept) -> None:
    await kept.write()
    kept.keep_in("keyring", str(kept.disk))
    assert kept.seqs == (3, 3, 3)
    last = await kept.write()
    assert kept.seqs == (last,) * 3
    assert [(each.where, each.seq) for each in auditing.kept(kept.path, "")] == [
        ("keyring", last), (str(kept.disk), last),
    ]  # fmt: skip


async def test_places_can_be_chosen_before_anything_happened(kept: Kept) -> None:
    kept.keep_in("keyring", str(kept.disk))
    assert [each.state for each in auditing.kept(kept.path, "")] == ["none is there yet"] * 2
    last = await kept.write()
    assert kept.seqs == (last,) * 3


async def both_put_back(kept: Kept) -> None:
    """What the file cannot notice: the whole disk with home and state as it was."""
    shutil.copytree(kept.path, kept.path.with_name("old"))
    shutil.copytree(kept.state, kept.state.with_name("old state"))
    await kept.write()
    for each in (kept.path, kept.state):
        shutil.rmtree(each)
    shutil.move(kept.path.with_name("old"), kept.path)
    shutil.move(kept.state.with_name("old state"), kept.state)


@pytest.mark.parametrize("place", ["keyring", "disk"])
async def test_a_home_that_was_put_back_with_its_file_is_noticed_by_the_other_place(kept: Kept, place: str) -> None:
    kept.keep_in("keyring" if place == "keyring" else str(kept.disk))
    await kept.write()
    await both_put_back(kept)
    kept.refused("rolled_back", "bring the newer database back")
    accepted = auditing.accept(kept.path, "", sure=True)
    assert accepted
    assert accepted.code == "rolled_back"
    await kept.write()


async def test_a_power_cut_between_any_two_places_is_no_alarm(kept: Kept) -> None:
    kept.keep_in("keyring", str(kept.disk))
    await kept.write()
    before = kept.lines
    last = await kept.write(1)
    after, database = kept.lines, (kept.path / "agentos.db").read_bytes()
    assert [kept.number(new) - kept.number(old) for old, new in zip(before, after, strict=True)] == [1, 1, 1]
    for cut in range(8):
        (kept.path / "agentos.db").write_bytes(database)
        kept.lines = [(after if cut >> at & 1 else before)[at] for at in range(3)]
        held, journal = kept.open()
        await journal.close()
        held.close()
        assert kept.seqs == (last,) * 3, "the start makes up for it"


async def test_a_place_that_is_two_heads_behind_was_put_back(kept: Kept) -> None:
    kept.keep_in("keyring")
    await kept.write()
    old = kept.ring.kept.copy()
    await kept.write()
    await kept.write()
    kept.ring.kept = old
    kept.refused("head_old", "in this device's keyring", "--not-in keyring")


@pytest.mark.parametrize("what", ["keyring", "disk"])
async def test_a_head_that_is_gone_from_its_place_is_missed(kept: Kept, what: str) -> None:
    kept.keep_in("keyring", str(kept.disk))
    await kept.write()
    if what == "keyring":
        kept.ring.kept.clear()
        kept.refused("head_missing", "in this device's keyring", "agentos audit head --not-in keyring")
    else:
        kept.there.unlink()
        kept.refused("head_missing", str(kept.disk), f"agentos audit head --not-in {kept.disk}")


@pytest.mark.parametrize("place", ["keyring", "disk"])
async def test_a_head_that_is_not_this_homes_is_refused(kept: Kept, place: str) -> None:
    kept.keep_in("keyring", str(kept.disk))
    await kept.write()
    if place == "keyring":
        kept.ring.kept = dict.fromkeys(kept.ring.kept, "nonsense")
    else:
        kept.there.write_text("nonsense")
    kept.refused("head_wrong", "--not-in")


async def test_a_keyring_that_is_locked_or_hangs_at_a_start_is_said_with_what_to_do(kept: Kept) -> None:
    kept.keep_in("keyring")
    await kept.write()
    kept.ring.locked = True
    kept.refused("no_head", "cannot be read", "unlock it, or go on without it: agentos audit head --not-in keyring")
    kept.ring.locked = False
    kept.ring.open.clear()
    kept.refused("no_head", "no answer came", "unlock it")
    kept.ring.open.set()
    await kept.write()


async def test_a_keyring_that_hangs_holds_up_neither_the_loop_nor_a_commit(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "LAST_S", 0.1)
    kept.keep_in("keyring", str(kept.disk))
    await kept.write()
    held, journal = kept.open()
    kept.ring.open.clear()
    began, took = time.monotonic(), [0.0, 0.0]
    while time.monotonic() - began < 1.5:  # three heads' time
        before = time.monotonic()
        await journal.durable(journal.append(("call", "r1", b"x")))
        took.append(time.monotonic() - before)
    assert sorted(took)[-2] < 0.3, "one may be slow by itself, on a machine that is busy"
    last = journal.head[0]
    assert journal.statistics()["head"] == 0, "no head counts as kept that is not everywhere"
    await journal.close()
    held.close()
    kept.ring.open.set()
    # It is behind by one head, as after a power cut: no alarm, and the next start makes up for it.
    assert await kept.write(1) == last + 1
    assert kept.seqs == (last + 1,) * 3


async def test_a_head_is_everywhere_within_a_second_of_its_commit(kept: Kept) -> None:
    kept.keep_in("keyring", str(kept.disk))
    await kept.write()
    held, journal = kept.open()
    async with asyncio.timeout(20):
        for _ in range(3):
            seq = journal.append(("call", "r1", b"x"))
            await journal.durable(seq)
            assert await within(1.0, lambda: min(kept.seqs) >= seq)  # noqa: B023 (asked here and now)
    await journal.close()
    held.close()


async def test_what_refuses_is_counted_and_not_asked_again_at_once(kept: Kept) -> None:
    kept.keep_in("keyring")
    await kept.write()
    held, journal = kept.open()
    kept.ring.locked, asked = True, kept.ring.asked
    began = time.monotonic()
    while time.monotonic() - began < 1.2:
        await journal.durable(journal.append(("call", "r1", b"x")))
    assert kept.ring.asked == asked + 1
    assert journal.statistics()["heads_refused"] == 1
    kept.ring.locked = False
    await journal.close()
    held.close()
    await kept.write()


async def test_a_disk_that_was_taken_out_is_not_written_to_in_its_place(kept: Kept) -> None:
    kept.keep_in(str(kept.disk))
    await kept.write()
    held, journal = kept.open()
    away = kept.disk.rename(kept.disk.with_name("in a drawer"))
    kept.disk.mkdir()  # what is left where a disk was mounted
    await journal.durable(journal.append(("call", "r1", b"x")))
    await journal.close()
    held.close()
    assert list(kept.disk.iterdir()) == []
    kept.refused("head_missing", str(kept.disk))
    kept.disk.rmdir()
    away.rename(kept.disk)
    await kept.write()


async def test_a_place_that_is_gone_for_good_can_be_left_out_and_a_rollback_stays_one(kept: Kept) -> None:
    kept.keep_in("keyring", str(kept.disk))
    await kept.write()
    old = (kept.path / "agentos.db").read_bytes()
    await kept.write()
    shutil.rmtree(kept.disk)
    kept.refused("head_missing")
    (kept.path / "agentos.db").write_bytes(old)
    auditing.not_in(kept.path, "", str(kept.disk))
    kept.refused("rolled_back")
    assert [each.where for each in auditing.kept(kept.path, "")] == ["keyring"]


async def test_the_auditor_misses_a_head_that_is_gone(kept: Kept) -> None:
    kept.keep_in("keyring")
    assert auditing.audited(kept.path, "", ["verify"])[0] == 0  # none is there yet
    last = await kept.write()
    fits = f"the head in this device's keyring fits: record {last} of {last}"
    assert fits in auditing.audited(kept.path, "", ["verify"])[1]
    kept.ring.kept.clear()
    status, said = auditing.audited(kept.path, "", ["verify"])
    assert status == 1
    assert "WRONG: the head in this device's keyring (none is there) was not signed by this home" in said


async def test_no_place_is_chosen_in_a_home_that_was_rolled_back(kept: Kept) -> None:
    await kept.write()
    old = (kept.path / "agentos.db").read_bytes()
    await kept.write()
    (kept.path / "agentos.db").write_bytes(old)
    with pytest.raises(JournalBroken, match="rolled back"):
        kept.keep_in("keyring")
    assert not kept.ring.kept
    kept.refused("rolled_back")


async def test_a_place_that_keeps_nothing_is_not_chosen(kept: Kept, tmp_path: Path) -> None:
    await kept.write()
    for where, code in (
        (str(tmp_path / "none"), "no_folder"), (str(kept.path / "run"), "invalid"), (str(kept.file), "no_folder"),
    ):  # fmt: skip
        with pytest.raises(HomeError) as told:
            kept.keep_in(where)
        assert told.value.code == code
    keyring.set_keyring(null.Keyring())  # type: ignore[no-untyped-call]
    with pytest.raises(HomeError, match="cannot be kept in this device's keyring"):
        kept.keep_in("keyring")
    keyring.set_keyring(kept.ring)
    kept.ring.open.clear()
    with pytest.raises(HomeError, match="cannot be kept in this device's keyring"):
        kept.keep_in("keyring")
    kept.ring.open.set()
    kept.keep_in("keyring")
    with pytest.raises(HomeError, match="kept there already"):
        kept.keep_in("keyring")
    with pytest.raises(HomeError, match="no head is kept there"):
        auditing.not_in(kept.path, "", str(kept.disk))
    await kept.write()
