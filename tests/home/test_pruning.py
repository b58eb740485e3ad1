"""Old runs are forgotten, oldest first; what is not over, and what still counts, stays."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentos.home.happenings import Armed, Delivered, Disarmed, Happened, Heard, Listens
from agentos.home.history import RunBegan, RunEnded
from agentos.home.journal import Journal
from agentos.home.pruning import AT_ONCE, Over, old, past, prune, unheld
from agentos.kernel.ledger import FOLD, Ledger
from agentos.v1 import control_pb2 as pb
from tests.kernel.cases import at, grant, made, settled
from tests.kernel.test_forgetting import ended, opened

RUNS = st.lists(
    st.builds(Over, st.uuids().map(str), st.sampled_from("ab"), st.sampled_from(["/a", "/b"]), st.integers(0, 50)),
    max_size=20,
)


def began(run: str, program: str = "prog") -> RunBegan:
    return RunBegan(run, program, f"/home/me/{program}.py", "d", "/home/me", "/home/me", (), '"said"', 1)


@given(RUNS, st.integers(0, 50), st.sampled_from(["", "a", "/b", "c"]), st.integers(0, 5))
def test_what_is_chosen_is_old_of_that_program_and_not_among_its_newest(
    runs: list[Over], before: int, program: str, keep: int
) -> None:
    found = old(runs, before, program, keep)
    assert [each.ended_us for each in found] == sorted(each.ended_us for each in found)
    for each in found:
        assert each.ended_us < before
        assert program in ("", each.program, each.path)
    asked = [each for each in runs if program in ("", each.program, each.path)]
    for path in {each.path for each in asked}:
        stays = sorted(each.ended_us for each in asked if each.path == path and each not in found)
        assert len(stays) >= min(keep, sum(each.path == path for each in asked))
        # What stays is the newest: nothing older than what goes, but for what is not old enough.
        goes = [each.ended_us for each in found if each.path == path]
        assert not goes or len([each for each in stays if each < max(goes)]) == 0


async def over(ledger: Ledger) -> list[Over]:
    return list((await past(ledger)).runs.values())


async def gone(ledger: Ledger, runs: list[Over]) -> list[int]:
    return [count async for count in prune(ledger, runs)]


async def test_runs_that_are_over_are_found_and_those_under_way_are_not(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    ledger = Ledger(journal)
    ledger.record(began("r1"), ended("r1"), began("r2"), began("r3", "other"), ended("r3"))
    assert [(each.run, each.program) for each in await over(ledger)] == [("r1", "prog"), ("r3", "other")]
    ledger.forget("r1")
    assert [each.run for each in await over(ledger)] == ["r3"]
    await journal.close()


async def test_what_is_pruned_is_gone_and_what_it_used_counts_on(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    ledger = Ledger(journal)
    ledger.record(grant("g1", "files.write", at("/x/**"), pb.CHOICE_VERSION, uses=9))
    for number in range(1, 2 * AT_ONCE + 4):
        run = f"r{number}"
        ledger.record(began(run))
        if number < 5:
            ledger.record(made(1, "g1", run), settled(1, run))
        ledger.record(ended(run))
    chosen = old(await over(ledger), 5, "", 3)
    assert len(chosen) == 2 * AT_ONCE
    assert await gone(ledger, chosen) == [AT_ONCE, 2 * AT_ONCE]
    assert [each.run for each in await over(ledger)] == [f"r{2 * AT_ONCE + n}" for n in (1, 2, 3)]
    assert ledger.table.held["g1"].uses == 4
    await journal.close()
    for folds in (True, False):
        journal = opened(tmp_path, folds=folds)
        again = Ledger(journal)
        assert again.table.held["g1"].uses == 4
        assert again.past("r1") is None
        assert again.next_id("r") == f"r{2 * AT_ONCE + 4}"
        await journal.close()


async def test_the_room_of_what_is_gone_is_given_back_while_others_record(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    ledger = Ledger(journal)
    for number in range(1, 200):
        loud = RunEnded(f"r{number}", pb.RUN_STATUS_DONE, "", "x" * 20_000, False, 0, 0, 2, 3, 4)
        ledger.record(began(f"r{number}"), loud)
    await ledger.durable(journal.head[0])
    before = journal.size()
    working, steps = asyncio.create_task(gone(ledger, await over(ledger))), 0
    while not working.done():
        await ledger.durable(ledger.record(began(f"r{1000 + steps}")))
        steps += 1
    await working
    assert steps > 1
    assert before > 4_000_000
    assert journal.size() < before / 4
    await journal.close()
    assert b"x" * 50 not in (tmp_path / "db").read_bytes()
    journal = opened(tmp_path, folds=False)  # the whole chain is checked
    assert {entry.run for entry in journal.entries(kinds=("run.began",))} == {f"r{1000 + n}" for n in range(steps)}
    await journal.close()


def spoke(run: str) -> RunBegan:
    """Its arguments stand in what is folded, as long as it is among the newest."""
    return msgspec.structs.replace(began(run), arguments=(f"words of {run}.",))


async def kept_now(folder: Path) -> bytes:
    """What a start finds folded."""
    journal = opened(folder)
    found = journal.folds[FOLD].state
    await journal.close()
    return found


async def test_what_is_folded_is_kept_once_for_all_that_is_pruned_and_holds_no_word_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = opened(tmp_path)
    ledger = Ledger(journal)
    count = 3 * AT_ONCE
    for number in range(1, count + 1):
        ledger.record(spoke(f"r{number}"), ended(f"r{number}"))
    ledger.keep()
    await ledger.durable(journal.head[0])
    kept: list[int] = []
    keep = journal.keep

    def counted(name: str, state: bytes) -> None:
        kept.append(journal.head[0])
        keep(name, state)

    monkeypatch.setattr(journal, "keep", counted)
    await gone(ledger, (await over(ledger))[:-1])
    assert kept == [journal.head[0]]
    await journal.close()
    left = await kept_now(tmp_path)
    assert b"words of r1." not in left
    assert f"words of r{count}.".encode() in left


async def test_a_kernel_that_dies_while_it_prunes_leaves_a_home_that_goes_on_and_the_next_start_holds_no_word_of_it(
    tmp_path: Path,
) -> None:
    alive, dead = tmp_path / "alive", tmp_path / "dead"
    alive.mkdir()
    journal = opened(alive)
    ledger = Ledger(journal)
    count = 2 * AT_ONCE
    for number in range(1, count + 1):
        ledger.record(spoke(f"r{number}"), ended(f"r{number}"))
    ledger.keep()
    await ledger.durable(journal.head[0])
    pruning = prune(ledger, await over(ledger))
    assert await anext(pruning) == AT_ONCE
    shutil.copytree(alive, dead)  # as kill -9 leaves it
    assert [count async for count in pruning] == [2 * AT_ONCE]
    await journal.close()
    assert b"words of r1." in await kept_now(dead)
    for folds in (True, False):
        journal = opened(dead, folds=folds)
        again = Ledger(journal)
        assert again.past("r1") is None
        assert [each.run for each in await over(again)] == [f"r{AT_ONCE + n}" for n in range(1, AT_ONCE + 1)]
        await journal.close()
    left = await kept_now(dead)
    assert b"words of r1." not in left
    assert f"words of r{count}.".encode() in left


RULES = {
    "latest": {"event": "event.a", "latest": True},
    "fails": {"event": "event.a", "retries": 0},
    "waits": {"event": "event.a"},
    "timer": {"event": "timer.every", "every_ms": 1_000},
}


def armed(path: str, *rules: str) -> Armed:
    triggers = tuple((f"t{[*RULES].index(each)}", json.dumps(RULES[each])) for each in rules)
    return Armed(path, "p", "d", "/", "/", "", triggers, 1)


def said(event: str, trigger: str, at_ms: int = 1) -> Happened:
    due_ms = at_ms if trigger == "t3" else 0
    return Happened(event, "event.a", at_ms, f'"words of {event}."', (trigger,) if trigger else (), due_ms)


def got(run: str, event: str, trigger: str) -> tuple[RunBegan, Delivered]:
    return began(run), Delivered(run, event, trigger)


def failed(run: str) -> RunEnded:
    return RunEnded(run, pb.RUN_STATUS_FAILED, "", "", False, 0, 0, 2, 3, 4)


async def test_what_events_said_that_no_run_got_goes_by_its_age_where_nothing_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentos.events.queue.MAX_DEAD", 1)
    journal = opened(tmp_path)
    ledger = Ledger(journal)
    ledger.record(armed("/latest", "latest"), armed("/fails", "fails"), armed("/waits", "waits", "timer"))
    ledger.record(
        said("replaced", "t0"), said("newest", "t0"), said("unwanted", ""), said("young", "", at_ms=9_000),
        *(said(each, "t1") for each in ("fell", "gave-up", "worked")), said("waiting", "t2"), said("t3@1", "t3"),
    )  # fmt: skip
    ledger.record(*got("r1", "fell", "t1"), failed("r1"), *got("r2", "gave-up", "t1"), failed("r2"))
    ledger.record(*got("r3", "worked", "t1"), ended("r3"))
    await ledger.durable(ledger.forget("r1", "r2"))
    found = await past(ledger)
    assert list(found.runs) == ["r3"]
    chosen = unheld(found.events.values(), 5_000_000, ledger.queue.holds)
    assert sorted(chosen) == ["replaced", "unwanted"], "and what fell off went with its run"
    assert [count async for count in prune(ledger, [], chosen)] == []
    assert {entry.run for entry in journal.entries(kinds=("event",))} == {
        "newest", "young", "gave-up", "worked", "waiting", "t3@1",
    }  # fmt: skip
    assert unheld((await past(ledger)).events.values(), 5_000_000, ledger.queue.holds) == []
    ledger.record(Disarmed("/fails", 1), Disarmed("/waits", 1))
    assert unheld((await past(ledger)).events.values(), 5_000_000, ledger.queue.holds) == ["waiting", "gave-up"]
    await journal.close()
    for folds in (True, False):
        journal = opened(tmp_path, folds=folds)
        again = Ledger(journal)
        assert again.queue.owed == ledger.queue.owed
        assert again.happened("replaced")
        await journal.close()


async def test_an_event_that_a_run_waited_for_goes_with_it_and_one_it_may_take_stays(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    ledger = Ledger(journal)
    ledger.record(began("r1"), Listens("r1", ("event.a",)), said("taken", ""), said("kept", ""))
    ledger.record(Heard("r1", "taken", 1, journal.head[0] - 1))
    assert unheld((await past(ledger)).events.values(), 5_000_000, ledger.queue.holds) == []
    ledger.record(ended("r1"))
    assert unheld((await past(ledger)).events.values(), 5_000_000, ledger.queue.holds) == ["kept"]
    await ledger.durable(ledger.forget("r1"))
    assert {entry.run for entry in journal.entries(kinds=("event",))} == {"kept"}
    await journal.close()


async def test_what_was_taken_in_is_found_however_much_of_it_was_erased(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    ledger = Ledger(journal)
    seq = ledger.record(said("r7:0", ""))
    assert ledger.happened("r7:0") == seq
    await ledger.durable(ledger.forget_events("r7:0"))
    assert journal.at(seq) is None
    assert (ledger.happened("r7:0"), ledger.happened("r7:1")) == (seq, 0)
    await journal.close()


async def test_an_event_that_came_again_while_it_was_looked_for_is_not_forgotten(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    ledger = Ledger(journal)
    ledger.record(armed("/waits", "waits"), said("again", ""))
    chosen = unheld((await past(ledger)).events.values(), 5_000_000, ledger.queue.holds)
    seq = ledger.record(said("again", "t2"))
    assert [count async for count in prune(ledger, [], chosen)] == []
    assert journal.at(seq) is not None
    await journal.close()


async def test_a_journal_that_is_closed_gives_no_room_back(tmp_path: Path) -> None:
    journal: Journal = opened(tmp_path)
    await journal.close()
    with pytest.raises(Exception, match="closed"):
        await journal.compact()


async def test_room_that_was_asked_back_when_it_closed_was_given(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    ledger = Ledger(journal)
    ledger.record(began("r1"), RunEnded("r1", pb.RUN_STATUS_DONE, "", "x" * 1_000_000, False, 0, 0, 2, 3, 4))
    await ledger.durable(ledger.forget("r1"))
    before = journal.size()
    asked = asyncio.create_task(journal.compact())
    await asyncio.sleep(0)
    await journal.close()
    await asked
    assert before > 1_000_000
    again = opened(tmp_path)
    assert again.size() < before / 4
    await again.close()
