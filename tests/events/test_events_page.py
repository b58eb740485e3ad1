"""docs/events.md does what it says: its program is armed and gets its event, and its tables name what there is."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from agentos.events import queue
from agentos.manifest.triggers import LEAST_S, MOST, MOST_S
from tests.events.conftest import APPEND, Armer
from tests.kernel.person import Up
from tests.shell.conftest import Shell, environment, until

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
PROGRAM = PAGE.split("```python\n")[1].split("```")[0]
COMMANDS = [shlex.split(line, comments=True)[1:] for line in PAGE.split("```sh\n")[1].split("```")[0].splitlines()]


def test_its_program_is_armed_started_and_disarmed_as_it_says(up: Up, tmp_path: Path) -> None:
    shell = Shell(tmp_path.resolve(), environment(up.home))
    (tmp_path / "morning.py").write_text(PROGRAM)
    refused = shell(*COMMANDS[0])
    assert (refused.code, "--grant manifest" in refused.err) == (3, True)
    armed = shell(*COMMANDS[0], "--grant", "manifest")
    assert armed.code == 0, armed.err
    assert "morning is armed" in armed.out + armed.err
    for command in COMMANDS[1:-1]:
        said = shell(*command)
        assert said.code == 0, said.err
    told = tmp_path / "morning.log"
    until(lambda: told.exists() and told.read_text(), "the program was not started")
    assert told.read_text() == "event.invoice.arrived {'total': 40}\n"
    [timer] = [each for each in json.loads(shell("timers", "--json").out) if each["program"] == "morning"]
    assert (timer["at"], timer["tz"]) == ("0 7 * * 1-5", "Europe/Paris")
    assert shell(*COMMANDS[-1]).code == 0
    assert all(each["program"] != "morning" for each in json.loads(shell("triggers", "--json").out))


def test_each_entry_of_its_table_can_be_armed(armer: Armer) -> None:
    entries = re.findall(r"^\| `(\{.*\}|\"event.*\")` \|", PAGE, re.MULTILINE)
    assert len(entries) == 7
    assert len(armer.arm(", ".join(entries), grants=f'{APPEND}\n"files.read" = {{ path = ["notes/**"] }}')) == 7
    armer.disarm()


def test_its_limits_are_those_that_hold() -> None:
    for number in (queue.MAX_WAITING, queue.MAX_WAITING_IN_ALL, queue.MAX_TRIGGERS, queue.MAX_DEAD, queue.REMEMBERED):
        assert f"{number:,}" in PAGE
    assert f"({LEAST_S} to {MOST_S:,})" in PAGE
    assert f"{MOST} entries of `on`" in PAGE
    assert queue.MAX_DATA == 1 << 20
    assert queue.FAILURES == 5
