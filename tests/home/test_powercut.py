"""The power goes, or the disk fails, at any operation: what was acknowledged is there, nothing is half, no false alarm.

The long form is `make powercut`; docs/reliability.md has what it found.
"""

from __future__ import annotations

import secrets

import pytest

from bench import owed, powercut
from bench.disk import HOWS

CUTS = 300


@pytest.mark.slow
def test_what_was_acknowledged_survives_a_cut_at_any_operation() -> None:
    seed = secrets.randbits(32)
    print(f"again: python -m bench.powercut --cuts {CUTS} --seed {seed}")
    found = powercut.cut(CUTS, seed)
    assert found.cuts == CUTS
    assert found.moments > CUTS // powercut.DRAWN // 2
    assert not found.wrong


@pytest.mark.slow
def test_the_harness_notices_a_journal_that_does_not_wait_for_the_disk() -> None:
    found = powercut.cut(80, 2, normal=True)
    assert any(each == "lost" or "rolled_back" in each for each in found.wrong)


@pytest.mark.slow
def test_whichever_operation_fails_nothing_acknowledged_is_lost() -> None:
    tried, failed = powercut.fail_each(units=3)
    assert tried > 50
    assert {"read", "write", "sync", "open", "head"} <= set(failed)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["full", "short"])
def test_whichever_write_finds_no_room_nothing_acknowledged_is_lost(how: str) -> None:
    _, failed = powercut.fail_each(units=2, how=how)
    assert failed["write"] > 10


@pytest.mark.slow
@pytest.mark.parametrize("how", HOWS)
def test_whichever_operation_fails_each_event_that_was_taken_in_is_delivered_once(how: str) -> None:
    tried, failed = owed.fail_each(events=2, how=how)
    assert tried > 15
    assert failed["write"] > 10
