"""What the pure tests of authority decide on: calls, lines and grants as one writes them down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentos.home.history import Record
from agentos.home.records import Bounds, CallMade, CallSettled, Denial, Fault, Grant, Terms
from agentos.kernel import call as calls
from agentos.kernel import wire
from agentos.kernel.call import Call
from agentos.kernel.decide import Case
from agentos.kernel.grants import Held, Standing
from agentos.manifest.lines import Limits, Manifest, ManifestLine
from agentos.manifest.rules import Catalog
from agentos.v1 import control_pb2 as pb

START, HOME, VAULT = "/home/me/work", "/home/me", "/home/me/.local/share/agentos"
WHO = Standing("r1", "links", "/home/me/work/links.py", "d1")


def at(*paths: str) -> Bounds:
    return (("path", paths),)


def call(catalog: Catalog, action: str, **args: object) -> Call:
    return calls.read(wire.Claim(action, dict(args)), WHO.run, 1, catalog, START, HOME)


def grant(name: str, action: str, bounds: Bounds, choice: int = pb.CHOICE_VERSION, **more: object) -> Grant:
    fields: dict[str, object] = {"digest": WHO.digest, "run": WHO.run, "path": WHO.path, "minted_ms": 0}
    terms = {name: more.pop(name) for name in ("until_ms", "call", "terminal") if name in more}
    fields |= {"program": WHO.program, "terms": Terms(choice, **terms)} | more  # type: ignore[arg-type]
    return Grant(id=name, action=action, bounds=bounds, **fields)  # type: ignore[arg-type]


def line(action: str, bounds: Bounds, ask_always: bool = False) -> ManifestLine:
    return ManifestLine(action, bounds, ask_always, "links.py:5", "notes/**")


def manifest(*lines: ManifestLine, present: bool = True) -> Manifest:
    return Manifest("links", lines, Limits(), present, "links.py")


def case(
    catalog: Catalog, made: Call, *lines: ManifestLine, held: Iterable[Grant] = (), denials: Sequence[Denial] = (),
    present: bool = True,
) -> Case:  # fmt: skip
    standing = [Held(each, spent={}) for each in held]
    return Case(made, WHO, manifest(*lines, present=present), standing, denials, catalog, (VAULT,))


def made(seq: int, under: str, run: str = "r1", amounts: tuple[tuple[str, int], ...] = ()) -> CallMade:
    return CallMade(
        run, seq, "files.read", "{}", (), "x", pb.CALL_DECISION_ALLOWED, at_ms=seq, amounts=amounts, grant=under
    )


def settled(seq: int, run: str = "r1", released: bool = False) -> CallSettled:
    return CallSettled(run, seq, 1, fault=Fault(1, "x") if released else None, released=released)


class Paper:
    """A ledger on paper: keeps what is recorded, and is durable at once."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._ids: dict[str, int] = {}
        self.refused: dict[str, bool] = {}

    def record(self, *records: Record) -> int:
        self.records += records
        return len(self.records)

    async def durable(self, seq: int) -> None:
        assert seq <= len(self.records)

    def soon(self) -> None:
        pass

    def next_id(self, letter: str) -> str:
        self._ids[letter] = self._ids.get(letter, 0) + 1
        return f"{letter}{self._ids[letter]}"
