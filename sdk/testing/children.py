"""Children in the kit: each runs in this process, after what its parent gives it was checked as the kernel does it.

A child runs when it is joined: what it does then is the same in every test. One that nobody joins has done nothing when
its parent ends, which cancels it; under a kernel it may have come some way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentos.sdk.errors import AgentError, Denied, LimitExceeded, NotFound
from agentos.sdk.testing.lending import checked_input, lend
from agentos.sdk.testing.own import Clock
from agentos.sdk.testing.rules import Grant, Rules
from agentos.sdk.testing.run import Run
from agentos.v1 import own_pb2 as pb
from agentos.v1.names import BadName
from agentos.v1.paths import canonical_path

Bounds = Mapping[str, Sequence[str]]
DEPTH, WIDTH, TREE = 4, 32, 128
BURST, RATE = 32, 8.0


@dataclass
class Begun:
    """A child that was started, and how it ended."""

    program: Any
    input: Any
    grants: list[Grant]
    end: Run | None = None


@dataclass
class Tree:
    """A run and all below it, by the name of each."""

    clock: Clock
    at_ms: int
    left: float = BURST
    begun: dict[str, Begun] = field(default_factory=dict)

    @property
    def under_way(self) -> list[str]:
        return [run for run, each in self.begun.items() if each.end is None]

    def check_room(self, run: str) -> None:
        if run.count(".") >= DEPTH:
            raise _limit(f"a child is at most {DEPTH} levels below the run that a person or an event started", "depth")
        if sum(_parent(each) == run for each in self.under_way) >= WIDTH:
            raise _limit(f"a run has at most {WIDTH} children at once", "width")
        if len(self.under_way) >= TREE:
            raise _limit(f"a run and all below it are at most {TREE} at once", "width")
        now = self.clock.unix_ms
        self.left, self.at_ms = min(self.left + (now - self.at_ms) / 1000 * RATE, BURST), now
        if self.left < 1:
            raise _limit(f"a tree of runs starts at most {RATE:.0f} children a second", "rate")
        self.left -= 1

    def end(self, run: str) -> None:
        """End a run's children that are not over, with all below them."""
        for each in self.under_way:
            if each.startswith(f"{run}."):
                self.begun[each].end = CANCELLED


CANCELLED = Run("cancelled")


@dataclass(frozen=True)
class Children:
    """Those of one run. `known` are the programs it may start; `play` runs one: its file, its run's name, the child."""

    run: str
    tree: Tree
    rules: Rules
    known: Mapping[str, Any]
    folders: tuple[str, str]
    number: Callable[[], int]
    play: Callable[[str, Path, Begun], Run]

    def spawn(self, request: pb.ChildrenSpawnRequest, bounds: Bounds) -> pb.ChildrenSpawnResponse:
        program = self._program(request.program)
        grants = lend(request.grants, self.rules, self.run, *self.folders)
        given = checked_input(request.input)
        self.tree.check_room(self.run)
        child = f"{self.run}.{self.number()}"
        self.tree.begun[child] = Begun(program, given, grants)
        return pb.ChildrenSpawnResponse(run=child)

    def join(self, request: pb.ChildrenJoinRequest, bounds: Bounds) -> pb.ChildrenJoinResponse:
        child = self._own(request.run)
        if child.end is None:
            child.end = self._played(request.run, child)
            self.tree.end(request.run)
        end, error = child.end, child.end.error
        reply = pb.ChildrenJoinResponse(status=end.status, result=json.dumps(end.result))
        if isinstance(error, AgentError):
            reply.reason, reply.hint = error.reason, error.hint
        elif error is not None:
            reply.reason = f"{type(error).__name__}: {error}".rstrip(": ")
        elif end.status == "cancelled":
            reply.reason = "cancelled"
        return reply

    def cancel(self, request: pb.ChildrenCancelRequest, bounds: Bounds) -> pb.ChildrenCancelResponse:
        child = self._own(request.run)
        child.end = child.end or CANCELLED
        return pb.ChildrenCancelResponse()

    def _program(self, name: str) -> Any:
        for known, program in self.known.items():
            if name == known or (self._path(name) and self._path(name) == self._path(known)):
                return program
        reason, hint = "no version of that program was allowed to run", "name it: Kit(children={…: Path(…)})"
        raise Denied(reason, hint, "unapproved")

    def _path(self, name: str) -> str:
        try:
            return canonical_path(name, *self.folders)
        except BadName:
            return ""

    def _own(self, run: str) -> Begun:
        if _parent(run) != self.run or run not in self.tree.begun:
            raise NotFound("this run has no such child", "children.spawn returns what is joined")
        return self.tree.begun[run]

    def _played(self, run: str, child: Begun) -> Run:
        match child.program:
            case Path():
                return self.play(run, child.program, child)
            case Run():
                return child.program
            case result:
                return Run("done", result)


def _parent(run: str) -> str:
    return run.rpartition(".")[0]


def _limit(reason: str, detail: str) -> LimitExceeded:
    return LimitExceeded(reason, "join those that there are first", detail)
