"""What the person sees of armed programs: what is paused and given up, in triggers, events and the inbox."""

from __future__ import annotations

import json

from tests.events.conftest import TELLS, Armer
from tests.kernel.person import Up, eventually
from tests.shell.conftest import Shell, environment


def test_paused_programs_and_dead_letters_are_shown_with_what_to_do(up: Up, armer: Armer) -> None:
    shell = Shell(armer.person.folder, environment(up.home))
    [trigger] = armer.arm(
        '{ event = "event.torn", retries = 0 }', TELLS + "    raise ValueError('no')\n", name="torn.py"
    )
    for _ in range(5):
        armer.send("torn")
        assert eventually(lambda: not armer.armed("torn.py").runs and not armer.armed("torn.py").waiting)
    path = str(armer.person.folder / "torn.py")
    told = shell("inbox").out
    assert "torn is paused: it failed 5 times in a row" in told
    assert f"agentos triggers enable {path}" in told
    dead = [each for each in json.loads(shell("events", "dead", "--json").out) if each["path"] == path]
    assert len(dead) == 5
    assert f"agentos events replay {dead[0]['id']}" in told
    assert "PAUSED" in next(line for line in shell("triggers").out.splitlines() if line.startswith(trigger))
    assert shell("triggers", "enable", "torn").code == 0
    assert json.loads(shell("events", "replay", dead[0]["id"], "--json").out) == {"id": dead[0]["id"], "triggers": 1}
    assert eventually(lambda: len(armer.seen()) == 6)
    [shown] = [each for each in json.loads(shell("triggers", "--json").out) if each["path"] == path]
    assert (shown["paused"], shown["triggers"][0]["retries"]) == (None, 0)
    armer.disarm("torn.py")


def test_a_trigger_is_turned_off_on_and_pulled_by_its_id(up: Up, armer: Armer) -> None:
    shell = Shell(armer.person.folder, environment(up.home))
    [trigger] = armer.arm('"event.bell"')
    assert shell("triggers", "disable", trigger).code == 0
    assert json.loads(shell("events", "send", "bell", "--json").out)["triggers"] == 0
    assert shell("triggers", "fire", trigger).code == 0
    armer.saw(1)
    assert shell("triggers", "enable", trigger).code == 0
    assert json.loads(shell("events", "send", "bell", "--data", "[1]", "--json").out)["triggers"] == 1
    assert json.loads(armer.saw(2)[1])["data"] == [1]
    armer.disarm()
    gone = shell("triggers", "fire", trigger)
    assert (gone.code, "agentos triggers" in gone.err) == (2, True)
