"""What programs send, held against its limits: once, so many, and only so far from a person."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from agentos.events import sending
from agentos.events.sending import BURST, HOPS, RATE, Sender, Sending
from agentos.home.happenings import Delivered, Happened
from agentos.home.history import RunBegan, decode
from agentos.home.refusal import Refusal
from agentos.v1 import error_pb2
from tests.events.test_queue import World, on

SENDER = Sender("r7", 3, "/p/sender.py", 0, ())


class Sent(World):
    """A world with a program that sends, and a clock for how fast it does."""

    def __init__(self, folder: Path) -> None:
        self.seconds = 0.0
        self.began: list[RunBegan] = []
        super().__init__(folder)

    def open(self) -> None:
        super().open()
        self.sending = Sending(self.ledger, self.dispatch, lambda: self.seconds)

    def deliver(self, began: RunBegan, *delivered: Delivered) -> None:
        super().deliver(began, *delivered)
        self.began.append(began)

    async def tells(self, name: str = "a", data: str = "", **sender: object) -> str:
        return await self.sending.send(msgspec.structs.replace(SENDER, **sender), name, data)

    async def refused(self, name: str = "a", data: str = "", **sender: object) -> tuple[str, str]:
        with pytest.raises(Refusal) as refused:
            await self.tells(name, data, **sender)
        assert refused.value.fault.hint
        assert (refused.value.fault.code == error_pb2.CODE_LIMIT) == bool(refused.value.fault.detail)
        return refused.value.fault.reason, refused.value.fault.detail

    def happened(self) -> list[Happened]:
        found = (decode(entry.body) for entry in self.journal.entries(kinds=("event",)))
        return [each for each in found if isinstance(each, Happened)]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Sent]:
    made = Sent(tmp_path)
    yield made
    made.dispatch.close()
    await made.journal.close()


async def test_it_starts_the_programs_that_wait_for_it_and_has_the_name_of_its_call(world: Sent) -> None:
    world.arm(on())
    assert await world.tells(data='{"n": 1}') == "r7:3"
    [began] = world.began
    told = json.loads(began.input)
    assert (told["event"], told["id"], told["data"]) == ("event.a", "r7:3", {"n": 1})


async def test_the_same_call_sends_once_whatever_restarts_and_however_many_came_since(
    world: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentos.events.queue.REMEMBERED", 2)
    world.arm(on(parallel=9))
    await world.tells()
    await world.again()
    for _ in range(3):
        await world.send()
    assert "r7:3" not in world.queue.seen
    assert await world.tells() == "r7:3"
    assert world.events.count("r7:3") == 1


async def test_what_was_sent_before_a_crash_is_not_refused_for_the_rate_after_it(world: Sent) -> None:
    world.arm(on(parallel=64))
    await world.tells()
    for seq in range(BURST - 1):
        await world.tells("nobody", seq=seq)
    assert await world.tells() == "r7:3"


async def test_the_person_cannot_send_one_that_is_named_like_a_call(world: Sent) -> None:
    for event in ("r7:3", "r7.2.1:40", "t1@5", "e9"):
        with pytest.raises(Refusal):
            await world.send(event=event)


async def test_what_nobody_waits_for_is_not_kept(world: Sent) -> None:
    world.arm(on("other"))
    await world.tells()
    assert not world.happened()


async def test_it_is_one_hop_further_than_what_started_its_run_and_ends_at_some_depth(world: Sent) -> None:
    world.arm(on(parallel=64))
    for hops in range(HOPS):
        await world.tells(hops=hops, run=f"r{hops + 10}")
    assert [each.hops for each in world.began] == list(range(1, HOPS + 1))
    assert (await world.refused(hops=HOPS, run="r99"))[1] == "depth"
    assert len(world.began) == HOPS


async def test_a_batch_is_as_far_as_the_furthest_of_it_and_has_read_what_all_of_it_had(world: Sent) -> None:
    world.arm(on(batch=3, batch_ms=60_000))
    await world.send()
    await world.tells(hops=4, outside=("a.com",))
    await world.tells(hops=2, seq=4, outside=("b.com", "a.com"))
    [began] = world.began
    assert (began.hops, began.outside) == (5, ("a.com", "b.com"))


async def test_a_person_begins_at_no_hop(world: Sent) -> None:
    world.arm(on())
    await world.send()
    assert (world.began[0].hops, world.began[0].outside) == (0, ())


async def test_a_program_sends_so_many_at_once_and_then_so_many_a_second(world: Sent) -> None:
    for seq in range(BURST):
        await world.tells(seq=seq)
    assert (await world.refused(seq=BURST))[1] == "rate"
    await world.tells(path="/p/other.py")
    world.seconds += 1
    for seq in range(int(RATE)):
        await world.tells(seq=BURST + 1 + seq)
    assert (await world.refused())[1] == "rate"


async def test_of_many_programs_the_one_that_sent_last_is_remembered(
    world: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "MOST_KNOWN", 2)
    for seq in range(BURST):
        await world.tells(seq=seq, path=f"/p/{seq % 2}.py")
    await world.tells(path="/p/third.py")
    assert len(world.sending._may_send) == 2


@pytest.mark.parametrize("name", ["", "Timer", "a b", "a..b", ".a", "a.", "a/b", "é", "a\n", "x" * 41, "a.b.c.d.e"])
async def test_what_can_be_no_name_is_refused(world: Sent, name: str) -> None:
    await world.refused(name)
    assert not world.happened()


async def test_what_is_no_json_or_too_large_is_refused(world: Sent) -> None:
    world.arm(on())
    for data in ("{", "nan", "[" * 100_000):
        await world.refused(data=data)
    assert (await world.refused(data=json.dumps("x" * (1 << 20))))[1] == "too_large"
    assert not world.happened()


async def test_where_too_much_waits_it_is_refused_and_not_half_taken(
    world: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentos.events.queue.MAX_WAITING", 1)
    world.arm(on())
    for seq in range(2):
        await world.tells(seq=seq)
    assert (await world.refused(seq=9))[1] == "queue_full"
    assert [each.run for each in world.happened()] == ["r7:0", "r7:1"]
    world.end()
    await world.tells(seq=9)
    world.end()
    world.end()
    assert world.events == ["r7:0", "r7:1", "r7:9"]
