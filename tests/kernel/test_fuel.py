"""What the cells of a tree used together, looked at when the test says so; how a real tree ends is in test_children."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import msgspec

from agentos.home.history import RunBegan
from agentos.kernel.cells.pool import Cell
from agentos.kernel.grants import Standing
from agentos.kernel.ledger import Past, parent
from agentos.manifest.lines import Limits, Manifest
from agentos.runs.fuel import Fuel
from agentos.runs.run import Run
from agentos.v1 import control_pb2 as pb

LIMIT_S = 10
LIMITS = Limits(cpu_ms=LIMIT_S * 1000)


class Account:
    """What a cell says of its processor time."""

    def __init__(self, seconds: float) -> None:
        self.cpu_s = seconds
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def kill(self) -> None:
        pass

    def close(self) -> None:
        pass


class World:
    def __init__(self) -> None:
        self.active: dict[str, Run] = {}
        self.past: dict[str, Past] = {}
        self.open: dict[str, int] = {}
        self.limits: dict[str, Limits] = {}
        self.fuel = Fuel(self.active, self.open, self.past.get)

    def plays(self, name: str, seconds: float, limits: Limits = LIMITS) -> Account:
        """A run is in a cell that has used so much."""
        if name not in self.active:
            above = self.limits.get(parent(name), LIMITS)
            within = msgspec.structs.astuple(above) if parent(name) else ()
            began = RunBegan(name, "p", "/p.py", "0" * 64, "/", "/", (), "", 0, int(pb.ASK_DENY), within=within)
            manifest = Manifest("p", (), limits, True, "/p.py")
            who = Standing("p", "/p.py", "0" * 64, name)
            self.past[name], self.open[name], self.limits[name] = Past(began), 0, limits
            self.active[name] = Run(began, pb.RunRequest(), manifest, who, cast(Callable[..., object], None))  # type: ignore[arg-type]
        account = Account(seconds)
        self.active[name].cell = cast(Cell, account)
        self.fuel.burns(self.active[name], cast(Cell, account))
        return account

    async def over(self, name: str, account: Account) -> None:
        """Its cell ended, and so did the run."""
        del self.open[name]
        await self.away(name, account)

    async def away(self, name: str, account: Account) -> None:
        """It leaves its cell, and memory."""
        self.active.pop(name).cell = None
        account.ended.set_result(0)
        await asyncio.sleep(0)

    def stopped(self) -> list[str]:
        self.fuel._look()
        return [name for name, run in self.active.items() if run.stopped]


async def test_a_run_and_those_below_it_use_its_limit_together() -> None:
    world = World()
    world.plays("r1", 1)
    below = [world.plays(name, 3) for name in ("r1.1", "r1.2", "r1.2.1")]
    world.plays("r2", 9)
    world.plays("r2.1", 0.5)
    assert world.stopped() == []
    below[2].cpu_s = 3.5
    assert world.stopped() == ["r1", "r1.1", "r1.2", "r1.2.1"]


async def test_a_child_shares_its_own_limit_with_those_below_it() -> None:
    world = World()
    world.plays("r1", 0)
    world.plays("r1.1", 1, Limits(cpu_ms=2_000))
    world.plays("r1.1.4", 1.5)
    assert world.stopped() == ["r1.1", "r1.1.4"]


async def test_what_a_child_that_is_over_has_used_is_its_parents() -> None:
    world = World()
    parent = world.plays("r1", 1)
    for number in range(3):
        await world.over(f"r1.{number}", world.plays(f"r1.{number}", 2.9))
        assert world.stopped() == []
    parent.cpu_s = 2
    assert world.stopped() == ["r1"]


async def test_a_run_that_is_away_shares_its_limit_with_those_below_it() -> None:
    world = World()
    await world.away("r1", world.plays("r1", 1))
    for number in range(3):
        await world.away(f"r1.{number}", world.plays(f"r1.{number}", 0))
    below = [world.plays(f"r1.{number}.1", 2.9) for number in range(3)]
    assert world.stopped() == []
    below[0].cpu_s = 3.5
    assert world.stopped() == ["r1.0.1", "r1.1.1", "r1.2.1"]


async def test_the_limit_of_a_run_that_was_away_when_the_kernel_began_is_known_by_those_between() -> None:
    world = World()
    for name in ("r1", "r1.1", "r1.2"):
        await world.away(name, world.plays(name, 0))
    world.fuel = Fuel(world.active, world.open, world.past.get)
    for name in ("r1.1.1", "r1.2.1"):
        world.plays(name, 6)
    assert world.stopped() == ["r1.1.1", "r1.2.1"]


async def test_what_those_below_a_run_have_used_stays_its_own_while_it_is_away() -> None:
    world = World()
    world.plays("r1", 0)
    await world.away("r1.1", world.plays("r1.1", 0, Limits(cpu_ms=2_000)))
    for number in range(3):
        await world.over(f"r1.1.{number}", world.plays(f"r1.1.{number}", 0.9))
        assert world.stopped() == []
        assert world.stopped() == []
    world.plays("r1.1.4", 0)
    assert world.stopped() == ["r1.1.4"]


async def test_a_tree_of_which_no_run_is_in_a_cell_begins_anew() -> None:
    world = World()
    parent = world.plays("r1", 1)
    await world.over("r1.1", world.plays("r1.1", 8))
    parent.ended.set_result(0)
    world.active["r1"].cell = None  # it waits
    assert world.stopped() == []
    world.plays("r1", 9)
    world.plays("r1.2", 0.9)
    assert world.stopped() == []


async def test_a_run_that_continues_as_new_begins_anew() -> None:
    world = World()
    world.plays("r1", 1)
    await world.over("r1.1", world.plays("r1.1", 8))
    assert world.stopped() == []
    world.fuel.renew(world.active["r1"])
    world.plays("r1.2", 8)
    assert world.stopped() == []


async def test_a_run_alone_is_held_to_its_limit_by_its_cell() -> None:
    world = World()
    for _ in range(3):
        account = world.plays("r1", 9)
        account.ended.set_result(0)
        await asyncio.sleep(0)
    assert world.stopped() == []
