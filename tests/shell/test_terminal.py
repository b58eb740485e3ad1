"""The whole of it at a terminal: the command on a pseudo-terminal of its own, a real kernel, and a person who types."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests import compiled
from tests.shell.conftest import Shell, until
from tests.shell.screen import Screen

READ = '"files.read" = { path = ["*.txt"] }'
ON = '# on = [{ event = "timer.every", seconds = 3600 }]'
CONTROLLED = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"


@contextmanager
def at_terminal(shell: Shell, *arguments: str) -> Iterator[tuple[Screen, subprocess.Popen[bytes]]]:
    """The command with a terminal of its own, as its session leader."""
    with Screen(columns=120) as screen:
        command = shell.command(*arguments)
        running = subprocess.Popen(
            [command[0], "-c", CONTROLLED, *command], cwd=shell.folder, env=shell.environment, start_new_session=True,
            stdin=screen.program, stdout=screen.program, stderr=screen.program,
        )  # fmt: skip
        try:
            yield screen, running
        finally:
            running.kill()
            running.wait()


def asked_by(shell: Shell, program: str) -> list[dict[str, str]]:
    """The questions of this program that wait."""
    return [each for each in shell("inbox", "--json").json if each["path"].endswith(program)]  # type: ignore[attr-defined]


def test_the_review_is_asked_once_and_what_it_grants_holds(shell: Shell) -> None:
    (shell.folder / "a.txt").write_text("text")
    program = shell.write("read.py", "print(open('a.txt').read())", grants=READ)
    with at_terminal(shell, "run", program) as (screen, running):
        shown = screen.until("  > ")
        assert "read wants (new program, you started it):" in shown
        assert f"1  read  {shell.folder}/*.txt  1 file now" in shown
        screen.type("a\n")
        screen.until("granted g")
        screen.until("text\n")
        assert running.wait(30) == 0
    assert shell("run", program).out == "text\n"


def test_a_key_pressed_before_the_question_is_not_its_answer(shell: Shell) -> None:
    program = shell.write("read.py", "print(open('a.txt').read())", grants=READ)
    with at_terminal(shell, "run", program) as (screen, running):
        screen.type("a\na\na\n")
        screen.until("  > ")
        screen.type("\n")
        screen.until("  > ")
        screen.type("n\n")
        screen.until("you allowed nothing, so it did not start")
        assert running.wait(30) == 3


def test_hostile_output_stays_text_on_the_screen(shell: Shell) -> None:
    program = shell.write("loud.py", "print('\\x1b[2J\\x1b]0;owned\\x07 plain')")
    with at_terminal(shell, "run", program) as (screen, running):
        assert "\x1b" not in screen.until("\\x1b[2J\\x1b]0;owned\\x07 plain\n")
        assert running.wait(30) == 0


def test_a_question_answered_elsewhere_closes_here(shell: Shell) -> None:
    (shell.folder / "a.txt").write_text("text")
    program = shell.write("read.py", "print(open('a.txt').read())")
    with at_terminal(shell, "run", program) as (screen, running):
        screen.until("  > ")
        (question,) = asked_by(shell, program)
        assert shell("approve", question["id"], "--for", "once").code == 0
        screen.until("(settled elsewhere)")
        screen.until("text\n")
        assert running.wait(30) == 0


def test_ctrl_c_cancels_the_run(shell: Shell) -> None:
    program = shell.write("sleep.py", "import time", "print('sleeping')", "time.sleep(60)")
    with at_terminal(shell, "run", program) as (screen, running):
        screen.until("sleeping")
        os.kill(running.pid, signal.SIGINT)
        screen.until("was cancelled")
        assert running.wait(30) == 1


def test_a_person_chooses_how_the_key_of_a_new_home_is_kept(homeless: Shell) -> None:
    homeless.environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    homeless.write("one.py", "# /// script", "# [tool.agentos]", ON, "# ///", "print(1)")
    with at_terminal(homeless, "arm", "one.py") as (screen, running):
        assert "  [1] under a passphrase, which each start asks for (Enter takes this one)" in screen.until("  > ")
        screen.type("yes\n")
        screen.until("yes is no answer here: type a number that stands in brackets")
        screen.until("  > ")
        screen.type("1\n")
        for question in ("new passphrase > ", "once more > "):
            screen.until(question)
            screen.type("correct horse\n")
        assert "passphrase of" not in screen.until("Arm it? type yes > ")
        screen.type("no\n")
        assert running.wait(60) == 3
    compiled.keep_in(Path(homeless.environment["AGENTOS_HOME"]), "correct horse")
    with at_terminal(homeless, "run", "one.py") as (screen, running):
        screen.until("passphrase of your Agent OS home > ")
        screen.type("wrong\n")
        screen.until("that is not it")
        screen.until("> ")
        screen.type("correct horse\n")
        screen.until("\n1\n")
        assert running.wait(60) == 0


KEYRING = """
from keyring.backend import KeyringBackend
class Ring(KeyringBackend):
    priority = 1
    get_password = set_password = None
