"""Content can go, for good; that it was there, and where, cannot."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agentos.home import chain
from tests.home.witnessed import KEY, Place

SECRET = b"the-words-to-forget"
KINDS = ("call", "reply")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def in_the_clear(place: Place, folder: Path) -> bytes:
    """All that is in the database and in the log beside it, free pages too, without the cipher."""
    folder.mkdir()
    log = place.path.with_name("j-wal")
    assert not log.exists() or log.stat().st_size == 0
    shutil.copy(place.path, folder / "j")
    db = chain.connect(folder / "j", KEY)
    db.pragma("journal_mode", "DELETE")
    db.execute("PRAGMA rekey = ''")
    db.close()
    return (folder / "j").read_bytes()


async def filled(place: Place) -> None:
    journal = place.open()
    for number in range(60):
        run = f"r{number % 3}"
        journal.append(("call", run, b"%d " % number + (SECRET if run == "r1" else b"others") * 400))
        journal.append(("grant", run, b"grant %d" % number))
    await journal.close()


async def test_what_was_erased_is_in_no_page_and_the_chain_goes_on(place: Place, tmp_path: Path) -> None:
    await filled(place)
    assert SECRET in in_the_clear(place, tmp_path / "before")
    journal = place.open()
    await journal.durable(journal.append(("forgotten", "r1", b"the sum"), erase=[("r1", KINDS)]))
    raw = in_the_clear(place, tmp_path / "after")
    assert SECRET not in raw
    assert b"others" in raw
    assert {each.kind for each in journal.entries(run="r1")} == {"grant", "forgotten"}
    assert len(list(journal.entries(run="r2", kinds=KINDS))) == 20
    await journal.close()
    journal = place.open()
    assert journal.head[0] == 121
    await journal.close()


async def test_what_stays_fits_what_was_there_and_nothing_else(place: Place) -> None:
    await filled(place)
    salt, body = place.rows("SELECT salt, body FROM journal WHERE seq = 3")[0]
    journal = place.open()
    await journal.durable(journal.append(("forgotten", "r1", b""), erase=[("r1", KINDS)]))
    await journal.close()
    left = place.rows("SELECT salt, body, commitment FROM journal WHERE seq = 3")[0]
    assert left[:2] == (None, None)
    assert left[2] == chain.commitment(bytes(salt), bytes(body))  # type: ignore[call-overload]
    assert left[2] != chain.commitment(b"0" * 16, bytes(body))  # type: ignore[call-overload]
    place.meddle("UPDATE journal SET commitment = zeroblob(32) WHERE seq = 3")
    with pytest.raises(chain.JournalBroken, match="record 3 "):
        place.open()


async def test_two_equal_bodies_do_not_look_equal_when_they_are_gone(place: Place) -> None:
    journal = place.open()
    journal.append(("call", "r1", b"yes"), ("call", "r1", b"yes"))
    journal.append(("forgotten", "r1", b""), erase=[("r1", KINDS)])
    await journal.close()
    found = place.rows("SELECT commitment FROM journal WHERE seq < 3")
    assert len(set(found)) == 2


async def test_what_was_appended_a_moment_ago_is_erased_too_and_what_comes_later_is_not(place: Place) -> None:
    journal = place.open()
    journal.append(("call", "r1", SECRET))
    seq = journal.append(("forgotten", "r1", b""), erase=[("r1", KINDS)])
    journal.append(("call", "r1", b"later"))
    await journal.durable(seq)
    await journal.durable(journal.head[0])
    assert [each.body for each in journal.entries(run="r1")] == [b"", b"later"]
    await journal.close()


async def test_nothing_is_erased_where_the_disk_does_not_take_the_record_of_it(place: Place) -> None:
    """Both are one transaction."""
    await filled(place)
    journal = place.open()
    journal._writing.pragma("max_page_count", journal._writing.pragma("page_count"))
    seq = journal.append(("forgotten", "r1", bytes(2 << 20)), erase=[("r1", KINDS)])
    with pytest.raises(chain.JournalFull):
        await journal.durable(seq)
    assert len(list(journal.entries(run="r1", kinds=KINDS))) == 20
    journal._writing.pragma("max_page_count", 1 << 20)
    await journal.durable(seq)
    assert not list(journal.entries(run="r1", kinds=KINDS))
    await journal.close()
