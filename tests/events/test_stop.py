"""A kernel that is told to stop does so within seconds, whatever is under way, and nothing of it is lost."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from agentos.v1 import control_pb2 as pb
from tests.events.conftest import Armer
from tests.kernel.person import Person, eventually, warm_home
from tests.kernel.test_killed_kernel import doomed

WITHIN_S = 5.0
HEEDLESS = """\
def main(input):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
"""
READS = '"files.read" = { path = ["*.txt"] }'
AFTER_A_WHILE = "import time\ntime.sleep(1.5)\nresult = 'done'"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return warm_home(tmp_path_factory.mktemp("stopped"))


@contextmanager
def up(home: Path, folder: Path) -> Iterator[tuple[Armer, int]]:
    with doomed(home, folder) as (person, pid):
        yield Armer(person), pid


def gone(pid: int) -> bool:
    """It is ours to bury, and so a zombie is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


class Sender(threading.Thread):
    """Sends one event after another until the kernel is gone; `taken` are those that it said it has."""

    def __init__(self, armer: Armer) -> None:
        super().__init__()
        self.armer = armer
        self.taken: list[int] = []
        self.paused = threading.Event()
        self.start()

    def run(self) -> None:
        for number in range(100_000):
            try:
                self.armer.send("paid", json.dumps({"n": number}))
            except grpc.RpcError:
                return
            self.taken.append(number)
            self.paused.wait(0.02)  # each of them is a run, and those are waited for


@pytest.mark.parametrize("signals", [(signal.SIGTERM,), (signal.SIGINT,), (signal.SIGTERM, signal.SIGTERM)])
def test_it_ends_at_once_whatever_is_under_way_and_loses_nothing(
    home: Path, tmp_path: Path, signals: tuple[signal.Signals, ...]
) -> None:
    (tmp_path / "a.txt").write_text("a")
    seen = tmp_path / "seen.log"
    with up(home, tmp_path) as (armer, pid):
        person = armer.person
        armer.arm('"event.paid"')
        armer.arm('"event.busy"', HEEDLESS, "", "busy.py")
        armer.send("busy")
        assert person.run("result = open('a.txt').read()", READS).result == "a"
        os.kill(person.capability("files").pid, signal.SIGSTOP)
        hanging = person.source("result = open('a.txt').read()", READS, name="hanging.py")
        asked = person.start(hanging, ask=pb.ASK_WAIT, grant_manifest=True)
        hung = next(event.accepted.run for event in asked if event.WhichOneof("event") == "accepted")
        late = person.start(person.source(AFTER_A_WHILE, name="late.py"), ask=pb.ASK_WAIT)
        slept = next(event.accepted.run for event in late if event.WhichOneof("event") == "accepted")
        assert eventually(lambda: len(person.calls(hung)) == 1 and len(person.calls(slept)) == 1)
        for stream in (asked, late):
            stream.cancel()
        sender = Sender(armer)
        assert eventually(lambda: len(sender.taken) > 5)
        for number in signals:
            os.kill(pid, number)
        assert eventually(lambda: gone(pid), WITHIN_S), f"it is still there after {WITHIN_S} s"
        sender.join(WITHIN_S)
        assert not sender.is_alive()
    with up(home, tmp_path) as (armer, _):
        person = armer.person
        assert eventually(lambda: _over(person, hung) and _over(person, slept))
        assert [person.record(each).result for each in (hung, slept)] == ['"a"', '"done"']
        wanted = set(sender.taken)
        assert eventually(lambda: seen.exists() and wanted <= set(_numbers(seen))), armer.waiting()
        assert sorted(_numbers(seen)) == sorted(set(_numbers(seen)))
        [busy] = [each for each in _active(person) if each.program == "busy"]
        armer.disarm("busy.py")
        armer.disarm()
        person.cancel(busy.id)
        assert eventually(lambda: _over(person, busy.id))


def _numbers(seen: Path) -> list[int]:
    return [json.loads(line)["data"]["n"] for line in seen.read_text().splitlines() if line.endswith("}")]


def _over(person: Person, run: str) -> bool:
    return person.record(run).status not in (pb.RUN_STATUS_ACTIVE, pb.RUN_STATUS_WAITING)


def _active(person: Person) -> list[pb.Run]:
    return list(person.control.ListRuns(pb.ListRunsRequest(active_only=True), metadata=person.metadata).runs)
