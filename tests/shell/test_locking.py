"""A kernel that starts locked, on a machine without a key: what it takes in, and how it goes on when the key comes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agentos.home import keys, spool, unlocking
from agentos.home.chain import connect
from agentos.shell.connect import Kernel
from agentos.v1 import control_pb2 as pb
from agentos.v1 import events_pb2
from tests import compiled
from tests.shell.conftest import SECONDS, Shell, environment, until
from tests.shell.test_remote import STAND_IN


class Server(Shell):
    """A home whose key file is somewhere else."""

    @property
    def path(self) -> Path:
        return Path(self.environment["AGENTOS_HOME"])

    @property
    def token(self) -> str:
        return (self.path / "run" / "credential").read_text()

    @property
    def kernel(self) -> Kernel:
        return Kernel(str(Path((self.path / "run" / "at").read_text()) / "control.sock"), self.token)

    def status(self) -> pb.StatusResponse:
        kernel = self.kernel
        try:
            return kernel.call(kernel.stub.Status, pb.StatusRequest())
        finally:
            kernel.close()

    def send(self, name: str, data: str = "", given: str = "") -> str:
        kernel = self.kernel
        try:
            return kernel.call(kernel.events.SendEvent, events_pb2.SendEventRequest(name=name, data=data, id=given)).id
        finally:
            kernel.close()

    def happened(self) -> list[str]:
        """The ids of the events that the journal holds, once the kernel is locked."""
        assert self("lock").code == 0
        held = keys.derive(unlocking.home_key(unlocking.read(self.path), "correct horse"))
        with closing(connect(self.path / "agentos.db", held.database)) as db:
            return [run for (run,) in db.execute("SELECT run FROM journal WHERE kind = 'event' ORDER BY seq")]

    def files(self) -> list[Path]:
        return spool.files(self.path / "spool")


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A home under a passphrase, started locked; unlocked once before, so that there is a key to seal events for."""
    place = tmp_path_factory.mktemp("server")
    knows = environment(place / "home") | {"AGENTOS_PASSPHRASE": "correct horse"}
    shell = Server(place, knows)
    assert shell("init", "--passphrase").code == 0
    compiled.keep_in(place / "home", "correct horse")
    assert shell("up", "--detach", "--ready", "1").code == 0
    server = replace(shell, environment=environment(place / "home"))
    assert server("lock").code == 0  # one that was started with its key can be locked as well
    assert server.status().locked
    assert server("down").code == 0
    up = server("up", "--locked", "--detach", "--ready", "1")
    assert up.code == 0, up.err
    assert "up, and locked" in up.err
    yield server
    assert server("down").code == 0


@pytest.fixture
def server(started: Server) -> Server:
    """The same, locked, whatever the test before did."""
    assert started("lock").code == 0
    return started


def knowing(server: Server, secret: str = "correct horse") -> Server:
    return replace(server, environment=server.environment | {"AGENTOS_PASSPHRASE": secret})


def test_nothing_is_answered_without_the_key_but_how_to_bring_it(server: Server) -> None:
    for line in (("ps",), ("grants",), ("run", server.write("a.py", "print(1)")), ("secrets", "list"), ("inbox",)):
        said = server(*line)
        assert (said.code, "the home is locked" in said.err, "agentos unlock" in said.err) == (1, True, True), said.err
    status = server.status()
    assert (status.locked, list(status.locks), status.trouble.reason) == (True, ["passphrase", "recovery"], "")


def test_the_control_service_wants_its_credential_when_it_is_locked_too(server: Server) -> None:
    kernel = Kernel(str(Path((server.path / "run" / "at").read_text()) / "control.sock"), "another")
    try:
        with pytest.raises(Exception, match="does not take this home's credential"):
            kernel.call(kernel.stub.Unlock, pb.UnlockRequest(secret="correct horse"))
    finally:
        kernel.close()


def test_a_wrong_passphrase_opens_nothing_and_the_right_one_does(server: Server) -> None:
    nobody = server("unlock")
    assert (nobody.code, "set AGENTOS_PASSPHRASE" in nobody.err) == (5, True), nobody.err
    wrong = knowing(server, "battery staple")("unlock")
    assert (wrong.code, "not the passphrase" in wrong.err) == (3, True), wrong.err
    assert server.status().locked
    pid = server.status().pid
    right = knowing(server)("unlock", "--json")
    assert right.code == 0, right.err
    assert right.json == {"pid": pid, "state": "unlocked", "events": 0}
    assert server("run", server.write("a.py", "print('on it')")).out == "on it\n"
    assert "not locked" in server("unlock").err


