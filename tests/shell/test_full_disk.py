"""The disk is full under a kernel that is up: it says so, takes nothing new, and goes on by itself when there is room.

The disk is a real one, small and in memory; to mount it takes root.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import grpc
import pytest

from agentos.v1 import error_pb2
from tests.events.conftest import Armer
from tests.kernel.person import Person, error_of, eventually, kernel_on, warm_home
from tests.shell.conftest import Shell, environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SIZE = "256m"


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A disk of its own, with a warm home on it."""
    place = tmp_path_factory.mktemp("disk").resolve()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
    mounted = subprocess.run(command, check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        warm_home(place)
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Take all the room there is."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as out, suppress(OSError):
        for size in (1 << 20, 4096, 1):
            with suppress(OSError):
                while out.write(bytes(size)) == size:
                    pass
    return ballast


def refusal(work: Callable[[], object]) -> error_pb2.Error:
    with pytest.raises(grpc.RpcError) as refused:
        work()
    return error_of(refused.value)


def test_a_full_disk_stops_new_work_says_so_and_goes_on_when_there_is_room(disk: Path, tmp_path: Path) -> None:
    home, folder = disk / "home", tmp_path.resolve()
    shell = Shell(folder, environment(home))
    with kernel_on(home, tmp_path / "log") as up:
        person = Person(up.socket, up.credential, folder)
        armer = Armer(person)
        armer.arm('"event.paid"')
        before = armer.send("paid", '"before"').id
        armer.saw(1)

        ballast = fill(disk)
        large = f'"{"x" * 200_000}"'
        full = refusal(lambda: [armer.send("paid", large, event=f"large-{number}") for number in range(64)])
        assert (full.code, full.detail) == (error_pb2.CODE_UNAVAILABLE, "disk_full")

        said = refusal(lambda: armer.send("paid", '"refused"', event="refused"))
        assert (said.reason, said.detail) == ("the disk is full", "disk_full")
        assert refusal(lambda: list(person.start(person.source("result = 1")))).detail == "disk_full"
        program = shell.write("new.py", "result = 1")
        told = shell("run", program, "--json")
        assert told.code not in (0, 2), told
        assert "the disk is full" in told.out + told.err
        assert "nothing can be recorded: the disk is full" in shell("ps").err
        assert "make room on the disk" in shell("doctor").err
        assert person.status().standing_still.detail == "disk_full"

        ballast.unlink()
        assert eventually(lambda: not person.status().standing_still.reason), person.status()
        assert person.run("result = 1").result == 1
        after = armer.send("paid", '"after"', event="after").id
        assert eventually(lambda: any(f'"id": "{after}"' in line for line in armer.seen()), 60)
        ids = [line.split('"id": "')[1].split('"')[0] for line in armer.seen()]
        assert len(set(ids)) == len(ids)
        assert ids[0] == before
        assert "refused" not in ids
        assert not armer.armed().paused
        assert not shell("ps").err
        assert person.status().pid == up.pid
        person.close()
