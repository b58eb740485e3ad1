"""What capabilities tell of: taken in when it was asked for, once, and said to be kept only when it is on disk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest

from agentos.events.queue import MAX_DATA
from agentos.events.watching import Powers, Watching
from agentos.home.happenings import Armed
from agentos.home.marks import Marks
from agentos.manifest.trigger import Trigger
from agentos.v1 import capability_pb2 as pb
from tests.events.test_queue import World

HOOK = Trigger("hook.received", secret="s")
NOTES, OTHERS = "/n/**", "/o/**"
FILES = Trigger("files.changed", paths=(NOTES,), quiet_ms=200)
NONE: dict[str, str] = {}
Lost = ConnectionError


class Teller:
    """A server that tells of what the test wants, and hears what becomes of it."""

    def __init__(self) -> None:
        self.asked: list[pb.WatchRequest] = []
        self.tells: asyncio.Queue[pb.WatchResponse | None] = asyncio.Queue()
        self.heard: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        self.up = 0

    async def watcher(self, capability: str, places: Sequence[str]) -> Teller:
        self.up += 1
        self.places = list(places)
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

    async def told(
        self, event: str, trigger: str = "", payload: str = "", name: str = "received", marks: dict[str, str] = NONE
    ) -> int:
        """Tell of an event: what became of it."""
        noted = [pb.Mark(key=key, value=value) for key, value in marks.items()]
        self.tells.put_nowait(pb.WatchResponse(id=event, name=name, payload=payload, trigger=trigger, marks=noted))
        heard, taken = await asyncio.wait_for(self.heard.get(), 10)
        assert heard == event
        return taken


class Watched(World):
    """A world with a capability that tells of things."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.teller = Teller()
        self.marks = Marks.open(folder / "marks.db", bytes(32))
        # What the program may look at.
        self.covered = [NOTES]
        powers = Powers(self.teller, Lost, lambda capability: 4786, self.marks, self.looks)
        self.watching = Watching(self.queue, self.dispatch, powers)

    def looks(self, armed: Armed, paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(each for each in paths if each in self.covered)

    def known(self) -> set[tuple[str, str]]:
        """Each event that waits or is with a run, and the trigger that it is for."""
        waiting = [each for owed in self.queue.owed.values() for each in owed.values()]
        return {(each.trigger, each.event) for each in [*waiting, *self.queue.runs.values()]}

    async def stop(self) -> None:
        await self.watching.close()
        self.dispatch.close()
        self.marks.close()
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
    assert await world.teller.told("d", hook, name="sent") == pb.TAKEN_UNSPECIFIED
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


async def changed(world: Watched, trigger: str, path: str, mark: str = "1") -> int:
    payload = json.dumps({"path": path, "kind": "added"})
    return await world.teller.told(f"{trigger}:{path}{mark}", trigger, payload, "changed", {path: mark})


async def test_files_are_watched_within_what_a_grant_covers_and_no_further(world: Watched) -> None:
    [trigger] = world.arm(msgspec.structs.replace(FILES, paths=(NOTES, OTHERS)))
    world.watching.look()
    assert await changed(world, trigger, "/n/a.md") == pb.TAKEN_KEPT
    assert world.teller.places == [NOTES]
    [wanted] = world.teller.asked[0].wanted
    assert [(each.name, list(each.values)) for each in wanted.bounds] == [("path", [NOTES])]
    assert wanted.quiet_ms == 200
    assert "/o/**" in world.watching.trouble(trigger)
    assert await changed(world, trigger, "/o/a.md") == pb.TAKEN_UNSPECIFIED
    assert await changed(world, trigger, "/n") == pb.TAKEN_UNSPECIFIED
    for payload in ("null", "[]", '{"path": 1}', '{"path": ["/n/a"]}', "{}"):
        assert await world.teller.told(f"x{payload}", trigger, payload, "changed") == pb.TAKEN_UNSPECIFIED
    assert {event for _, event in world.known()} == {f"files:{trigger}:/n/a.md1"}


async def test_without_a_grant_nothing_is_watched_and_the_person_is_told(world: Watched) -> None:
    world.covered.clear()
    [trigger] = world.arm(FILES)
    world.watching.look()
    assert not world.watching._streams
    assert "no grant covers /n/**" in world.watching.trouble(trigger)
    world.covered.append(NOTES)
    world.watching.look()
    assert await changed(world, trigger, "/n/a.md") == pb.TAKEN_KEPT
    assert "still being noted" in world.watching.trouble(trigger)
    world.marks.put(trigger, [], begun=True)
    assert world.watching.trouble(trigger) == ""


async def test_a_grant_that_ended_covers_nothing_from_then_on(world: Watched) -> None:
    [trigger] = world.arm(FILES)
    world.watching.look()
    assert await changed(world, trigger, "/n/a.md") == pb.TAKEN_KEPT
    world.covered.clear()
    assert await changed(world, trigger, "/n/b.md") == pb.TAKEN_UNSPECIFIED


async def test_what_a_server_notes_it_is_given_when_it_is_watched_anew(world: Watched) -> None:
    [trigger] = world.arm(FILES)
    world.watching.look()
    noted = pb.WatchResponse(trigger=trigger, marks=[pb.Mark(key="/n/a", value="1"), pb.Mark(key="/n/b", value="1")])
    world.teller.tells.put_nowait(noted)
    world.teller.tells.put_nowait(pb.WatchResponse(trigger=trigger, begun=True))
    world.teller.tells.put_nowait(pb.WatchResponse(trigger="t99", marks=[pb.Mark(key="/n/z", value="1")]))
    assert await changed(world, trigger, "/n/a", "2") == pb.TAKEN_KEPT
    assert await changed(world, trigger, "/n/b", "") == pb.TAKEN_KEPT
    assert await changed(world, trigger, "/o/c", "1") == pb.TAKEN_UNSPECIFIED
    world.teller.tells.put_nowait(None)
    assert await changed(world, trigger, "/n/d") == pb.TAKEN_KEPT
    first, second = (request.wanted[0] for request in world.teller.asked)
    assert (first.begun, len(first.marks)) == (False, 0)
    assert (second.begun, [(each.key, each.value) for each in second.marks]) == (True, [("/n/a", "2")])
    assert not world.marks.of("t99")
    world.dispatch.changed()
    assert len(world.teller.asked) == 2  # marks alone are no reason to begin anew


async def test_a_mark_is_noted_only_once_its_event_is_kept(world: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    [trigger] = world.arm(FILES)
    world.watching.look()
    monkeypatch.setattr("agentos.events.queue.MAX_WAITING", 1)
    for path in ("/n/a", "/n/b"):
        assert await changed(world, trigger, path) == pb.TAKEN_KEPT
    assert await changed(world, trigger, "/n/c") == pb.TAKEN_NO_ROOM
    assert [key for key, _ in world.marks.of(trigger)] == ["/n/a", "/n/b"]


async def test_marks_go_with_their_trigger(world: Watched) -> None:
    [trigger] = world.arm(FILES)
    world.watching.look()
    assert await changed(world, trigger, "/n/a") == pb.TAKEN_KEPT
    await world.dispatch.switch(trigger, False)
    assert not world.marks.of(trigger)


async def test_what_troubles_a_server_is_shown_until_it_is_well(world: Watched) -> None:
    [trigger] = world.arm(FILES)
    world.marks.put(trigger, [], begun=True)
    world.watching.look()
    world.teller.tells.put_nowait(pb.WatchResponse(trigger=trigger, trouble="too\nmany"))
    assert await changed(world, trigger, "/n/a") == pb.TAKEN_KEPT
    assert world.watching.trouble(trigger) == "too?many"
    world.teller.tells.put_nowait(pb.WatchResponse(trigger=trigger))
    assert await changed(world, trigger, "/n/b") == pb.TAKEN_KEPT
    assert world.watching.trouble(trigger) == ""


async def test_more_marks_than_a_message_carries_are_not_sent(world: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = world.arm(FILES, msgspec.structs.replace(FILES, quiet_ms=300))
    world.marks.put(first, [("/n/a", "1" * 500)])
    world.marks.put(second, [("/n/a", "1" * 500)])
    monkeypatch.setattr("agentos.events.watching.MOST_MARKED", 1_000)
    world.watching.look()
    assert await changed(world, first, "/n/b") == pb.TAKEN_KEPT
    assert [each.trigger for each in world.teller.asked[0].wanted] == [first]
    assert "too much" in world.watching.trouble(second)


def test_marks_that_cannot_be_read_are_begun_anew_and_are_not_in_the_clear(tmp_path: Path) -> None:
    file = tmp_path / "marks.db"
    marks = Marks.open(file, bytes(32))
    marks.put("t1", [("/home/me/a very private name", "1")], begun=True)
    marks.close()
    assert not any(b"private" in each.read_bytes() for each in tmp_path.iterdir())
    again = Marks.open(file, bytes(32))
    assert again.begun("t1")
    assert again.of("t1") == [("/home/me/a very private name", "1")]
    again.close()
    other = Marks.open(file, b"1" * 32)
    assert not other.begun("t1")
    other.close()
    file.write_bytes(b"nonsense" * 1000)
    torn = Marks.open(file, bytes(32))
    torn.put("t2", [("/n", "1")])
    assert torn.of("t2") == [("/n", "1")]
    torn.close()


async def test_who_stops_watches_nothing_any_more_whatever_is_recorded_then(world: Watched) -> None:
    world.arm(FILES)
    world.watching.look()
    await world.watching.close()
    world.watching.look()
    assert not world.watching._streams
