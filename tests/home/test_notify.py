"""What a kernel tells whoever keeps it running, on a real socket of the sd_notify protocol."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentos.home.notify import VARIABLES, Keeper
from tests.kernel.person import SECONDS, Person, eventually, kernel_on, warm_home


class Listening:
    """The other end of the socket."""

    def __init__(self, at: socket.socket) -> None:
        self.at = at
        at.settimeout(SECONDS)

    def next(self) -> list[str]:
        return self.at.recv(4096).decode().splitlines()

    def until(self, word: str) -> list[str]:
        """All that is said up to this word, with what is said beside it."""
        heard: list[str] = []
        while word not in heard:
            heard += self.next()
        return heard

    def silent_for(self, seconds: float) -> bool:
        self.at.settimeout(seconds)
        try:
            self.at.recv(4096)
        except TimeoutError:
            return True
        finally:
            self.at.settimeout(SECONDS)
        return False

    def forget(self) -> None:
        """Leave out what was said until now."""
        self.at.setblocking(False)
        try:
            while True:
                self.at.recv(4096)
        except BlockingIOError:
            self.at.settimeout(SECONDS)


@contextmanager
def listening(name: str) -> Iterator[Listening]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as at:
        at.bind("\0" + name[1:] if name.startswith("@") else name)
        yield Listening(at)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return warm_home(tmp_path_factory.mktemp("kept"))


def test_a_kernel_says_that_it_serves_when_it_does_that_it_lives_and_that_it_stops(home: Path, tmp_path: Path) -> None:
    with listening(str(tmp_path / "n")) as kept:
        given = {"NOTIFY_SOCKET": str(tmp_path / "n"), "WATCHDOG_USEC": "1000000"}
        with kernel_on(home, tmp_path / "log", **given) as up:
            before = kept.until("READY=1")
            assert "STATUS=preparing the guest" in before
            person = Person(up.socket, up.credential, tmp_path)
            assert person.status().pid == up.pid
            assert "STATUS=serving; 0 runs under way, 0 waiting for an answer" in [*before, *kept.until("WATCHDOG=1")]
            kept.until("WATCHDOG=1")
            stream = person.start(person.source("import time\nprint('on')\nwhile True: time.sleep(0.1)"))
            kept.until("STATUS=serving; 1 run under way, 0 waiting for an answer")
            stream.cancel()
            person.close()
        assert "STATUS=stopping" in kept.until("STOPPING=1")


def test_a_kernel_that_hangs_says_nothing_and_goes_on_when_it_goes_on(home: Path, tmp_path: Path) -> None:
    name = f"@agentos-{secrets.token_hex(8)}"
    with listening(name) as kept, kernel_on(home, tmp_path / "log", NOTIFY_SOCKET=name, WATCHDOG_USEC="400000") as up:
        kept.until("WATCHDOG=1")
        os.kill(up.pid, signal.SIGSTOP)
        try:
            assert eventually(lambda: _state(up.pid) == "T")
            kept.forget()
            assert kept.silent_for(1)
        finally:
            os.kill(up.pid, signal.SIGCONT)
        kept.until("WATCHDOG=1")


def test_it_is_the_event_loop_that_has_to_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, held, told = threading.Event(), threading.Event(), threading.Event()
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))
    monkeypatch.setenv("WATCHDOG_USEC", "100000")

    async def hangs() -> None:
        keeper = Keeper.taken()
        keeper.ready(lambda: "well")
        await asyncio.sleep(0)
        held.set()
        go_on.wait(SECONDS)
        await asyncio.to_thread(told.wait, SECONDS)
        keeper.close()

    with listening(str(tmp_path / "n")) as kept:
        hanging = threading.Thread(target=asyncio.run, args=(hangs(),))
        hanging.start()
        assert kept.next() == ["READY=1", "STATUS=well"]
        assert held.wait(SECONDS)
        kept.forget()
        assert kept.silent_for(0.5)
        go_on.set()
        kept.until("WATCHDOG=1")
        told.set()
        hanging.join()


def test_what_names_the_keeper_is_gone_from_the_environment_and_can_be_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    keeper = Keeper.taken()
    assert (keeper.address, keeper.silent_s) == ("/run/x", 3.0)
    assert not set(VARIABLES) & set(os.environ)
    keeper.give_back()
    assert {name: os.environ[name] for name in VARIABLES} == given


@pytest.mark.parametrize(
    ("given", "address", "silent_s"),
    [
        ({}, "", 0),
        ({"NOTIFY_SOCKET": "vsock:2:3"}, "", 0),
        ({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "soon"}, "/run/x", 0),
        ({"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}, "/run/x", 0),
        ({"WATCHDOG_USEC": "1000000"}, "", 0),
    ],
)  # fmt: skip
def test_what_is_not_for_us_is_left_alone(
    given: dict[str, str], address: str, silent_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    keeper = Keeper.taken()
    assert (keeper.address, keeper.silent_s) == (address, silent_s)
    keeper.status("to nobody")


def test_why_it_does_not_start_is_said(tmp_path: Path) -> None:
    with listening(str(tmp_path / "n")) as kept:
        command = [sys.executable, "-m", "agentos.kernel", "serve", "--home", str(tmp_path / "none")]
        environment = os.environ | {"NOTIFY_SOCKET": str(tmp_path / "n")}
        done = subprocess.run(command, env=environment, capture_output=True, timeout=SECONDS, check=False)
        assert done.returncode == 5
        [said] = kept.next()
        assert said.startswith("STATUS=not started: there is no home")


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
