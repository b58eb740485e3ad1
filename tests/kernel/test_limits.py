"""What a run may fill on our side, without a guest: calls, requests, questions, output, its result, its time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import msgspec
import pytest

from agentos.home.history import RunBegan
from agentos.home.refusal import Refusal
from agentos.kernel import own
from agentos.kernel.actor import Actor
from agentos.kernel.call import Call, Failed
from agentos.kernel.cells.pool import Ending
from agentos.kernel.decide import Ask
from agentos.kernel.own import Powers
from agentos.kernel.path import MAX_QUESTIONS, Path
from agentos.kernel.programs import check_bytes
from agentos.manifest.lines import Limits, Manifest
from agentos.manifest.rules import Catalog
from agentos.runs import outcome
from agentos.runs.run import Run
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2, own_pb2
from tests.kernel.cases import HOME, START, VAULT, WHO, Paper, at, grant
from tests.kernel.test_path import Witness, nobody_settles, own_call

READ = grant("g1", "files.read", at("/home/me/work/**"))


class Guest:
    """A run that makes requests of the path, under these limits; `stopped` is why it was ended."""

    def __init__(self, catalog: Catalog, on: Witness, **limits: int) -> None:
        self.on = on
        self.asked: list[int] = []
        self.stopped: list[str] = []
        self._path = Path(catalog, on.table, on, on, Powers().unix_ms, (VAULT,))
        may = Manifest("links", (), Limits(**limits), False, "links.py")
        self._actor = Actor(
            WHO, may, START, HOME, own_call, self._ask, nobody_settles, lambda stream, text: None,
            lambda call, fault: None, self.stopped.append,
        )  # fmt: skip

    async def _ask(self, asking: Sequence[tuple[Call, Ask]]) -> set[str]:
        self.asked.append(len(asking))
        return {call.digest for call, _ in asking}

    async def says(self, request: str) -> dict[str, list[dict[str, dict[str, str]]]]:
        answer: dict[str, list[dict[str, dict[str, str]]]] = json.loads(await self._path.invoke(self._actor, request))
        return answer

    async def calls(self, action: str, **args: object) -> str:
        """The code of one call's error; empty where there is none."""
        said = await self.says(json.dumps({"calls": [{"action": action, "args": args}]}))
        [slot] = said["results"]
        return slot.get("error", {}).get("code", "")


async def test_a_run_makes_no_more_calls_than_it_may(catalog: Catalog) -> None:
    guest = Guest(catalog, Witness(READ), calls=3)
    assert [await guest.calls("files.read", path="a") for _ in range(5)] == ["", "", "", "limit", "limit"]
    assert guest.on.order.count("effect") == 3
    assert guest.stopped == []


async def test_who_does_not_heed_the_limit_of_calls_is_ended(catalog: Catalog) -> None:
    guest = Guest(catalog, Witness(READ), calls=1)
    for _ in range(102):
        await guest.calls("files.read", path="a")
    assert set(guest.stopped) == {"calls"}


async def test_requests_count_though_they_hold_no_call(catalog: Catalog) -> None:
    guest = Guest(catalog, Witness(), calls=1)
    for request in ("nonsense", "{}"):
        for _ in range(160):
            await guest.says(request)
    assert set(guest.stopped) == {"calls"}


async def test_a_run_asks_no_more_than_twenty_times(catalog: Catalog) -> None:
    guest = Guest(catalog, Witness())
    for number in range(MAX_QUESTIONS + 5):
        assert await guest.calls("files.read", path=str(number)) == "denied"
    assert guest.asked == [1] * MAX_QUESTIONS


async def test_nonsense_fills_no_journal(catalog: Catalog) -> None:
    guest = Guest(catalog, Witness())
    for _ in range(300):
        assert await guest.calls("files.fly") == "invalid"
    assert guest.on.order[:2] == ["CallMade", "CallMade"]
    assert guest.on.order.count("CallMade") == 100


def run_of(**limits: int) -> Run:
    began = RunBegan("r1", "links", WHO.path, WHO.digest, START, HOME, (), "", 0)
    return Run(began, pb.RunRequest(), Manifest("links", (), Limits(**limits), False, "links.py"), WHO, Paper().durable)


async def test_output_is_kept_up_to_its_limit() -> None:
    run = run_of(output_bytes=10)
    for text in ("12345", "678é", "9", "x" * 100, "y"):
        run.printed(1, text)
    assert run.output.decode() == "12345678é"
    assert run.output_cut


async def test_the_wall_clock_ends_a_run_and_stands_while_a_person_is_asked() -> None:
    asked, spent = run_of(wall_ms=50), run_of(wall_ms=50)
    for run in (asked, spent):
        run.clock(True)
    asked.clock(False)
    for _ in range(1000):
        if not spent.stopped:
            await asyncio.sleep(0.005)
    assert (spent.stopped, asked.stopped) == ("wall", "")


def test_a_result_has_a_limit() -> None:
    for size, status in ((outcome.MAX_RESULT, pb.RUN_STATUS_DONE), (outcome.MAX_RESULT + 1, pb.RUN_STATUS_LIMIT)):
        end = msgspec.json.encode({"status": "done", "result": "x" * (size - 2)}).decode()
        assert outcome.of(Ending("returned", end), "")[0] == status


@pytest.mark.parametrize("content", [b"x" * ((1 << 20) + 1), b"\0asm" + bytes(64 << 20)])
def test_a_program_has_a_size(content: bytes) -> None:
    check_bytes(pb.Source(path="/p", content=content[:-5]))
    with pytest.raises(Refusal):
        check_bytes(pb.Source(path="/p", content=content))


@pytest.mark.parametrize(
    "request_",
    [
        own_pb2.ClockSleepRequest(ms=-1), own_pb2.ClockSleepRequest(ms=own.YEAR_MS + 1),
        own_pb2.RandomBytesRequest(count=0), own_pb2.RandomBytesRequest(count=own.MAX_RANDOM + 1),
    ],
)  # fmt: skip
async def test_the_kernels_own_calls_have_limits(
    request_: own_pb2.ClockSleepRequest | own_pb2.RandomBytesRequest,
) -> None:
    async def nobody(text: str) -> None:
        return None

    async def no_time(seconds: float) -> None:
        return None

    powers = Powers(sleep=no_time, entropy=lambda count: b"x")
    with pytest.raises(Failed) as refused:
        await own.serve(request_, powers, 0, nobody, powers.unix_ms(), part=False)
    assert refused.value.fault.code == error_pb2.CODE_INVALID
