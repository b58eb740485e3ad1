"""The order of things on the path of a call: what is on disk before what is done, and before the person is asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

import msgspec
import pytest
from google.protobuf.message import Message

from agentos.home.history import Record
from agentos.home.records import Bounds, CallMade, CallSettled, Fault, Grant, Targets
from agentos.kernel import own
from agentos.kernel.actor import CALLS_BEYOND_LIMIT, Actor
from agentos.kernel.call import Call, Failed
from agentos.kernel.grants import Table
from agentos.kernel.own import Powers
from agentos.kernel.path import MAX_QUESTIONS, Path
from agentos.kernel.replay import Recorded
from agentos.manifest.lines import Limits
from agentos.manifest.rules import Catalog
from agentos.v1 import capability_pb2, error_pb2
from tests.kernel.cases import HOME, START, VAULT, WHO, Paper, at, grant, manifest

NOTES = "/home/me/work/notes/**"
ALLOWED = grant("g1", "files.write", at(NOTES)), grant("g2", "files.read", at(NOTES))


class Witness(Paper):
    """A ledger and a capability that note in which order they were asked."""

    def __init__(self, *granted: Grant) -> None:
        super().__init__()
        self.table = Table()
        self.table.fold(granted)
        self.order: list[str] = []
        self.waited_for: list[int] = []
        # Of each refusal that was told: up to which record it is told when that is on disk.
        self.refusals: list[int] = []
        self.fails: Failed | None = None

    def record(self, *records: Record) -> int:
        self.order += [type(record).__name__ for record in records]
        self.table.fold(records)
        return super().record(*records)

    async def durable(self, seq: int) -> None:
        await super().durable(seq)
        self.order.append("durable")
        self.waited_for.append(seq)

    def soon(self) -> None:
        self.order.append("soon")

    async def call(self, call: Call, bounds: Bounds, lineage: str, since_ms: int) -> bytes:
        self.order.append("effect")
        if self.fails:
            raise self.fails
        return call.rule.response().SerializeToString()

    async def fate(self, call: Call, bounds: Bounds, lineage: str, since_ms: int) -> tuple[int, bytes]:
        self.order.append("fate")
        return capability_pb2.FATE_DID_NOT, b""

    async def prepare(self, call: Call, bounds: Bounds, lineage: str) -> Targets:
        self.order.append("prepare")
        return ()


async def own_call(call: Call, asked_ms: int) -> Message:
    async def read_line(text: str) -> None:
        return None

    return await own.serve(call.request, Powers(), 0, read_line, asked_ms, part=False)


async def nobody_settles(call: Call) -> Recorded:
    raise AssertionError("nothing is unknown here")


Claimed = tuple[str, Mapping[str, object]]


def acting(catalog: Catalog, on: Witness) -> tuple[Path, Actor]:
    """The path of a call, and a run without a manifest that comes along it."""

    async def ask(asking: object) -> None:
        on.order.append("ask")

    def refused(call: Call, fault: Fault) -> None:
        on.refusals.append(actor.heard_at)

    path = Path(catalog, on.table, on, on, Powers().unix_ms, (VAULT,))
    actor = Actor(
        WHO, manifest(present=False), START, HOME, own_call, ask, nobody_settles, lambda stream, text: None,
        refused, lambda why: None,
    )  # fmt: skip
    return path, actor


async def invoke(catalog: Catalog, on: Witness, *calls: Claimed, times: int = 1) -> list[dict[str, object]]:
    """What the calls of one request are told, the last of some times that it is made."""
    path, actor = acting(catalog, on)
    for _ in range(times - 1):
        await request(path, actor, *calls)
    return await request(path, actor, *calls)


async def request(path: Path, actor: Actor, *calls: Claimed) -> list[dict[str, object]]:
    made = {"calls": [{"action": action, "args": args} for action, args in calls]}
    results: list[dict[str, object]] = json.loads(await path.invoke(actor, json.dumps(made)))["results"]
    return results


async def test_a_change_is_on_disk_before_it_is_made_and_its_reply_soon_after(catalog: Catalog) -> None:
    on = Witness(*ALLOWED)
    [said] = await invoke(catalog, on, ("files.write", {"path": "notes/a", "text": "x"}))
    assert "value" in said
    assert on.order == ["CallMade", "durable", "effect", "soon", "CallSettled"]


async def test_a_change_is_made_when_all_that_the_program_had_heard_is_on_disk(catalog: Catalog) -> None:
    on = Witness(*ALLOWED)
    path, actor = acting(catalog, on)
    await request(path, actor, ("files.read", {"path": "notes/a"}))
    await request(path, actor, ("files.write", {"path": "notes/a", "text": "x"}))
    heard = actor.heard_at
    await request(path, actor, ("files.write", {"path": "notes/a", "text": "y"}))
    assert on.order[-4:] == ["durable", "effect", "soon", "CallSettled"]
    assert isinstance(on.records[heard - 1], CallSettled)
    assert on.waited_for == [3, heard + 1], "records 1 and 2 are the read, 3 and 4 the change, 5 the next one"


async def test_the_person_is_asked_when_all_that_the_program_had_heard_is_on_disk(catalog: Catalog) -> None:
    on = Witness(*ALLOWED)
    path, actor = acting(catalog, on)
    await request(path, actor, ("files.read", {"path": "notes/a"}))
    await request(path, actor, ("files.read", {"path": "other/a"}))
    assert on.order[:5] == ["CallMade", "effect", "CallSettled", "durable", "ask"]
    assert on.waited_for == [2]


async def test_a_read_is_recorded_in_order_and_waits_for_no_disk(catalog: Catalog) -> None:
    on = Witness(*ALLOWED)
    await invoke(catalog, on, ("files.read", {"path": "notes/a"}))
    assert on.order == ["CallMade", "effect", "CallSettled"]


@pytest.mark.parametrize(("released", "left"), [(True, 1), (False, 0)])
async def test_a_use_comes_back_only_if_nothing_can_have_happened(catalog: Catalog, released: bool, left: int) -> None:
    on = Witness(grant("g1", "files.write", at(NOTES), uses=1))
    on.fails = Failed(Fault(error_pb2.CODE_UNAVAILABLE, "it is gone", detail="interrupted"), released)
    [said] = await invoke(catalog, on, ("files.write", {"path": "notes/a", "text": "x"}))
    assert said["error"] == {"code": "unavailable", "reason": "it is gone", "hint": "", "detail": "interrupted"}
    assert on.table.held["g1"].uses_left == left


async def test_slots_of_one_request_cannot_overdraw_a_use(catalog: Catalog) -> None:
    on = Witness(grant("g1", "files.read", at(NOTES), uses=1))
    said = await invoke(catalog, on, *[("files.read", {"path": "notes/a"})] * 50)
    assert len([each for each in said if "value" in each]) == on.order.count("effect") == 1


async def test_what_is_refused_is_recorded_with_its_reason_and_has_no_effect(catalog: Catalog) -> None:
    on = Witness(*ALLOWED)
    bad: list[tuple[str, dict[str, object]]] = [
        ("files.read", {"path": VAULT}), ("files.trash", {"path": "notes/a"}), ("files.fly", {}), ("files.read", {}),
    ]  # fmt: skip
    said = await invoke(catalog, on, *bad)
    assert all("error" in each for each in said)
    assert on.order == [*["CallMade"] * 3, "durable", "ask", "CallMade"]
    assert on.refusals == [3, 4], "each is told as resting on its own record; 1 and 2 are no calls"
    for record in on.records:
        assert isinstance(record, CallMade)
        assert record.fault is not None
        assert record.fault.reason


async def test_what_a_call_would_touch_is_not_looked_at_before_it_may_be(catalog: Catalog) -> None:
    on = Witness(*ALLOWED)
    await invoke(catalog, on, ("files.move", {"path": VAULT, "to": "notes/a"}))
    assert "prepare" not in on.order


async def test_where_nobody_is_there_to_ask_each_call_is_told_so(catalog: Catalog) -> None:
    said = await invoke(catalog, Witness(), *[("files.read", {"path": "notes/a"})] * 3, times=30)
    reasons = {str(error["reason"]) for each in said if isinstance(error := each["error"], dict)}
    assert reasons == {"nobody was there to ask"}


async def test_an_answer_that_is_no_message_is_a_failure_that_keeps_the_use(catalog: Catalog) -> None:
    class Nonsense(Witness):
        async def call(self, call: Call, bounds: Bounds, lineage: str, since_ms: int) -> bytes:
            return b"\xff\xff\xff"

    on = Nonsense(grant("g1", "files.read", at(NOTES), uses=1))
    [said] = await invoke(catalog, on, ("files.read", {"path": "notes/a"}))
    assert said["error"] == told("unavailable", "files answered nonsense")
    assert isinstance(on.records[-1], CallSettled)
    assert on.table.held["g1"].uses_left == 0


# ---- by which code and word a program learns that a call was refused, or cut off


def told(code: str, reason: str, hint: str = "", detail: str = "") -> dict[str, str]:
    return {"code": code, "reason": reason, "hint": hint, "detail": detail}


async def refused(path: Path, actor: Actor, file: str) -> object:
    [said] = await request(path, actor, ("files.read", {"path": file}))
    return said["error"]


async def test_where_nobody_is_there_to_ask_approval_is_needed_and_the_hint_says_where_it_can_be_had(
    catalog: Catalog,
) -> None:
    hint = "run it where you can answer, or with --ask wait and answer with: agentos inbox"
    error = await refused(*acting(catalog, Witness()), "notes/a")
    assert error == told("needs_approval", "nobody was there to ask", hint)


async def test_who_asks_too_often_is_told_so_and_not_that_the_person_said_no(catalog: Catalog) -> None:
    async def no(asking: object) -> set[str]:
        return set()

    path, actor = acting(catalog, Witness())
    actor.ask = no
    for number in range(MAX_QUESTIONS):
        error = await refused(path, actor, f"notes/{number}")
        assert error == told("denied", "the person said no", "it is not asked again in this run")
    often = told(
        "denied", "it asked more than 20 times in one run", "allow a folder or a whole line instead of single calls"
    )
    assert await refused(path, actor, "notes/another") == often


async def test_a_call_beyond_the_limit_is_one_of_too_many_and_who_goes_on_is_ended(catalog: Catalog) -> None:
    ended = list[str]()
    path, actor = acting(catalog, Witness(*ALLOWED))
    actor.stop = ended.append
    actor.manifest = msgspec.structs.replace(actor.manifest, limits=Limits(calls=2))
    over = told("limit", "more than 2 calls in one run", "raise limits = { calls = … } in the manifest")
    for _ in range(2):
        [said] = await request(path, actor, ("files.read", {"path": "notes/a"}))
        assert "value" in said
    for _ in range(CALLS_BEYOND_LIMIT):
        assert await refused(path, actor, "notes/a") == over
    assert ended == []
    assert await refused(path, actor, "notes/a") == over
    assert ended == ["calls"]


async def test_a_call_that_the_end_of_its_run_cuts_off_is_on_record_as_interrupted(catalog: Catalog) -> None:
    class Waiting(Witness):
        async def call(self, call: Call, bounds: Bounds, lineage: str, since_ms: int) -> bytes:
            asyncio.get_running_loop().call_soon(under_way.cancel)
            await asyncio.Event().wait()
            raise AssertionError

    on = Waiting(*ALLOWED)
    under_way = asyncio.ensure_future(request(*acting(catalog, on), ("files.read", {"path": "notes/a"})))
    with pytest.raises(asyncio.CancelledError):
        await under_way
    cut = Fault(error_pb2.CODE_UNAVAILABLE, "the run ended while this was under way", "", "interrupted")
    last = on.records[-1]
    assert isinstance(last, CallSettled)
    assert (last.fault, last.released) == (cut, False)
