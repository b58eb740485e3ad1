"""The auditor finds what was done to a journal, and nothing where nothing was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from agentos.audit import check
from agentos.audit import format as form
from agentos.audit.format import Database, Unreadable
from agentos.home import chain
from agentos.home.happenings import Armed
from agentos.kernel.ledger import FOLD, Ledger
from agentos.v1 import control_pb2 as pb
from tests.audit.conftest import more, opened
from tests.home.test_heads import rechain
from tests.home.test_migration import made_by_version_1
from tests.home.witnessed import HOME, KEY, Place, signer
from tests.kernel.cases import WHO, at, grant, made, settled
from tests.kernel.test_forgetting import began, delivered, ended, happened

ROOT = Path(__file__).resolve().parents[2]


def looked(place: Place, *lines: str) -> check.Found:
    named = [("the line", line) for line in (*lines, place.head.read_text())]
    return check.verified(Database(place.path, KEY, signer().public), named)


async def test_an_honest_journal_fits_in_all_its_parts(place: Place) -> None:
    found = looked(place)
    assert found.faults == []
    assert (found.records, found.erased, found.snapshots) == (26, 11, 1)
    assert found.signed == found.records
    assert found.checkpoints >= 1
    assert found.heads == ["the line fits: record 26 of 26"]


async def test_it_reads_beside_a_kernel_that_is_at_work(place: Place) -> None:
    journal = opened(place)
    journal.append(("home.x", "", b"{}"))
    await journal.durable(journal.head[0])
    assert looked(place).faults == []
    await journal.close()


async def test_it_leaves_what_it_looked_at_as_it_was(place: Place) -> None:
    before = {each.name: each.read_bytes() for each in place.path.parent.iterdir()}
    looked(place)
    after = {each.name: each.read_bytes() for each in place.path.parent.iterdir()}
    assert before[place.path.name] == after[place.path.name]


DONE = [
    ("UPDATE journal SET body = x'80' WHERE seq = 17", "record 17 is not"),
    ("UPDATE journal SET kind = 'denial' WHERE seq = 20", "record 20 is not"),
    ("UPDATE journal SET at_ms = at_ms + 1 WHERE seq = 2", "record 2 is not"),
    ("DELETE FROM journal WHERE seq = 9", "record 9 is not"),
    ("DELETE FROM journal WHERE seq > 24", "rolled back"),
    ("UPDATE journal SET commitment = zeroblob(32) WHERE seq = 2", "record 2 is not"),
    ("UPDATE fold SET state = zeroblob(9)", f"snapshot {FOLD} at record 25 was not signed"),
    ("UPDATE fold SET seq = 5", f"snapshot {FOLD} at record 5 was not signed"),
    ("UPDATE checkpoint SET line = replace(line, ' 0 ', ' 1 ')", "was not signed by this home"),
    ("UPDATE checkpoint SET seq = 3", "checkpoint at record 3 was not signed"),
]


@pytest.mark.parametrize(("change", "said"), DONE)
async def test_what_was_changed_is_named(place: Place, change: str, said: str) -> None:
    place.meddle(change)
    assert any(said in each for each in looked(place).faults), looked(place).faults


async def test_a_flipped_bit_is_refused_by_the_cipher(place: Place) -> None:
    raw = bytearray(place.path.read_bytes())
    raw[len(raw) // 2] ^= 1
    place.path.write_bytes(bytes(raw))
    assert any("was altered" in each for each in looked(place).faults)


async def test_a_page_of_the_journal_that_was_put_back_is_found(place: Place) -> None:
    old = place.path.read_bytes()
    journal = opened(place)
    for number in range(300):
        journal.append(("home.x", "", b'{"n": %d}' % number))
    await journal.close()
    new = place.path.read_bytes()
    [page] = place.rows("SELECT rootpage FROM sqlite_schema WHERE name = 'journal'")[0]
    at = (int(str(page)) - 1) * 4096
    place.path.write_bytes(new[:at] + old[at : at + 4096] + new[at + 4096 :])
    assert looked(place).faults


async def test_a_table_of_snapshots_that_was_put_back_with_an_old_one_fits_its_own_record(place: Place) -> None:
    """It is an honest one: whoever starts from it reads what came after."""
    old = place.rows("SELECT name, seq, hash, state, signature FROM fold")[0]
    await more(place, keep=True)
    place.meddle("INSERT OR REPLACE INTO fold VALUES (?, ?, ?, ?, ?)", *old)
    assert looked(place).faults == []


async def test_what_children_used_and_what_was_forgotten_with_a_run_fits(tmp_path: Path) -> None:
    place = Place(tmp_path)
    journal = opened(place)
    ledger = Ledger(journal)
    ledger.record(
        Armed(WHO.path, "prog", WHO.digest, "/", "/", "", (("t1", json.dumps({"event": "event.report"})),), 1),
        grant("g1", "files.write", at("/x/**"), uses=9), happened("e1", "t1"), *delivered("r1", "e1", "t1"),
        msgspec.structs.replace(began("r1.1"), above=(WHO.path,)),
        msgspec.structs.replace(grant("g2", "files.write", at("/x/**"), pb.CHOICE_RUN, parent="g1"), run="r1.1"),
        made(1, "g2", "r1.1"), settled(1, "r1.1"), made(2, "g2", "r1.1"), settled(2, "r1.1", released=True),
        made(3, "g2", "r1.1"), ended("r1.1"), settled(3, "r1.1", released=True), ended("r1"),
    )  # fmt: skip
    assert ledger.table.held["g1"].uses == 2
    await ledger.durable(ledger.forget("r1"))
    ledger.keep()
    await journal.close()
    assert looked(place).faults == []
    assert looked(place).snapshots == 1


async def test_events_that_were_forgotten_by_themselves_fit_and_others_that_were_erased_do_not(tmp_path: Path) -> None:
    place = Place(tmp_path)
    journal = opened(place)
    ledger = Ledger(journal)
    ledger.record(happened("e1"), happened("e2"))
    await ledger.durable(ledger.forget_events("e1"))
    await journal.close()
    assert looked(place).faults == []
    assert looked(place).erased == 1
    place.meddle(
        "UPDATE journal SET commitment = ?, salt = NULL, body = NULL WHERE run = 'e2'",
        chain.commitment(*place.rows("SELECT salt, body FROM journal WHERE run = 'e2'")[0]),  # type: ignore[arg-type]
    )
    assert looked(place).faults == ["1 records of e2 were erased, and no record says so"]


async def test_a_snapshot_that_says_more_than_the_records_is_found_though_it_is_signed(place: Place) -> None:
    """A kernel that was taken over could sign it."""
    from agentos.home import folds

    [(state, seq, hashed)] = place.rows("SELECT state, seq, hash FROM fold")
    revoked = bytes(state).replace(b"\xa7revoked\xc2", b"\xa7revoked\xc3")  # type: ignore[call-overload]
    assert revoked != state
    db = chain.connect(place.path, KEY)
    folds.keep(db, signer(), folds.Fold(FOLD, (int(str(seq)), bytes(hashed)), revoked))  # type: ignore[call-overload]
    db.close()
    assert any("not what its records say" in each for each in looked(place).faults)


async def test_a_history_that_was_rechained_fits_no_checkpoint_and_no_head(place: Place) -> None:
    rechain(place, 20)
    faults = looked(place).faults
    assert any("checkpoint at record 26 is of another history" in each for each in faults)
    assert any("the line is of another history" in each for each in faults)


async def test_a_checkpoint_of_another_place_is_not_taken_for_this_one(place: Place) -> None:
    line = place.rows("SELECT line FROM checkpoint ORDER BY seq DESC LIMIT 1")[0][0]
    place.meddle("INSERT OR REPLACE INTO checkpoint (seq, line) VALUES (5, ?)", line)
    assert "the checkpoint at record 5 was not signed by this home" in looked(place).faults


async def test_a_database_that_was_rolled_back_is_found_by_a_line_from_before(place: Place) -> None:
    back, newer = place.copy(), place.head.read_text()
    await more(place)
    line = place.head.read_text()
    back()
    place.head.write_text(newer)
    assert looked(place).faults == []
    assert any(each.startswith("rolled back: it ends at record 26") for each in looked(place, line).faults)


async def test_a_line_of_another_home_is_no_line_of_this_one(place: Place) -> None:
    other = signer("another", b"o" * 32).head((3, b"h" * 32), 0, 1, 0)
    forged = signer(HOME, b"o" * 32).head((26, b"h" * 32), 0, 1, 0)
    for line in (other.line, forged.line, "", "agentos-head-1", place.head.read_text()[:-4]):
        assert "the line was not signed by this home" in looked(place, line).faults


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("run = 'r2' AND kind = 'call'", "erased, and no record says so"),
        ("kind = 'grant' AND seq = 5", "record 5, a grant, was erased, and must not be"),
    ],
)
async def test_what_was_erased_without_being_asked_is_found_though_the_chain_fits(
    place: Place, change: str, said: str
) -> None:
    db = chain.connect(place.path, KEY)
    for seq, salt, body in db.execute(f"SELECT seq, salt, body FROM journal WHERE {change}").fetchall():  # noqa: S608
        committed = chain.commitment(bytes(salt), bytes(body))  # type: ignore[arg-type]
        db.execute("UPDATE journal SET salt = NULL, body = NULL, commitment = ? WHERE seq = ?", (committed, seq))
    db.close()
    assert any(said in each for each in looked(place).faults), looked(place).faults


async def test_what_it_cannot_look_at_it_says(place: Place, tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="key"):
        Database(place.path, b"w" * 32, signer().public)
    (tmp_path / "old").mkdir()
    old = Place(tmp_path / "old")
    made_by_version_1(old.path, [])
    with pytest.raises(Unreadable, match="version"):
        Database(old.path, KEY, signer().public)


def ran(place: Place, *arguments: str, keys: bytes = KEY + signer().public) -> tuple[int, str]:
    told, given = os.pipe()
    os.write(given, keys)
    os.close(given)
    done = subprocess.run(
        [sys.executable, "-m", "agentos.audit", arguments[0], str(place.path), "--keys-fd", str(told), *arguments[1:]],
        pass_fds=(told,), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    os.close(told)
    assert done.stderr == ""
    return done.returncode, done.stdout


async def test_the_exit_status_says_fits_wrong_or_not_looked_at(place: Place) -> None:
    assert ran(place, "verify", "--head-file", str(place.head))[0] == 0
    status, said = ran(place, "verify", "--json")
    assert (status, json.loads(said)["ok"]) == (0, True)
    assert ran(place, "verify", keys=b"x" * 64)[0] == 2
    assert ran(place, "verify", keys=b"x" * 63)[0] == 2
    place.meddle("DELETE FROM journal WHERE seq = 9")
    status, said = ran(place, "verify")
    assert status == 1
    assert "WRONG: record 9 is not what was written after record 8" in said


def test_the_page_on_the_form_is_what_the_auditor_goes_by() -> None:
    assert form.__doc__ is not None
    assert form.__doc__.partition("\n\n")[2] in (ROOT / "docs/audit.md").read_text()
