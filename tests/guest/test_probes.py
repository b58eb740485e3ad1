"""Every probe of the table: an answer or a Python exception, never a trap, no text of the host, no call too many."""

from __future__ import annotations

import json
import re

import pytest

from tests.guest.conftest import Stage, kit
from tests.guest.probe import ANY, Probe
from tests.guest.probes import ALL

# Words that only the machine below could have said.
HOST = re.compile(r"/0/agentos|/world/|/root/|/tmp/|wasm|libc|\[Errno|Traceback.*shims", re.DOTALL)


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("probe", [pytest.param(probe, id=name) for name, probe in ALL.items()])
async def test_a_script_gets_an_answer_or_a_python_exception(stage: Stage, probe: Probe) -> None:
    played = await stage.play(probe.source, kit(probe.typed))
    assert played.ending.how == "returned", f"{played.ending.how} at {played.ending.reached}"
    assert played.status == probe.status, played.answer
    assert probe.calls is ANY or played.actions == probe.calls.split(), played.answer
    assert probe.says in played.says
    if probe.result is not ANY:
        assert played.result == probe.result
    if probe.output is not ANY:
        assert played.printed() == probe.output
    assert not HOST.search(json.dumps([played.answer.get("error"), played.out, played.answer.get("traceback")]))


def test_there_are_many_probes() -> None:
    assert len(ALL) >= 150
