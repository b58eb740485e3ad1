"""Programs that are armed: what comes starts them, with nobody there."""

from __future__ import annotations

import json
from pathlib import Path

from tests.events.conftest import Armer, killed


def test_a_timer_starts_it_and_it_gets_the_event(armer: Armer) -> None:
    [trigger] = armer.arm('{ event = "timer.every", seconds = 1 }')
    first, second, *_ = map(json.loads, armer.saw(2))
    armer.disarm()
    assert first["event"] == "timer.every"
    assert first["id"] == f"{trigger}@{first['at']}"
    assert second["at"] - first["at"] >= 1000


def test_a_timer_goes_on_after_the_kernel_was_killed(home: Path, tmp_path: Path) -> None:
    with killed(home, tmp_path) as (armer, kill):
        armer.arm('{ event = "timer.every", seconds = 1 }')
        kill()
    with killed(home, tmp_path) as (armer, _):
        told = [json.loads(line)["id"] for line in armer.saw(2)]
        armer.disarm()
        assert len(set(told)) == len(told)
