"""The path of a call that is on record: answered from there, taken up where it was cut off, or the end of its run."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from agentos.home.records import Bounds, CallMade, CallSettled, Fault
from agentos.kernel.actor import Actor
from agentos.kernel.call import Call
from agentos.kernel.path import Path
from agentos.kernel.replay import Diverged, Recorded
from agentos.manifest.rules import Catalog
from agentos.v1 import capability_pb2, error_pb2
from agentos.v1 import files_pb2 as files
from tests.kernel.cases import at, grant
from tests.kernel.test_path import ALLOWED, NOTES, Claimed, Witness, acting, request

WRITE: Claimed = ("files.write", {"path": "notes/a", "text": "x"})
READ: Claimed = ("files.read", {"path": "notes/a"})


class Server(Witness):
    """A capability that can be asked what became of a call."""

    fate_: tuple[int, bytes] = (int(capability_pb2.FATE_UNSPECIFIED), b"")

    async def fate(self, call: Call, bounds: Bounds, lineage: str, since_ms: int) -> tuple[int, bytes]:
        self.order.append("fate")
        return self.fate_


def recorded(on: Witness) -> dict[int, Recorded]:
    """What is on record, as a kernel finds it that begins anew."""
    found: dict[int, Recorded] = {}
    for each in on.records:
        if isinstance(each, CallMade):
            found[each.seq] = Recorded(each)
        elif isinstance(each, CallSettled):
            found[each.seq] = Recorded(found[each.seq].made, each)
    return found


async def cut_off(catalog: Catalog, on: Witness, *calls: Claimed) -> tuple[Path, Actor]:
    """A run that made these calls, the last of which had no answer when it was cut off; and is played again."""
    path, actor = acting(catalog, on)
    for each in calls:
        await request(path, actor, each)
    on.records = [each for each in on.records if not (isinstance(each, CallSettled) and each.seq == len(calls))]
    on.order.clear()
    path, actor = acting(catalog, on)
    actor.past = recorded(on)
    return path, actor


async def test_what_is_on_record_is_answered_from_there_and_not_done_again(catalog: Catalog) -> None:
    on = Witness(*ALLOWED)
    path, actor = acting(catalog, on)
    first = [await request(path, actor, each) for each in (WRITE, READ, ("files.fly", {}))]
    on.order.clear()
    path, actor = acting(catalog, on)
    actor.past = recorded(on)
    assert [await request(path, actor, each) for each in (WRITE, READ, ("files.fly", {}))] == first
    assert on.order == []
    assert actor.seq == 3


@pytest.mark.parametrize("other", [("files.write", {"path": "notes/b", "text": "x"}), READ, ("files.fly", {})])
async def test_another_call_than_the_one_on_record_ends_the_run(catalog: Catalog, other: Claimed) -> None:
    on = Witness(*ALLOWED)
    path, actor = acting(catalog, on)
    await request(path, actor, WRITE)
    on.order.clear()
    path, actor = acting(catalog, on)
    actor.past = recorded(on)
    with pytest.raises(Diverged) as diverged:
        await request(path, actor, other)
    assert diverged.value.made.action == "files.write"
    assert on.order == []


async def test_a_read_that_was_cut_off_is_made_again_under_its_own_record(catalog: Catalog) -> None:
    on = Witness(grant("g1", "files.read", at(NOTES), uses=1))
    path, actor = await cut_off(catalog, on, READ)
    [said] = await request(path, actor, READ)
    assert "value" in said
    assert on.order == ["fate", "effect", "CallSettled"]
    assert on.table.held["g1"].uses == 1


async def test_what_happened_is_not_done_again_and_its_reply_is_what_was_found(catalog: Catalog) -> None:
    on = Server(*ALLOWED)
    path, actor = await cut_off(catalog, on, WRITE)
    entry = files.FileEntry(name="found", size=1)
    on.fate_ = (int(capability_pb2.FATE_HAPPENED), files.FilesWriteResponse(entry=entry).SerializeToString())
    [said] = await request(path, actor, WRITE)
    assert on.order == ["fate", "soon", "CallSettled"]
    assert "found" in str(said["value"])


async def test_what_nobody_can_tell_is_put_to_the_person_and_never_done_on_a_guess(catalog: Catalog) -> None:
    on = Server(*ALLOWED)
    path, actor = await cut_off(catalog, on, WRITE)
    asked = asyncio.Event()
    answer: asyncio.Future[Recorded] = asyncio.get_running_loop().create_future()

    async def settled(call: Call) -> Recorded:
        asked.set()
        return await answer

    actor.settled = settled
    waiting = asyncio.ensure_future(request(path, actor, WRITE))
    await asked.wait()
    assert on.order == ["fate"]
    made = next(each for each in on.records if isinstance(each, CallMade))
    happened = Fault(error_pb2.CODE_UNAVAILABLE, "it happened", detail="happened")
    answer.set_result(Recorded(made, CallSettled("r1", 1, 0, fault=happened)))
    [said] = await waiting
    assert said["error"] == {"code": "unavailable", "reason": "it happened", "hint": "", "detail": "happened"}
    assert "effect" not in on.order


async def test_what_the_person_says_did_not_happen_is_done_once(catalog: Catalog) -> None:
    on = Server(*ALLOWED)
    path, actor = await cut_off(catalog, on, WRITE)
    actor.past = {1: Recorded(actor.past[1].made, cleared=True)}
    assert "value" in (await request(path, actor, WRITE))[0]
    assert on.order == ["durable", "effect", "soon", "CallSettled"]


async def test_what_was_revoked_meanwhile_is_not_made_again(catalog: Catalog) -> None:
    on = Witness(*ALLOWED)
    path, actor = await cut_off(catalog, on, WRITE)
    on.table.held["g1"].revoked = True
    [said] = await request(path, actor, WRITE)
    assert isinstance(said["error"], dict)
    assert said["error"]["code"] == "denied"
    assert "effect" not in on.order


async def test_what_was_revoked_is_not_made_again_under_another_grant(catalog: Catalog) -> None:
    """The person allowed that call, and took it back: what else they allow is for calls that are made anew."""
    on = Witness(*ALLOWED)
    path, actor = await cut_off(catalog, on, WRITE)
    held = on.table.held["g1"]
    on.table.fold([msgspec.structs.replace(held.grant, id="g99")])
    held.revoked = True
    [said] = await request(path, actor, WRITE)
    assert isinstance(said["error"], dict)
    assert said["error"]["code"] == "denied"
    assert "effect" not in on.order


async def test_what_was_refused_stays_refused_though_it_is_allowed_by_now(catalog: Catalog) -> None:
    on = Witness()
    path, actor = acting(catalog, on)
    first = await request(path, actor, WRITE)
    on.table.fold(ALLOWED)
    on.order.clear()
    path, actor = acting(catalog, on)
    actor.past = recorded(on)
    assert await request(path, actor, WRITE) == first
    assert on.order == []


async def test_a_use_that_is_taken_up_again_is_the_one_that_was_reserved(catalog: Catalog) -> None:
    """One use, cut off in its middle: it is made again, and neither it nor another call can use it twice."""
    on = Witness(grant("g1", "files.read", at(NOTES), uses=1))
    path, actor = await cut_off(catalog, on, READ)
    said = [(await request(path, actor, READ))[0] for _ in range(2)]
    assert ["value" in each for each in said] == [True, False]
    assert on.order.count("effect") == 1


async def test_slots_of_a_request_are_recalled_one_by_one(catalog: Catalog) -> None:
    """Of three calls side by side one had its answer, one was on its way, and one is not on record."""
    on = Witness(*ALLOWED)
    path, actor = acting(catalog, on)
    await request(path, actor, READ, READ)
    on.records = [each for each in on.records if not (isinstance(each, CallSettled) and each.seq == 2)]
    on.order.clear()
    path, actor = acting(catalog, on)
    actor.past = recorded(on)
    said = await request(path, actor, READ, READ, READ)
    assert all("value" in each for each in said)
    assert on.order.count("effect") == 2


async def test_a_reply_that_was_kept_by_its_digest_alone_is_asked_for_again(catalog: Catalog) -> None:
    on = Witness(*ALLOWED)
    path, actor = await cut_off(catalog, on, READ)
    made = actor.past[1].made
    actor.past = {1: Recorded(made, CallSettled("r1", 1, 5, "sha256:" + "0" * 64))}
    assert "value" in (await request(path, actor, READ))[0]
    assert on.order == ["fate", "effect", "CallSettled"]
