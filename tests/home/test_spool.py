"""Events that come while a home is locked lie sealed, few and small; each is in the queue once when it is open."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from nacl import bindings

from agentos.events import queue
from agentos.home import history, home, spool
from agentos.home.chain import JournalFull
from agentos.home.happenings import Happened
from agentos.home.journal import Journal
from agentos.home.keys import HomeError
from agentos.home.schema import UNREAD
from agentos.home.spool import Handover, Sealed, Spool, digest
from tests.events.test_queue import START, World, on


class Unlocked(World):
    """The home with its key, as a kernel has it. Its journal is the real one, with a witness."""

    def __init__(self, path: Path) -> None:
        self.held = home.unlock(path)
        super().__init__(path)

    def open(self) -> None:
        self.file, self.key = self.held.database, self.held.keys.database
        super().open()

    def handover(self) -> Handover:
        return Handover(self.held, self.journal, self.dispatch.send)

    def happened(self) -> list[Happened]:
        found = (history.decode(entry.body) for entry in self.journal.entries(kinds=("event",)))
        return [each for each in found if isinstance(each, Happened)]

    def ids(self) -> list[str]:
        return [each.run for each in self.happened()]

    def unread(self) -> list[str]:
        """The names of the files that it is recorded of that they could not be read."""
        return [name for entry in self.journal.entries(kinds=(UNREAD,)) for name in json.loads(entry.body)["names"]]


@asynccontextmanager
async def unlocked(path: Path, handed_over: bool = True) -> AsyncIterator[Unlocked]:
    """Start as a kernel does, and stop again."""
    world = Unlocked(path)
    try:
        if handed_over:
            assert await world.handover().all()
        yield world
    finally:
        world.dispatch.close()
        await world.journal.close()
        world.held.close()


@pytest.fixture
async def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that was open once."""
    monkeypatch.setenv("AGENTOS_STATE", str(tmp_path / "state"))
    return await made(tmp_path / "home")


async def made(path: Path) -> Path:
    home.initialise(path, "key-file", key_file=path.with_name(f"{path.name}.key"))
    async with unlocked(path) as first:
        assert first.ids() == []
    return path


def event(name: str, data: str = "null", at_ms: int = START) -> Sealed:
    return Sealed(name, "door.opened", data, at_ms)


def sent(path: Path, *names: str) -> list[Path]:
    """Events that came while it was locked, each under this id; their files."""
    for name in names:
        assert Spool(path).seal(event(name))
    return spool.files(path / "spool")


def planted(path: Path, sealed: Sealed, number: int = 77) -> Path:
    """What another process of the user can do: anybody may seal for a public key."""
    key = bytes.fromhex((path / "spool" / "to").read_text())
    file = path / "spool" / f"{number:012}-{digest(sealed.id)}"
    file.write_bytes(bindings.crypto_box_seal(json.dumps(vars_of(sealed)).encode(), key))
    return file


def vars_of(sealed: Sealed) -> dict[str, object]:
    return {"id": sealed.id, "name": sealed.name, "data": sealed.data, "at_ms": sealed.at_ms}


async def test_they_are_taken_in_as_they_came(path: Path) -> None:
    names = [f"x-{number}" for number in reversed(range(300))]
    locked = Spool(path)
    for at, name in enumerate(names):
        assert locked.seal(event(name, str(at), START - at))  # whatever the clock says
    assert Spool(path).count == 300
    assert b"door" not in b"".join(file.read_bytes() for file in spool.files(path / "spool"))
    async with unlocked(path) as kernel:
        assert kernel.ids() == names
        assert [each.data for each in kernel.happened()] == [str(at) for at in range(300)]
        assert [each.at_ms for each in kernel.happened()] == [START - at for at in range(300)]
    assert Spool(path).count == 0


async def test_an_event_of_tomorrow_came_now(path: Path) -> None:
    Spool(path).seal(event("x", at_ms=START + 86_400_000))
    async with unlocked(path) as kernel:
        assert [each.at_ms for each in kernel.happened()] == [START]


async def test_sent_twice_it_is_one_event_locked_and_unlocked(path: Path) -> None:
    locked = Spool(path)
    assert (locked.seal(event("twice")), locked.seal(event("twice")), Spool(path).seal(event("twice"))) == (1, 0, 0)
    async with unlocked(path) as kernel:
        assert kernel.ids() == ["twice"]
        assert await kernel.dispatch.send("door.opened", "null", "twice") == ("twice", True, 0)
    sent(path, "twice", "new")
    async with unlocked(path) as kernel:
        assert kernel.ids() == ["twice", "new"]


async def test_an_old_file_that_is_put_back_is_nothing_new(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "REMEMBERED", 2)
    [file] = sent(path, "old")
    kept = file.read_bytes()
    async with unlocked(path) as kernel:
        for name in ("a", "b", "c"):
            await kernel.send(event=name)
        assert "old" not in kernel.queue.seen
    file.write_bytes(kept)
    async with unlocked(path) as kernel:
        assert kernel.ids() == ["old", "a", "b", "c"]
        assert kernel.unread() == []
    assert spool.files(path / "spool") == []


async def test_cut_off_before_the_files_went_they_are_not_taken_in_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(path, "a", "b")
    with monkeypatch.context() as patch:
        patch.setattr("agentos.home.spool.os.unlink", cut_off)
        with pytest.raises(CutOff):
            async with unlocked(path):
                pass
    assert Spool(path).count == 2
    async with unlocked(path) as kernel:
        assert kernel.ids() == ["a", "b"]
    assert Spool(path).count == 0


