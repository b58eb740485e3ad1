"""The newest head, kept away from the database: what was rolled back, cut off, rewritten or put back is noticed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from agentos.home import chain, heads
from agentos.home.chain import chained, commitment
from agentos.home.commits import EVERY
from agentos.home.heads import Head, Witness
from agentos.home.journal import Journal, JournalBroken
from agentos.home.places import File
from tests.home.moments import within
from tests.home.witnessed import KEY, Place, signer


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def refused(place: Place, code: str) -> JournalBroken:
    with pytest.raises(JournalBroken) as told:
        place.open()
    assert told.value.code == code, told.value.reason
    assert "agentos audit" in told.value.hint
    return told.value


def kept(place: Place) -> Head:
    head = signer().read(place.head.read_text())
    assert head is not None
    return head


async def lines(place: Place) -> list[Head]:
    found = [signer().read(str(line)) for _, line in place.rows("SELECT seq, line FROM checkpoint ORDER BY seq")]
    assert None not in found
    return [each for each in found if each]


async def test_after_closing_the_head_is_that_of_the_newest_record(place: Place) -> None:
    await place.write(30)
    journal = place.open()
    assert (kept(place).seq, kept(place).hash) == journal.head
    await journal.close()


async def test_while_records_come_the_head_lags_a_second_at_most(place: Place) -> None:
    journal = place.open()
    for number in range(8):
        await journal.durable(journal.append(("call", "r1", b"%d" % number)))
    assert await within(1.0, lambda: place.head.exists() and kept(place).seq >= 8)
    await journal.close()


async def test_a_database_behind_its_head_is_a_rollback_and_says_both_numbers(place: Place) -> None:
    await place.write(20)
    back = place.copy()
    await place.write(30)
    back()
    told = refused(place, "rolled_back")
    assert "20" in told.reason
    assert "50" in told.reason


async def test_a_tail_that_was_cut_off_cleanly_is_a_rollback(place: Place) -> None:
    """Whoever has the key of the database takes the newest records away, with their checkpoint."""
    await place.write(20)
    line = place.rows("SELECT line FROM checkpoint")[0][0]
    await place.write(1)
    place.meddle("DELETE FROM checkpoint; DELETE FROM journal WHERE seq > 20")
    place.meddle("INSERT INTO checkpoint (seq, line) VALUES (20, ?)", line)
    refused(place, "rolled_back")


async def test_a_head_behind_the_database_by_one_is_a_power_cut_and_no_alarm(place: Place) -> None:
    await place.write(20)
    old = place.head.read_text()
    journal = place.open()
    await journal.durable(journal.append(("call", "r1", b"new")))  # signed and kept at once: the last is long ago
    await journal.close()
    assert kept(place).number == signer().read(old).number + 1  # type: ignore[union-attr]
    place.head.write_text(old)
    await place.open().close()


class Refusing(File):
    def write(self, line: str) -> None:
        raise OSError("no")


async def test_however_often_it_is_cut_off_before_a_head_is_kept_no_other_is_signed(place: Place) -> None:
    await place.write(20)
    for number in range(3):
        journal = Journal.open(place.path, KEY, Witness(signer(), Refusing(place.head)))
        await journal.durable(journal.append(("call", "r1", b"%d" % number)))
        await journal.close()
    assert kept(place).seq == 20
    await place.write(1)
    assert kept(place).seq == 24


async def test_an_old_head_that_was_put_back_is_noticed(place: Place) -> None:
    await place.write(20)
    old = place.head.read_text()
    await place.write(1)
    await place.write(1)
    place.head.write_text(old)
    refused(place, "head_old")


async def test_a_head_that_is_gone_is_no_first_start(place: Place) -> None:
    await place.write(3)
    place.head.unlink()
    refused(place, "head_missing")


async def test_a_first_start_without_a_head_is_none_to_be_missed(place: Place) -> None:
    assert await place.write(0) == 0
    assert not place.head.exists()
    await place.write(1)
    assert kept(place).seq == 1


@pytest.mark.parametrize(
    ("old", "new"), [(" 3 ", " 4 "), ("agentos-head-1", "agentos-head-2"), ("\n", ""), ("abcdefghijklmnop", "b")]
)
async def test_a_head_that_this_home_did_not_sign_is_refused(place: Place, old: str, new: str) -> None:
    await place.write(3)
    line = place.head.read_text()
    place.head.write_text(line.replace(old, new, 1) if new else "nonsense")
    refused(place, "head_wrong")


async def test_the_head_of_another_home_is_refused(place: Place, tmp_path: Path) -> None:
    await place.write(3)
    (tmp_path / "other").mkdir()
    other = Place(tmp_path / "other")
    journal = other.open(home="ponmlkjihgfedcba", seed=b"o" * 32)
    await journal.durable(journal.append(("call", "", b"x")))
    await journal.close()
    place.head.write_text(other.head.read_text())
    refused(place, "head_wrong")


async def test_the_database_of_another_home_is_refused(place: Place) -> None:
    await place.write(3)
    with pytest.raises(JournalBroken) as told:
        place.open(seed=b"o" * 32)
    assert told.value.code == "checkpoint"


def rechain(place: Place, since: int) -> None:
    """As only who has the database's key can: change a record, and make the chain fit again from there on."""
    db = chain.connect(place.path, KEY)
    previous = chain.hash_of(db, since - 1)
    assert previous is not None
    rows = db.execute("SELECT seq, at_ms, kind, run, salt, body FROM journal WHERE seq >= ? ORDER BY seq", (since,))
    for seq, at_ms, kind, run, salt, body in rows.fetchall():
        changed = b"something else" if seq == since else body
        previous = chained(previous, seq, at_ms, kind, run, commitment(salt, changed))  # type: ignore[arg-type]
        db.execute("UPDATE journal SET body = ?, hash = ? WHERE seq = ?", (changed, previous, seq))
    db.close()


