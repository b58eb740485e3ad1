"""What capabilities tell of: taken in when it was asked for, once, and said to be kept only when it is on disk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentos.events.queue import MAX_DATA
from agentos.events.watching import Watching
from agentos.manifest.trigger import Trigger
from agentos.v1 import capability_pb2 as pb
from tests.events.test_queue import World

HOOK = Trigger("hook.received", secret="s")
Lost = ConnectionError


class Teller:
    """A server that tells of what the test wants, and hears what becomes of it."""

    def __init__(self) -> None:
        self.asked: list[pb.WatchRequest] = []
        self.tells: asyncio.Queue[pb.WatchResponse | None] = asyncio.Queue()
        self.heard: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        self.up = 0

    async def watcher(self, capability: str) -> Teller:
        self.up += 1
        return self

    def unwatched(self, capability: str) -> None:
        self.up = 0

    async def watch(self, wanted: pb.WatchRequest) -> AsyncIterator[pb.WatchResponse]:
        self.asked.append(wanted)
        while event := await self.tells.get():
            yield event

    async def acknowledge(self, event: str, taken: pb.Taken.ValueType) -> None:
        self.heard.put_nowait((event, taken))

    async def kill(self) -> None: ...

    async def told(self, event: str, trigger: str = "", payload: str = "", name: str = "received") -> int:
        """Tell of an event: what became of it."""
        self.tells.put_nowait(pb.WatchResponse(id=event, name=name, payload=payload, trigger=trigger))
        heard, taken = await asyncio.wait_for(self.heard.get(), 10)
        assert heard == event
        return taken


class Watched(World):
    """A world with a capability that tells of things."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.teller = Teller()
        self.watching = Watching(self.queue, self.dispatch, self.teller, Lost, lambda capability: 4786)

    def known(self) -> set[tuple[str, str]]:
        """Each event that waits or is with a run, and the trigger that it is for."""
        waiting = [each for owed in self.queue.owed.values() for each in owed.values()]
        return {(each.trigger, each.event) for each in [*waiting, *self.queue.runs.values()]}

    async def stop(self) -> None:
        await self.watching.close()
        self.dispatch.close()
        await self.journal.close()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Watched]:
    world = Watched(tmp_path)
    yield world
    await world.stop()


async def test_it_is_taken_once_and_goes_to_the_trigger_that_it_names(world: Watched) -> None:
    first, second = world.arm(HOOK, Trigger("hook.received", headers=("x",), secret="t"))
    world.watching.look()
    assert await world.teller.told("a", first, '{"n": 1}') == pb.TAKEN_KEPT
    assert await world.teller.told("a", first, '{"n": 1}') == pb.TAKEN_DUPLICATE
    assert await world.teller.told("b") == pb.TAKEN_KEPT
    assert world.known() == {(first, "hook:a"), (first, "hook:b"), (second, "hook:b")}
    secrets = [world.queue.triggers[each].rule.secret for each in (first, second)]
    assert [(each.trigger, each.secret) for each in world.teller.asked[0].wanted] == [
        *zip((first, second), secrets, strict=True)
    ]
    assert len({*secrets, "s", "t"}) == 4


async def test_what_nobody_asked_for_is_not_taken(world: Watched) -> None:
    [sent] = world.arm(Trigger("event.paid"), path="/p/other.py")
    [hook] = world.arm(HOOK)
    world.watching.look()
    assert await world.teller.told("a", sent) == pb.TAKEN_UNSPECIFIED
    assert await world.teller.told("b", "t99") == pb.TAKEN_UNSPECIFIED
    assert await world.teller.told("c", name="paid") == pb.TAKEN_UNSPECIFIED
    assert await world.teller.told("d", hook, name="") == pb.TAKEN_UNSPECIFIED
    assert not world.known()


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("", "1"),
        ("x" * 201, "1"),
        ("a\nb", "1"),
        ("é", "1"),
        ("a", "{"),
        ("a", "[" * 100_000),
        ("a", json.dumps("x" * MAX_DATA)),
    ],
)
async def test_what_is_not_well_formed_is_not_taken(world: Watched, event: str, payload: str) -> None:
    world.arm(HOOK)
    world.watching.look()
    assert await world.teller.told(event, payload=payload) == pb.TAKEN_UNSPECIFIED
    assert not world.known()


async def test_what_cannot_be_recorded_is_not_said_to_be_kept(world: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    world.arm(HOOK)
    world.watching.look()
    monkeypatch.setattr("agentos.events.queue.MAX_WAITING", 1)
    assert await world.teller.told("a") == pb.TAKEN_KEPT
    assert await world.teller.told("b") == pb.TAKEN_KEPT
    assert await world.teller.told("c") == pb.TAKEN_NO_ROOM
    world.end()
    assert await world.teller.told("c") == pb.TAKEN_KEPT


async def test_one_that_ends_is_asked_anew_and_what_it_tells_twice_is_one_event(world: Watched) -> None:
    world.arm(HOOK)
    world.watching.look()
    assert await world.teller.told("a") == pb.TAKEN_KEPT
    world.teller.tells.put_nowait(None)
    assert await world.teller.told("a") == pb.TAKEN_DUPLICATE
    assert len(world.teller.asked) == 2
