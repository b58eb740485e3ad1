"""By which code and word whoever sends events, arms programs or turns triggers, learns that it cannot be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from agentos.events import arming
from agentos.events.dispatch import MAX_ID, Dispatch
from agentos.events.queue import MAX_DATA
from agentos.home.refusal import Refusal
from agentos.manifest.trigger import Trigger
from agentos.v1 import error_pb2
from tests.events.test_queue import World, on, world

__all__ = ["world"]
INVALID, LIMIT, NOT_FOUND = error_pb2.CODE_INVALID, error_pb2.CODE_LIMIT, error_pb2.CODE_NOT_FOUND


@pytest.mark.parametrize(
    ("ask", "code", "detail"),
    [
        (lambda on: on.send("No", "null", ""), INVALID, ""),
        (lambda on: on.send("a", "null", "x" * (MAX_ID + 1)), INVALID, ""),
        (lambda on: on.send("a", '"' + "x" * MAX_DATA + '"', ""), LIMIT, "too_large"),
        (lambda on: on.send("a", "{", ""), INVALID, ""),
        (lambda on: on.fire("t9"), NOT_FOUND, ""),
        (lambda on: on.replay("e9"), NOT_FOUND, ""),
        (lambda on: on.switch("t9", True), NOT_FOUND, ""),
    ],
    ids=["name", "id", "size", "no JSON", "fire", "replay", "switch"],
)
async def test_what_cannot_be_is_refused_by_its_code(
    world: World, ask: Callable[[Dispatch], Awaitable[object]], code: int, detail: str
) -> None:
    with pytest.raises(Refusal) as told:
        await ask(world.dispatch)
    assert (told.value.fault.code, told.value.fault.detail) == (code, detail)


@pytest.mark.parametrize(
    ("rules", "code"),
    [((), INVALID), ((Trigger("timer.at", at="2020-01-01T00:00:00+00:00"),), INVALID), ((on("a"), on("b")), LIMIT)],
    ids=["nothing", "past", "many"],
)
async def test_what_cannot_be_armed_is_refused_by_its_code(
    world: World, rules: tuple[Trigger, ...], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arming, "MAX_TRIGGERS", 1)
    with pytest.raises(Refusal) as told:
        world.arm(*rules)
    assert (told.value.fault.code, told.value.fault.detail) == (code, "")
