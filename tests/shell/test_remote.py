"""--on: a kernel over a forwarded socket. `ssh` here is a stand-in that forwards on this machine; all else is real."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.shell.conftest import SECONDS, Shell, begun, until

STAND_IN = f"""#!{sys.executable}
import os, socket, sys, threading
words = sys.argv[1:]
if "-L" not in words:
    os.execvp(words[words.index("--") + 2], words[words.index("--") + 2 :])
near, _, far = words[words.index("-L") + 1].partition(":")
assert words[-1] == "cat"
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
with open(sys.argv[0] + ".pid", "w") as pid:
    print(os.getpid(), file=pid)
listening = socket.socket(socket.AF_UNIX)
listening.bind(near)
listening.listen()
def copy(source, target):
    while piece := source.recv(65536):
        target.sendall(piece)
    target.shutdown(socket.SHUT_WR)
while True:
    here, there = listening.accept()[0], socket.socket(socket.AF_UNIX)
    try:
        there.connect(far)
    except OSError:
        here.close()
        continue
    for pair in ((here, there), (there, here)):
        threading.Thread(target=copy, args=pair, daemon=True).start()
"""


@pytest.fixture
def afar(shell: Shell, tmp_path: Path) -> Shell:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "ssh").write_text(STAND_IN)
    (tools / "agentos").write_text(f'#!/bin/sh\nexec {sys.executable} -m agentos.shell.main "$@"\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)
    return replace(shell, environment=shell.environment | {"PATH": f"{tools}:{shell.environment['PATH']}"})


def test_a_program_runs_on_a_kernel_that_is_reached_over_ssh(afar: Shell) -> None:
    program = afar.write("far.py", "print('there')", "result = 2")
    said = afar("run", program, "--on", "ssh://me@box:2222")
    assert (said.code, said.out) == (0, "there\n2\n"), said.err
    assert afar("--on", "ssh://box", "show", "last", "--json").json["program"] == "far"  # type: ignore[index]


def test_a_host_without_a_kernel_is_explained(afar: Shell, tmp_path: Path) -> None:
    nowhere = replace(afar, environment=afar.environment | {"AGENTOS_HOME": str(tmp_path / "none")})
    said = nowhere("ps", "--on", "ssh://box")
    assert said.code == 5
    assert "no kernel is up at ssh://box" in said.err
    assert "agentos up --detach" in said.err


def test_a_host_that_does_not_answer_is_explained(afar: Shell, tmp_path: Path) -> None:
    (tmp_path / "tools" / "ssh").write_text(
        "#!/bin/sh\necho 'ssh: connect to host box: Connection refused' >&2\nexit 255\n"
    )
    said = afar("ps", "--on", "ssh://box")
    assert said.code == 5
    assert "ssh://box cannot be reached: ssh: connect to host box: Connection refused" in said.err
    assert "try it by hand: ssh box agentos where" in said.err


def test_a_host_without_agentos_is_explained(afar: Shell, tmp_path: Path) -> None:
    (tmp_path / "tools" / "ssh").write_text("#!/bin/sh\necho 'sh: agentos: not found' >&2\nexit 127\n")
    said = afar("ps", "--on", "ssh://box")
    assert said.code == 5
    assert "no agentos answers at ssh://box: sh: agentos: not found" in said.err


@pytest.mark.parametrize("line", [["init"], ["up", "--detach"], ["run", "x.py", "--dev"]])
def test_what_works_here_alone_is_not_done_here_instead_of_there(afar: Shell, line: list[str]) -> None:
    said = afar(*line, "--on", "ssh://box")
    assert said.code == 2
    assert "works on this machine alone" in said.err


def test_the_forwarding_ends_with_its_shell(afar: Shell, tmp_path: Path) -> None:
    lines = ("import time", "print('begun', flush=True)", "while True:", "    time.sleep(0.05)")
    running = begun(afar, "run", afar.write("endless.py", *lines), "--on", "ssh://box")
    tunnel = int((tmp_path / "tools" / "ssh.pid").read_text())
    running.kill()
    running.communicate(timeout=SECONDS)
    until(lambda: not Path(f"/proc/{tunnel}").exists(), "the forwarding outlived its shell")