async def test_a_rechained_history_does_not_fit_its_checkpoint(place: Place) -> None:
    await place.write(20)
    rechain(place, 7)
    refused(place, "checkpoint")


async def test_a_rechained_history_without_its_checkpoints_does_not_fit_the_head(place: Place) -> None:
    await place.write(20)
    await place.write(5)
    line = place.rows("SELECT line FROM checkpoint WHERE seq = 25")[0][0]
    rechain(place, 24)
    place.meddle("DELETE FROM checkpoint")
    refused(place, "checkpoint")
    # One from another place in the same history is as good as none.
    place.meddle("INSERT INTO checkpoint (seq, line) VALUES (24, ?)", line)
    refused(place, "checkpoint")


async def test_a_history_that_goes_on_otherwise_from_an_old_copy_is_another_one(place: Place) -> None:
    """Both are signed by this home: on two machines, or from a backup."""
    await place.write(20)
    back, head = place.copy(), place.head.read_text()
    await place.write(2)
    newer = place.head.read_text()
    back()
    place.head.write_text(head)
    await place.write(1)
    await place.write(4)
    place.head.write_text(newer)
    refused(place, "forked")


async def test_a_checkpoint_is_written_with_its_records_and_most_do_not_stay(place: Place) -> None:
    journal = place.open()
    for _ in range(40):
        for _ in range(EVERY // 8):
            journal.append(("call", "r1", b"x"))
        await journal.durable(journal.head[0])
    await journal.close()
    found = await lines(place)
    assert found[-1].seq == 40 * EVERY // 8
    gaps = [two.seq - one.seq for one, two in pairwise(found)]
    assert min(gaps[:-1]) >= EVERY
    assert len(found) >= 3
    assert found[-1].number <= kept(place).number


async def test_a_folder_that_takes_no_head_loses_none_and_signs_no_other(place: Place) -> None:
    await place.write(3)
    place.head.parent.chmod(0o500)
    moved = place.head.parent.rename(place.head.parent.with_name("gone"))
    journal = Journal.open(place.path, KEY)  # not through the head: it cannot be read now
    await journal.close()
    moved.rename(place.head.parent)
    place.head.parent.chmod(0o700)
    journal = place.open()
    place.head.parent.rename(moved)
    for number in range(3):
        await journal.durable(journal.append(("call", "r1", b"%d" % number)))
    await journal.close()
    assert journal.statistics()["heads_refused"] >= 1
    moved.rename(place.head.parent)
    assert kept(place).seq == 3
    await place.open().close()  # behind by one: no alarm
    assert kept(place).seq == 6


def test_a_line_has_one_reading() -> None:
    head = signer().head((7, b"h" * 32), 0, 3, 1_700_000_000_000)
    assert heads.parsed(head.line) == head
    assert heads.parsed(head.line + "\n") == head
    for other in (
        head.line.replace(" 7 ", " 07 "), head.line.replace(" 7 ", " ７ "), head.line + "=", head.line.upper(),
        head.line.replace(" ", "  ", 1), head.line + " x", "", "agentos-head-1", head.line * 10,
    ):  # fmt: skip
        assert heads.parsed(other) is None, other
