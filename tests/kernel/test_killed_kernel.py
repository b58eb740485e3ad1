"""A kernel that is killed the moment it has said something: what it said is so when the next one starts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from agentos.v1 import control_pb2 as pb
from tests.kernel.person import FOR_VERSION, Person, Told, eventually, warm_home

pytestmark = pytest.mark.slow

READ = '"files.read" = { path = ["**"] }'


@contextmanager
def doomed(home: Path, folder: Path) -> Iterator[tuple[Person, int]]:
    """A kernel on this home, and its pid. It is killed at the end, if it was not before."""
    told, tell = os.pipe()
    command = [sys.executable, "-m", "agentos.kernel", "serve", "--home", str(home), "--ready-fd", str(tell)]
    with open(told) as ready, subprocess.Popen(command, pass_fds=(tell,), stdin=subprocess.DEVNULL) as process:
        os.close(tell)
        said = json.loads(ready.readline())
        person = Person(said["socket"], Path(said["credential"]).read_text().strip(), folder)
        try:
            yield person, process.pid
        finally:
            process.kill()
            person.close()


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return warm_home(tmp_path_factory.mktemp("doomed"))


def ended(person: Person, run: str) -> pb.Run:
    return person.control.ShowRun(pb.ShowRunRequest(run=run), metadata=person.metadata).run


WRITE = '"files.write" = { path = ["**"] }'
CHANGES = "open('b.txt', 'w').write('x')\nprint('written')\ninput()"


@pytest.mark.parametrize(("kind", "content", "grants"), [("accepted", "input()", ""), ("output", CHANGES, WRITE)])
def test_what_was_told_of_a_run_survives(home: Path, tmp_path: Path, kind: str, content: str, grants: str) -> None:
    """That it was taken in; and what its program printed, with the reply that this rests on."""
    told = Told()
    with doomed(home, tmp_path) as (person, pid):
        for event in person.start(
            person.source(content, grants), grant_manifest=True, ask=pb.ASK_DENY, interactive=True
        ):
            if told.hear(event) == kind:
                kill(pid)
                break
    with doomed(home, tmp_path) as (person, _):
        assert person.record(told.id).program == "program"
        if kind == "output":
            [write] = person.calls(told.id, "files.write")
            assert write.duration_us > 0, "its own reply is there, not what a look afterwards found"


def test_what_was_shown_of_a_run_survives(home: Path, tmp_path: Path) -> None:
    """A read waits for no disk; whoever looks at it does."""
    (tmp_path / "a.txt").write_text("a")
    shown: list[pb.Call] = []
    with doomed(home, tmp_path) as (person, pid):
        source = person.source("open('a.txt').read()\nwhile True: pass", READ)
        run = next(person.start(source, grant_manifest=True, ask=pb.ASK_WAIT)).accepted.run

        def is_shown() -> bool:
            shown[:] = person.calls(run, "files.read")
            return bool(shown)

        assert eventually(is_shown)
        kill(pid)
    with doomed(home, tmp_path) as (person, _):
        [call] = person.calls(run, "files.read")
        assert call.started_ms == shown[0].started_ms, "the same call, not one that was made anew"
        person.cancel(run)


def test_what_was_acknowledged_survives(home: Path, tmp_path: Path) -> None:
    """In turn: the grants of `--grant manifest`, a run's end, a revoked grant, the grant of an answer."""
    (tmp_path / "a.txt").write_text("a")
    with doomed(home, tmp_path) as (person, pid):
        waits = person.source("input()\nopen('a.txt').read()", READ)
        for event in person.start(waits, grant_manifest=True, ask=pb.ASK_DENY, interactive=True):
            if event.WhichOneof("event") == "granted":
                kill(pid)
                break
    with doomed(home, tmp_path) as (person, pid):
        [granted] = person.grants()
        assert granted.action == "files.read"
        done = Told()
        for event in person.start(person.source("result = 'done'"), ask=pb.ASK_DENY):
            if done.hear(event) == "ended":
                kill(pid)
                break
    with doomed(home, tmp_path) as (person, pid):
        assert ended(person, done.id).result == '"done"'
        person.revoke(granted.id)
        kill(pid)
    with doomed(home, tmp_path) as (person, pid):
        assert person.grants() == []
        other = person.source("open('a.txt').read()", READ, name="other.py")

        def kill_when_answered(kind: str, event: pb.RunResponse, told: Told) -> None:
            if kind == "prompt":
                kill(pid)

        with pytest.raises(grpc.RpcError):
            person.follow(person.start(other), FOR_VERSION, on=kill_when_answered)
    with doomed(home, tmp_path) as (person, _):
        assert [(grant.action, grant.path) for grant in person.grants()] == [("files.read", other.path)]