def test_unlocked_by_two_at_once_it_is_unlocked_once(server: Server) -> None:
    whole, pid = knowing(server), server.status().pid
    both = [begun_quietly(whole, "unlock", "--json") for _ in range(2)]
    said = [(one.communicate(timeout=SECONDS)[0], one.returncode) for one in both]
    assert [code for _, code in said] == [0, 0], said
    assert [json.loads(out)["pid"] for out, _ in said] == [pid, pid]
    assert not server.status().locked


def begun_quietly(server: Server, *line: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        server.command(*line), cwd=server.folder, env=server.environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.skipif(os.geteuid() != 0, reason="only root looks into the memory of a process that is not dumpable")
def test_a_kernel_that_is_locked_again_has_no_key_in_its_memory(server: Server) -> None:
    assert knowing(server)("unlock").code == 0
    held = keys.derive(unlocking.home_key(unlocking.read(server.path), "correct horse"))
    pid = server.status().pid
    assert in_memory(pid, held.database)
    before = Path(f"/proc/{pid}/auxv").read_bytes()
    assert server("lock").code == 0
    assert server.status().pid == pid
    assert Path(f"/proc/{pid}/auxv").read_bytes() != before, "it is the same program still: what it freed may be there"
    assert not in_memory(pid, held.database)
    assert not in_memory(pid, b"correct horse")


def in_memory(pid: int, what: bytes) -> bool:
    """Whether it is anywhere in the memory of a process. The kernel itself lets nobody look."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            place, rights, *_ = line.split()
            first, _, last = place.partition("-")
            if not rights.startswith("rw"):
                continue
            memory.seek(int(first, 16))
            try:
                if what in memory.read(int(last, 16) - int(first, 16)):
                    return True
            except OSError:
                continue
    return False


def test_events_that_come_meanwhile_are_sealed_and_taken_in_once(server: Server) -> None:
    given = server.send("hook.received", '{"from": "the postman"}')
    assert server.send("hook.received", '{"from": "the postman"}', given) == given
    told = server("events", "send", "door.opened", "--id", "the door")
    assert (told.code, "sealed: the home is locked" in told.err) == (0, True), told.err
    [first, second] = server.files()
    assert b"postman" not in first.read_bytes() + second.read_bytes()
    assert [os.stat(each).st_mode & 0o777 for each in (first, second)] == [0o600, 0o600]
    sealed = first.read_bytes()
    unlocked = knowing(server)("unlock")
    assert "2 events came meanwhile" in unlocked.err, unlocked.err
    assert server.files() == []
    assert "was sent before" in server("events", "send", "door.opened", "--id", "the door").err

    assert server("lock").code == 0
    first.write_bytes(sealed)  # an old one, put back
    second.with_name(f"{9:012}-{'f' * 32}").write_bytes(b"nobody sealed this")
    assert knowing(server)("unlock").code == 0
    told = knowing(server)("audit", "--kind", "home")
    assert "1 sealed events could not be read, and were put aside in spool/: 000000000009-ffff" in told.out
    assert knowing(server)("audit", "verify").code == 0
    assert server.happened() == [given, "the door"]


@pytest.mark.parametrize(
    ("name", "data", "given", "said"),
    [
        ("Hook", "", "", "cannot be the name of an event"),
        ("a\n", "", "", "cannot be the name of an event"),
        ("a", "{", "", "not JSON"),
        ("a", '"' + "x" * (1 << 20) + '"', "", "larger than 1 MiB"),
        ("a", "", "a\n", "cannot be an event's id"),
        ("a", "", "e7", "cannot be an event's id"),
    ],
)
def test_an_event_that_is_none_is_refused_locked_and_unlocked(
    started: Server, name: str, data: str, given: str, said: str
) -> None:
    before = started.files()
    with pytest.raises(Exception, match=said):
        started.send(name, data, given)
    assert started.files() == before


def test_what_went_wrong_after_it_was_unlocked_is_told_and_it_waits_again(server: Server) -> None:
    whole = knowing(server)
    assert whole("unlock").code == 0
    assert server("lock").code == 0
    held = keys.derive(unlocking.home_key(unlocking.read(server.path), "correct horse"))
    db = connect(server.path / "agentos.db", held.database)
    db.execute("INSERT INTO marks (name, value) VALUES ('broken', 'somebody was here')")
    failed = whole("unlock")
    assert (failed.code, "somebody was here" in failed.err) == (5, True), failed.err
    assert server.status().trouble.reason == "somebody was here"
    assert server.status().locked
    db.execute("DELETE FROM marks WHERE name = 'broken'")
    db.close()
    assert whole("unlock").code == 0


def test_a_server_is_unlocked_from_afar_with_a_key_file_that_it_never_has(server: Server, tmp_path: Path) -> None:
    assert knowing(server)("keys", "add", "--key-file", str(tmp_path / "key")).code == 0
    (tmp_path / "key").rename(tmp_path / "here")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "ssh").write_text(STAND_IN)
    (tools / "agentos").write_text(f'#!/bin/sh\nexec {sys.executable} -m agentos.shell.main "$@"\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)
    afar = replace(server, environment=server.environment | {"PATH": f"{tools}:{server.environment['PATH']}"})
    without = afar("--on", "ssh://box", "unlock")
    assert "nobody is at a terminal" in without.err, without.err
    came = afar("--on", "ssh://box", "unlock", "--key-file", str(tmp_path / "here"))
    assert came.code == 0, came.err
    assert afar("--on", "ssh://box", "ps").code == 0
    key = (tmp_path / "here").read_text().strip()
    for each in server.path.rglob("*"):
        if each.is_file():
            assert key.encode() not in each.read_bytes()
            assert bytes.fromhex(key) not in each.read_bytes()
    assert afar("--on", "ssh://box", "lock").code == 0
    assert server.status().locked
    assert knowing(server)("keys", "remove", "2").code == 0


def test_a_key_that_somebody_else_put_there_is_found_and_told_of(server: Server) -> None:
    key = server.path / "spool" / "to"
    ours = key.read_text()
    for nonsense in ("", "00" * 32, "never"):
        key.write_text(nonsense)
        with pytest.raises(Exception, match="no key for events yet"):
            server.send("hook.received")
    key.write_text("09" + "00" * 31)  # somebody else's
    server.send("hook.received", given="lost")
    assert knowing(server)("unlock").code == 0
    assert key.read_text() == ours
    assert spool.digest("lost") in knowing(server)("audit", "--kind", "home").out
    assert "lost" not in server.happened()


TELLS = """\
import json
def main(input):
    with open("seen.log", "a") as out:
        out.write(json.dumps([input["event"], input["data"], input["at"]]) + "\\n")
"""
SLEEPS = """\
import time
def main(input):
    with open("slept.log", "a") as out:
        out.write("lies down\\n")
    time.sleep(5)
    with open("slept.log", "a") as out:
        out.write("gets up\\n")
"""


def armed(server: Server, name: str, on: str, content: str) -> None:
    lines = ["/// script", "[tool.agentos]", f"on = [{on}]", "[tool.agentos.grants]"]
    block = [*lines, '"files.write" = { path = ["*.log"] }', "///"]
    (server.folder / name).write_text("".join(f"# {line}\n" for line in block) + content)
    said = server("arm", name, "--grant", "manifest")
    assert said.code == 0, said.err


def test_what_is_armed_gets_what_came_and_runs_and_timers_go_on_after_the_unlock(server: Server) -> None:
    whole, seen, slept = knowing(server), server.folder / "seen.log", server.folder / "slept.log"
    assert whole("unlock").code == 0
    armed(server, "tells.py", '"event.paid", { event = "timer.every", seconds = 2, catch_up = "all" }', TELLS)
    armed(server, "sleeps.py", '"event.night"', SLEEPS)

    def told(name: str) -> list[list[object]]:
        lines = [json.loads(line) for line in seen.read_text().splitlines()] if seen.exists() else []
        return [line for line in lines if line[0] == name]

    server.send("night")
    until(lambda: slept.exists() and slept.read_text() and told("timer.every"), "nothing began")
    assert server("lock").code == 0
    before, since = seen.read_text(), time.time()
    for number in range(3):
        server.send("paid", str(number))
    came = time.time()
    until(lambda: time.time() > since + 4.5, "time stands still")
    assert seen.read_text() == before  # nobody works without the key
    assert slept.read_text() == "lies down\n"
    assert whole("unlock").code == 0
    until(lambda: len(told("event.paid")) >= 3 and "gets up" in slept.read_text(), f"{seen.read_text()}")
    until(lambda: told("timer.every")[-1][2] / 1000 > since + 6, "the timer stands still")  # type: ignore[operator]
    assert slept.read_text() == "lies down\ngets up\n"
    assert [line[1] for line in told("event.paid")] == [0, 1, 2]
    assert all(since - 1 < line[2] / 1000 <= came for line in told("event.paid"))  # type: ignore[operator]
    due = [line[2] for line in told("timer.every")]
    assert due == list(range(due[0], due[0] + 2000 * len(due), 2000))  # type: ignore[call-overload, operator]
    for name in ("tells.py", "sleeps.py"):
        assert whole("disarm", name).code == 0