class CutOff(Exception):
    """Stands for the end of the process."""


def cut_off(file: Path, **more: object) -> None:
    if file.parent.name == "spool":
        raise CutOff
    os.remove(file)


async def test_on_a_full_disk_nothing_is_lost_and_it_goes_on_when_there_is_room(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(self: Journal, seq: int) -> None:
        raise JournalFull

    sent(path, "a", "b")
    async with unlocked(path, handed_over=False) as kernel:
        with monkeypatch.context() as patch:
            patch.setattr(Journal, "durable", full)
            assert not await kernel.handover().all()
            assert not await kernel.handover().all()
            assert Spool(path).count == 2
        assert await kernel.handover().all()
        assert kernel.ids() == ["a", "b"]
    assert Spool(path).count == 0


async def test_what_the_queue_has_no_room_for_stays_sealed_and_nothing_overtakes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "MAX_WAITING", 2)
    monkeypatch.setattr(spool, "AGAIN_S", 0.01)
    names = ["a", "b", "c", "d", "e"]
    async with unlocked(path) as kernel:
        kernel.arm(on("door.opened"))
        sent(path, *names)
        Spool(path).seal(Sealed("z", "bell.rang", "null", START))  # which nobody waits for
        assert not await kernel.handover().all()
        assert kernel.ids() == ["a", "b"]
        assert Spool(path).count == 4
        while not await kernel.handover().all():
            kernel.end()
        assert kernel.ids() == [*names, "z"]
    assert Spool(path).count == 0


@pytest.mark.parametrize(("limit", "value"), [("MAX_EVENTS", 3), ("MAX_BYTES", 400)])
async def test_there_is_an_end_to_what_waits(
    path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(spool, limit, value)
    locked = Spool(path)
    assert [locked.seal(event(f"x{number}-")) for number in range(3)] == [True] * 3
    with pytest.raises(HomeError, match="3 events wait for the key already") as refused:
        locked.seal(event("x3-"))
    assert refused.value.code == "limit"
    assert not locked.seal(event("x0-"))  # what is kept is kept
    with pytest.raises(HomeError):
        sent(path, "another")  # it is counted anew at each start
    monkeypatch.undo()
    monkeypatch.setenv("AGENTOS_STATE", str(path.with_name("state")))
    async with unlocked(path) as kernel:
        assert kernel.ids() == ["x0-", "x1-", "x2-"]
    assert sent(path, "another")


def altered(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def renamed(file: Path) -> None:
    file.rename(file.with_name(f"{file.name[:13]}{'f' * 32}"))


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def linked(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))
    file.symlink_to(file.with_name("elsewhere"))


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("done", [altered, renamed, emptied, linked, pipe, directory])
async def test_a_file_that_somebody_touched_is_told_of_and_holds_up_nothing(
    path: Path, done: Callable[[Path], None]
) -> None:
    [_, file, _] = sent(path, "a", "b", "c")
    done(file)
    async with unlocked(path) as kernel:
        assert kernel.ids() == ["a", "c"]
        assert [name[:12] for name in kernel.unread()] == [file.name[:12]]
    [aside] = (path / "spool").glob("*.unread")
    assert aside.name.startswith(file.name[:12])
    async with unlocked(path) as kernel:
        assert len(kernel.unread()) == 1


async def test_what_was_sealed_for_another_home_is_put_aside_and_not_lost(path: Path, tmp_path: Path) -> None:
    other = await made(tmp_path / "other")
    [file] = sent(other, "theirs")
    moved = file.rename(path / "spool" / file.name)
    async with unlocked(path) as kernel:
        assert kernel.ids() == []
        assert kernel.unread() == [moved.name]
    [aside] = (path / "spool").glob("*.unread")
    aside.rename(file)
    async with unlocked(other) as kernel:
        assert kernel.ids() == ["theirs"]


async def test_what_was_sealed_for_this_home_by_another_hand_is_read_as_strictly(path: Path) -> None:
    """It can be an event, as over the control service; it can be nothing else, and take no id that we give."""
    good = planted(path, event("planted"), 1)
    bad = [
        planted(path, Sealed("b", "Door!", "null", START), 2),
        planted(path, Sealed("c", "door", "{", START), 3),
        planted(path, Sealed("e7", "door", "null", START), 4),
        planted(path, Sealed("x" * 201, "door", "null", START), 5),
        planted(path, Sealed("d", "door", f'"{"x" * (1 << 20)}"', START), 6),
    ]
    async with unlocked(path) as kernel:
        assert kernel.ids() == ["planted"]
        assert kernel.unread() == [file.name for file in bad]
    assert not good.exists()


async def test_what_else_lies_there_is_left_alone(path: Path) -> None:
    for name in ("notes.txt", f"{1:012}-short", f"{1:012}-{'a' * 32}.part"):
        (path / "spool" / name).write_text("mine")
    async with unlocked(path) as kernel:
        assert (kernel.ids(), kernel.unread()) == ([], [])
    assert (path / "spool" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("nonsense", ["", "00" * 32, "never", "0" * 63])
async def test_without_a_key_to_seal_for_nothing_is_taken_in(path: Path, nonsense: str) -> None:
    (path / "spool" / "to").write_text(nonsense)
    with pytest.raises(HomeError, match="no key for events yet"):
        sent(path, "a")
    async with unlocked(path):
        pass
    assert sent(path, "a")
