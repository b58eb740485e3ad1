"""What is left when a shell ends, however it ends: no kernel that it started for itself, and no run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.shell.conftest import SECONDS, Shell, begun, environment, until


def processes(home: Path) -> list[int]:
    """The kernels of this home, by their command lines."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"agentos.kernel" in words and str(home).encode() in words:
            found.append(int(entry.name))
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all of them."""
    place = tmp_path_factory.mktemp("alone")
    Shell(place, environment(place / "home")).made()
    return place / "home"


@pytest.fixture
def alone(home: Path, tmp_path: Path) -> Shell:
    """A home that no kernel serves, or none any more."""
    until(lambda: not processes(home), "a kernel stayed")
    return Shell(tmp_path, environment(home))


ENDLESS = ("import time", "print('begun', flush=True)", "while True:", "    time.sleep(0.05)")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_a_kernel_that_was_started_for_one_run_ends_with_its_shell(
    alone: Shell, home: Path, number: signal.Signals
) -> None:
    running = begun(alone, "run", alone.write("endless.py", *ENDLESS))
    assert processes(home)
    running.send_signal(number)
    running.communicate(timeout=SECONDS)
    until(lambda: not processes(home), "the kernel outlived its shell")
    assert alone("ps", "--json").json[0]["status"] == "cancelled"  # type: ignore[index]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_kernel_in_the_foreground_ends_with_its_shell(alone: Shell, home: Path, number: signal.Signals) -> None:
    running = begun(alone, "up")
    assert processes(home)
    running.send_signal(number)
    running.communicate(timeout=SECONDS)
    until(lambda: not processes(home), "the kernel outlived its shell")


def test_a_kernel_stays_while_somebody_elses_run_is_under_way(alone: Shell, home: Path) -> None:
    first = begun(alone, "run", alone.write("endless.py", *ENDLESS))
    second = begun(alone, "run", alone.write("other.py", *ENDLESS))
    first.kill()
    first.communicate(timeout=SECONDS)
    (kernel,) = processes(home)
    assert second.poll() is None
    second.send_signal(signal.SIGINT)
    out, _ = second.communicate(timeout=SECONDS)
    assert "was cancelled" in out
    until(lambda: not os.path.exists(f"/proc/{kernel}"), "the kernel outlived the last run")


def test_a_kernel_that_is_killed_in_mid_run_is_said(alone: Shell, home: Path) -> None:
    running = begun(alone, "run", alone.write("endless.py", *ENDLESS))
    (kernel,) = processes(home)
    os.kill(kernel, signal.SIGKILL)
    out, _ = running.communicate(timeout=SECONDS)
    assert running.returncode == 5
    assert "the connection to the kernel was lost" in out
    [left] = [run["run"] for run in json.loads(alone("ps", "--json").out) if run["status"] == "active"]
    assert alone("cancel", left).code == 0


def test_nothing_is_said_to_be_known_of_the_calls_of_a_run_that_is_under_way(alone: Shell) -> None:
    """After a crash a run comes back and only then finds out which call nobody can tell of."""
    running = begun(alone, "run", alone.write("endless.py", *ENDLESS))
    said = alone("ps", "--unknown").out
    assert "no call waits to be settled; " in said
    assert " still under way, and may have one" in said
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=SECONDS)


def test_a_run_whose_output_nobody_reads_any_more_is_cancelled(alone: Shell) -> None:
    with subprocess.Popen(
        alone.command("run", alone.write("endless.py", "while True: print('more')")), cwd=alone.folder,
        env=alone.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline() == "more\n"
        running.stdout.close()
        assert "nobody reads the output any more; the run was cancelled" in running.stderr.read()
        assert running.wait(30) == 1


def test_a_run_that_nobody_follows_any_more_goes_on_and_is_not_said_to_be_cancelled(alone: Shell) -> None:
    first = begun(alone, "run", "--ask=wait", alone.write("endless.py", "while True: print('more')"))
    first.kill()
    first.communicate(timeout=SECONDS)
    [run] = [each["run"] for each in json.loads(alone("ps", "--json").out) if each["status"] == "active"]
    with subprocess.Popen(
        alone.command("follow", run), cwd=alone.folder, env=alone.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as following:  # fmt: skip
        assert following.stdout is not None
        assert following.stderr is not None
        assert following.stdout.readline() == "more\n"
        following.stdout.close()
        said = following.stderr.read()
    assert alone("cancel", run).code == 0
    assert "nobody reads the output any more; the run goes on" in said


def test_up_is_refused_while_a_kernel_is_up_in_the_foreground(alone: Shell) -> None:
    running = begun(alone, "up")
    try:
        said = alone("up", "--detach")
    finally:
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=SECONDS)
    assert (said.code, "a kernel is up already" in said.err) == (5, True), said.err