"""


def test_a_keyring_is_offered_where_there_is_one(homeless: Shell) -> None:
    (homeless.folder / "ring.py").write_text(KEYRING)
    homeless.environment.update(PYTHON_KEYRING_BACKEND="ring.Ring", PYTHONPATH=str(homeless.folder))
    with at_terminal(homeless, "init") as (screen, _):
        assert "  [1] in this device's keyring (Enter takes this one)\n  [2] under" in screen.until("  > ")


def test_who_leaves_a_question_before_there_is_a_home_has_made_none(homeless: Shell) -> None:
    for key, said, code in (("\x03", "agentos: interrupted", 1), ("\x04", "agentos: nobody answered", 2)):
        with at_terminal(homeless, "init", "--passphrase") as (screen, running):
            screen.until("new passphrase > ")
            screen.type(key)
            screen.until(said)
            assert running.wait(30) == code
    assert not (homeless.folder / "home").exists()


def test_who_makes_a_home_where_there_is_one_is_told_so_and_asked_nothing(shell: Shell) -> None:
    with at_terminal(shell, "init") as (screen, running):
        assert "kept?" not in screen.until("there is a home already: ")
        assert running.wait(30) == 2


def test_what_waits_in_the_inbox_is_shown_in_colour_and_not_as_its_codes(shell: Shell) -> None:
    program = shell.write("read.py", "print(open('a.txt').read())")
    waiting = subprocess.Popen(shell.command("run", program, "--ask", "wait"), cwd=shell.folder, env=shell.environment)
    try:
        until(lambda: asked_by(shell, program), "it never asks")
        coloured = {name: value for name, value in shell.environment.items() if name != "NO_COLOR"}
        with at_terminal(Shell(shell.folder, coloured | {"TERM": "xterm"}), "inbox") as (screen, running):
            shown = screen.until("agentos deny")
            assert "\x1b[1;33mread wants to read " in shown
            assert running.wait(30) == 0
        assert [shell("deny", question["id"]).code for question in asked_by(shell, program)] == [0]
        assert waiting.wait(30) == 3
    finally:
        waiting.kill()
        waiting.wait()


def test_grants_of_run_dev_hold_for_the_path_until_the_terminal_closes(shell: Shell) -> None:
    (shell.folder / "a.txt").write_text("text")
    program = shell.write("read.py", "print(open('a.txt').read())", grants=READ)
    with at_terminal(shell, "run", program, "--dev") as (screen, running):
        assert "until this [t]erminal closes" in screen.until("  > ")
        screen.type("t\n")
        screen.until("text\n")
        assert running.wait(30) == 0
    with at_terminal(shell, "run", program, "--dev") as (screen, running):
        screen.until("  > ")
        screen.type("n\n")
        assert running.wait(30) == 3


def test_the_passphrase_is_asked_for_though_a_kernel_is_up(homeless: Shell) -> None:
    knows = replace(homeless, environment=homeless.environment | {"AGENTOS_PASSPHRASE": "correct horse"})
    assert knows("init", "--passphrase").code == 0
    assert knows("up", "--detach", "--ready", "1").code == 0
    try:
        for line, last in (
            (("audit", "verify"), "all of it fits"),
            (("backup", "kept.backup"), "backed up"),
            (("keys", "recovery"), "The new recovery key"),
        ):
            with at_terminal(homeless, *line) as (screen, running):
                screen.until("passphrase of your Agent OS home > ")
                screen.type("correct horse\n")
                screen.until(last)
                assert running.wait(30) == 0, line
    finally:
        assert homeless("down").code == 0


@pytest.mark.parametrize(
    ("key", "said", "code"), [("\x03", "\nagentos: interrupted", 1), ("\x04", "\nagentos: no answer", 2)]
)
def test_what_is_said_of_a_question_without_an_answer_stands_below_it(
    homeless: Shell, key: str, said: str, code: int
) -> None:
    with at_terminal(homeless, "init") as (screen, running):
        screen.until("  > ")
        screen.type(key)
        assert screen.until(said)
        assert running.wait(30) == code
