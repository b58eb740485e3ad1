"""agentos top: on a terminal until it is interrupted, elsewhere one sample, or one a line."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from tests.shell.conftest import Shell
from tests.shell.screen import Screen


def test_elsewhere_than_on_a_terminal_it_shows_one_sample(shell: Shell) -> None:
    assert shell("run", shell.write("looks.py", "print(1)")).code == 0
    said = shell("top")
    assert (said.code, said.err) == (0, "")
    assert [line.split()[0] for line in said.out.splitlines()][:6] == [
        "up",
        "runs",
        "cells",
        "calls",
        "events",
        "journal",
    ]
    assert "0 active, 0 waiting, " in said.out
    assert "/s" not in said.out  # one sample has no rate


def test_as_json_it_ends_as_every_command_does_unless_a_pause_was_named(shell: Shell) -> None:
    said = shell("top", "--json")
    assert (said.code, len(said.out.splitlines())) == (0, 1), said
    with subprocess.Popen(
        shell.command("top", "--json", "--every", "0.1"), cwd=shell.folder, env=shell.environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    ) as going:  # fmt: skip
        assert going.stdout is not None
        assert [json.loads(going.stdout.readline())["runs"]["active"] for _ in range(3)] == [0, 0, 0]
        going.send_signal(signal.SIGINT)
        assert going.wait(30) == 0


def test_as_json_each_line_is_a_sample_and_the_second_has_rates(shell: Shell) -> None:
    said = shell("top", "--json", "--count", "2", "--every", "0.1")
    first, second = (json.loads(line) for line in said.out.splitlines())
    assert (first["per_second"], first["runs"]["active"]) == ({}, 0)
    assert second["per_second"].keys() == {
        "runs.began", "runs.ended", "calls.made", "cells.forks", "journal.records", "journal.batches",
        "queue.taken",
    }  # fmt: skip
    assert second["at_ms"] > first["at_ms"]
    assert second["journal"]["durable"] >= first["journal"]["durable"]


def test_on_a_terminal_it_goes_on_until_it_is_interrupted(shell: Shell) -> None:
    environment = {**shell.environment, "TERM": "xterm"}
    with Screen(columns=120) as screen:
        watching = subprocess.Popen(
            shell.command("top", "--every", "0.1"), cwd=shell.folder, env=environment,
            stdin=screen.program, stdout=screen.program, stderr=screen.program,
        )  # fmt: skip
        screen.until("waiting")
        screen.until("syncs/s")
        screen.until("syncs/s")
        watching.send_signal(signal.SIGINT)
        assert watching.wait(30) == 0


@pytest.mark.parametrize("options", [("--every", "0"), ("--every", "nan"), ("--every", "1e9"), ("--count", "-1")])
def test_what_makes_no_sense_is_said(shell: Shell, options: tuple[str, ...]) -> None:
    said = shell("top", *options)
    assert (said.code, "takes" in said.err) == (2, True), said


def test_no_kernel_is_started_to_be_looked_at(homeless: Shell) -> None:
    said = homeless("top")
    assert said.code == 5
    assert not os.path.exists(homeless.environment["AGENTOS_HOME"])
