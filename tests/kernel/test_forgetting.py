"""What is folded from a snapshot is what is folded from the first record; and what was forgotten leaves its sum."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from agentos.home import history
from agentos.home.happenings import Armed, Delivered, Happened, Heard, Listens
from agentos.home.heads import Signer, Witness
from agentos.home.history import Pinned, ProgramSeen, PromptAnswered, RunBegan, RunEnded, SecretRemoved, SecretSet
from agentos.home.journal import Journal
from agentos.home.places import File
from agentos.home.records import Denial, Revoked
from agentos.kernel.ledger import FOLD, Ledger
from agentos.v1 import control_pb2 as pb
from tests.kernel.cases import WHO, at, grant, made, settled
from tests.kernel.person import Person

KEY = bytes(32)
RULE = json.dumps({"event": "event.report"})


def opened(folder: Path, *, folds: bool = True, form: str = FOLD) -> Journal:
    witness = Witness(Signer("home", b"s" * 32), File(folder / "head"))
    return Journal.open(folder / "db", KEY, witness, (form,) if folds else ())


def state(ledger: Ledger) -> object:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(ledger._all))


def began(run: str) -> RunBegan:
    return RunBegan(run, "prog", WHO.path, WHO.digest, "/home/me", "/home/me", ("--for", "Ada"), '"an input"', 1)


def ended(run: str) -> RunEnded:
    return RunEnded(run, pb.RUN_STATUS_DONE, '"result"', "printed", False, 0, 0, 2, 3, 4)


def lived(ledger: Ledger) -> None:
    """Two runs: r1 is over, r2 has a call under way."""
    ledger.record(ProgramSeen(WHO.digest, WHO.path, "prog", b"source", b""))
    ledger.record(began("r1"), Pinned("r1", "c"), PromptAnswered("r1", "p1", "d", ((1, 1),)))
    ledger.record(grant("g1", "files.write", at("/x/**")), grant("g2", "files.read", at("/y"), pb.CHOICE_RUN, uses=3))
    ledger.record(Denial("d1", "r1", "prog", WHO.path, "net.fetch", (), 1), *[made(n, "g1") for n in range(1, 4)])
    ledger.record(settled(1), settled(2, released=True), settled(3), made(4, "g2", amounts=(("bytes", 7),)), settled(4))
    ledger.record(ended("r1"), SecretSet("github", "k", (), "", "", 1), SecretRemoved("github"))
    ledger.record(began("r2"), made(1, "g1", "r2"), made(2, "g1", "r2", (("bytes", 5),)), settled(2, "r2"))
    ledger.record(grant("g3", "files.read", at("/z"), parent="g1"), Revoked(("d1",), "r2"))


async def test_a_snapshot_anywhere_gives_the_same_as_all_the_records(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    whole = Ledger(journal)
    lived(whole)
    records = list(journal.entries())
    await journal.close()
    for cut in range(len(records) + 1):
        folder = tmp_path / str(cut)
        folder.mkdir()
        journal = opened(folder)
        ledger = Ledger(journal)
        for number, entry in enumerate(records):
            if number == cut:
                ledger.keep()
            journal.append((entry.kind, entry.run, entry.body))
            ledger._fold(history.decode(entry.body), number + 1)
        await journal.close()
        journal = opened(folder)
        again = Ledger(journal)
        assert state(again) == state(whole), cut
        assert again._kept == (cut if cut < len(records) else 0)
        await journal.close()


async def test_an_older_version_that_one_goes_back_to_folds_all_records_and_keeps_its_own_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = opened(tmp_path)
    ledger = Ledger(journal)
    lived(ledger)
    ledger.keep()
    await journal.close()
    monkeypatch.setattr("agentos.kernel.ledger.FOLD", "ledger 1")
    journal = opened(tmp_path, form="ledger 1")
    assert not journal.folds, "the form of the newer one is nothing to it"
    older = Ledger(journal)
    assert state(older) == state(ledger)
    older.keep()
    await journal.close()
    monkeypatch.undo()
    journal = opened(tmp_path)
    assert not journal.folds, "and it left none of the newer form"
    assert state(Ledger(journal)) == state(ledger)
    await journal.close()


async def test_what_was_forgotten_is_in_no_fold_and_no_list_and_its_uses_stay(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    ledger = Ledger(journal)
    lived(ledger)
    before = {each: held.uses for each, held in ledger.table.held.items()}
    await ledger.durable(ledger.forget("r1"))
    assert ledger.past("r1") is None
    assert list(ledger.calls("r1")) == []
    await journal.close()
    for folds in (True, False):
        journal = opened(tmp_path, folds=folds)
        again = Ledger(journal)
        assert {each: held.uses for each, held in again.table.held.items()} == before
        assert again.table.held["g2"].ended
        assert "r1" not in again.recent
        assert again.past("r2") is not None
        assert again.next_id("r") == "r3"
        assert set(again.table.denials) == set()
        await journal.close()


async def test_the_newest_name_is_not_given_again_though_its_run_was_forgotten(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    ledger = Ledger(journal)
    ledger.record(began("r7"), ended("r7"))
    ledger.forget("r7")
    await journal.close()
    journal = opened(tmp_path, folds=False)
    assert Ledger(journal).next_id("r") == "r8"
    await journal.close()


async def test_a_long_history_is_folded_from_its_end(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    ledger = Ledger(journal)
    for number in range(1, 4001):
        ledger.record(began(f"r{number}"), ended(f"r{number}"))
    await journal.close()
    journal = opened(tmp_path)
    again = Ledger(journal)
    assert again._kept >= 5000
    assert state(again) == state(ledger)
    await journal.close()


def test_a_person_forgets_a_run(person: Person) -> None:
    done = person.run("print('the words')\nresult = 'done'")
    assert person.control.ShowRun(pb.ShowRunRequest(run=done.id), metadata=person.metadata).run.output == "the words\n"
    told = person.control.ForgetRun(pb.ForgetRunRequest(run=done.id), metadata=person.metadata)
    assert told.run == done.id
    with pytest.raises(Exception, match="no such run"):
        person.control.ShowRun(pb.ShowRunRequest(run=done.id), metadata=person.metadata)
    listed = person.control.ListRuns(pb.ListRunsRequest(), metadata=person.metadata).runs
    assert done.id not in {each.id for each in listed}


def test_a_run_that_is_under_way_is_not_forgotten(person: Person) -> None:
    waits = person.start(person.source("input()"), ask=pb.ASK_DENY, interactive=True)
    run = next(event.accepted.run for event in waits if event.WhichOneof("event") == "accepted")
    with pytest.raises(Exception, match="not over"):
        person.control.ForgetRun(pb.ForgetRunRequest(run=run), metadata=person.metadata)
    person.control.Cancel(pb.CancelRequest(run=run), metadata=person.metadata)
    assert [event.ended.id for event in waits if event.WhichOneof("event") == "ended"] == [run]


def happened(event: str, *to: str) -> Happened:
    return Happened(event, "event.report", 1, '{"said": "the words"}', to)


def delivered(run: str, event: str, trigger: str) -> tuple[RunBegan, Delivered]:
    return msgspec.structs.replace(began(run), event=event), Delivered(run, event, trigger)


async def test_the_event_that_began_a_run_is_forgotten_with_the_last_run_that_wants_it(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    ledger = Ledger(journal)
    ledger.record(
        Armed(WHO.path, "prog", WHO.digest, "/", "/", "", (("t1", RULE), ("t2", RULE)), 1),
        happened("e1", "t1", "t2"), *delivered("r1", "e1", "t1"), ended("r1"), *delivered("r2", "e1", "t2"),
    )  # fmt: skip
    await ledger.durable(ledger.forget("r1"))
    assert [entry.run for entry in journal.entries(kinds=("event",))] == ["e1"]
    await ledger.durable(ledger.record(ended("r2")))
    await ledger.durable(ledger.forget("r2"))
    assert [entry.run for entry in journal.entries(kinds=("event",))] == []
    await journal.close()
    for folds in (True, False):
        journal = opened(tmp_path, folds=folds)
        again = Ledger(journal).queue
        assert (again.owed, again.runs, again.running, again.dead, again.waiting) == ({}, {}, {}, {}, 0)
        await journal.close()


async def test_all_events_of_a_run_that_got_several_are_forgotten_with_it(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    ledger = Ledger(journal)
    ledger.record(
        Armed(WHO.path, "prog", WHO.digest, "/", "/", "", (("t1", RULE),), 1), happened("e1", "t1"),
        happened("e2", "t1"), *delivered("r1", "e1", "t1"), Delivered("r1", "e2", "t1"), ended("r1"),
    )  # fmt: skip
    await ledger.durable(ledger.forget("r1"))
    assert [entry.run for entry in journal.entries(kinds=("event",))] == []
    await journal.close()
    journal = opened(tmp_path, folds=False)
    again = Ledger(journal).queue
    assert (again.owed, again.runs, again.beside, again.running, again.waiting) == ({}, {}, {}, {}, 0)
    await journal.close()


async def test_what_another_run_may_still_take_stays(tmp_path: Path) -> None:
    """And what a run took that waited for it goes with the last of those who heard it."""
    journal = opened(tmp_path)
    ledger = Ledger(journal)
    listens = [Listens(run, ("event.report",)) for run in ("r1", "r2")]
    ledger.record(began("r1"), began("r2"), *listens)
    place = ledger.record(happened("e1"))
    ledger.record(Heard("r1", "e1", 1, place), ended("r1"))
    await ledger.durable(ledger.forget("r1"))
    assert ledger.at(place) == happened("e1")
    ledger.record(Heard("r2", "e1", 1, place), ended("r2"))
    await ledger.durable(ledger.forget("r2"))
    assert ledger.at(place) is None
    assert not ledger.queue.hearing.runs
    assert not ledger.queue.hearing.by_name
    await journal.close()
