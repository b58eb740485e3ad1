"""The journal where the machine is unkind: killed writers, full disks, a disk that fails."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agentos.home.journal import Journal, JournalBroken, JournalFull
from tests.forked import begun, ended

KEY = b"k" * 32
KILLS = 30


async def acknowledge(path: Path, told: int) -> None:
    """Append units of three for ever, from three tasks, and say of each unit when it is durable."""
    journal = Journal.open(path, KEY)

    async def one() -> None:
        while True:
            seq = journal.append(*(("call", "r1", os.urandom(200)) for _ in range(3)))
            await journal.durable(seq)
            os.write(told, seq.to_bytes(8, "big"))

    await asyncio.gather(one(), one(), one())


def test_what_was_acknowledged_survives_a_kill_at_any_moment(tmp_path: Path) -> None:
    path = tmp_path / "j"
    chance = random.Random(7)  # noqa: S311
    last = 0
    for _ in range(KILLS):
        heard, told = os.pipe()
        pid = begun(lambda told=told: asyncio.run(acknowledge(path, told)))  # type: ignore[misc]
        os.close(told)
        for _ in range(chance.randint(1, 40)):
            last = max(last, int.from_bytes(os.read(heard, 8), "big"))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        while raw := os.read(heard, 8):
            last = max(last, int.from_bytes(raw, "big"))
        os.close(heard)
        found = asyncio.run(reopened(path))
        assert found >= last
        assert found % 3 == 0, "a unit was split"
        last = found
    assert last > KILLS


async def reopened(path: Path) -> int:
    journal = Journal.open(path, KEY)
    seq = journal.head[0]
    assert sum(1 for _ in journal.entries()) == seq
    await journal.close()
    return seq


async def test_a_full_disk_passes_and_loses_nothing(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "j", KEY)
    await journal.durable(journal.append(("call", "", b"before")))
    pages = journal._writing.pragma("page_count")
    journal._writing.pragma("max_page_count", pages)
    intent = journal.append(("call", "r1", bytes(50_000)))
    with pytest.raises(JournalFull) as told:
        await journal.durable(intent)
    assert "room" in told.value.hint
    after = journal.append(("reply", "r1", b"it was not done"))
    with pytest.raises(JournalFull):
        await journal.durable(after)
    assert [entry.seq for entry in journal.entries()] == [1, 2, 3]
    assert journal.statistics()["durable"] == 1
    with pytest.raises(JournalFull):
        journal.room()
    journal._writing.pragma("max_page_count", 100_000)
    await journal.durable(after)
    journal.room()
    await journal.close()
    journal = Journal.open(tmp_path / "j", KEY)
    assert [(entry.seq, entry.run) for entry in journal.entries()] == [(1, ""), (2, "r1"), (3, "r1")]
    await journal.close()


FILL = """
import asyncio, sys
from pathlib import Path
from agentos.home.journal import Journal, JournalFull

async def main(folder):
    journal = Journal.open(folder / "j", b"k" * 32)
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(3 << 20))
    sure = 0
    try:
        while True:
            seq = journal.append(("call", "r1", bytes(20_000)))
            await journal.durable(seq)
            sure = seq
    except JournalFull:
        ballast.unlink()
    assert sure > 5, sure
    await journal.durable(journal.append(("call", "r1", b"room again")))
    head = journal.head
    await journal.close()
    journal = Journal.open(folder / "j", b"k" * 32)
    assert journal.head == head and head[0] >= sure + 2
    await journal.close()
    print("recovered")

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
def test_a_disk_that_really_fills_up_recovers_when_there_is_room(tmp_path: Path) -> None:
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    mount = f"mount -t tmpfs -o size=6m none {tmp_path}"
    if subprocess.run([*unshare, "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a tmpfs")
    run = f'{mount} && exec "$0" -c "$1" {tmp_path}'
    done = subprocess.run(
        [*unshare, "sh", "-c", run, sys.executable, FILL], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "recovered", done.stderr


async def refused(path: Path) -> None:
    """In a child: the system refuses to let the file grow, which is not a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    journal = Journal.open(path, KEY)
    await journal.durable(journal.append(("call", "", b"before")))
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
    with pytest.raises(JournalBroken):
        await journal.durable(journal.append(("call", "", bytes(100_000))))
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
    with pytest.raises(JournalBroken):
        journal.append(("call", "", b"small enough, but it is over"))
    with pytest.raises(JournalBroken):
        list(journal.entries())
    await journal.close()


def test_a_disk_that_refuses_stops_the_journal_for_good(tmp_path: Path) -> None:
    assert ended(begun(lambda: asyncio.run(refused(tmp_path / "j")))) == 0
    assert asyncio.run(reopened(tmp_path / "j")) == 1
