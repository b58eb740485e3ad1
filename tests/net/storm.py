"""Thousands of fetches that meet faults of all kinds, and the judge of each: programs in cells, a real net server.

Several programs ask side by side, a dozen at a time; each tells how each of its fetches ended. What it was told is
held against what its kind must end with, and against the record of the call, which knows how long it took.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from agentos.v1 import control_pb2 as pb
from tests.kernel.person import Person
from tests.net.internet import rebinds
from tests.net.kinds import KINDS, path
from tests.net.world import Names

ABREAST = 6
BATCH = 48
RARE = 0.1

SOURCE = """
from base64 import b64decode, b64encode
from zlib import crc32

from agentos.sdk import AgentError, clock, net, wire

def told(reply):
    if isinstance(reply, AgentError):
        return f"{reply.code} {reply.detail}".strip()
    body = b64decode(reply.get("body", ""))
    return f"{reply['status']} {len(body)} {crc32(body):08x}" + (" cut" if reply.get("cut") else "")

def asked(steps):
    \"\"\"All at once; those that come too fast are asked again, as they are told to.\"\"\"
    for step in steps:
        if step["body"]:
            step["args"]["body"] = b64encode(b"x" * step["body"]).decode()
    replies = wire.gather([("net.fetch", step["args"]) for step in steps])
    while fast := [at for at, reply in enumerate(replies) if getattr(reply, "detail", "") == "rate"]:
        clock.sleep(1000)
        for at, reply in zip(fast, wire.gather([("net.fetch", steps[at]["args"]) for at in fast])):
            replies[at] = reply
    return replies

def read_on(handle):
    got = 0
    try:
        while True:
            piece = wire.call("net.read", {"handle": handle})
            got += len(b64decode(piece.get("data", "")))
            if piece.get("end"):
                return f", read {got}, ended"
    except AgentError as error:
        return f", read {got}, {told(error)}"

def afterwards(step, reply):
    if step["then"] == "again":
        return ", " + told(asked([step])[0])
    if isinstance(reply, AgentError) or not reply.get("handle"):
        return ""
    if step["then"] == "read":
        return read_on(reply["handle"])
    if step["then"] == "close":
        net.close(reply["handle"])
        return ", closed"
    return "" if step["then"] == "leave" else ", and more to read"

def followed(step):
    try:
        return str(net.get(step["url"], timeout=step["args"]["timeout_ms"] / 1000).status)
    except AgentError as error:
        if error.detail != "rate":
            return f"{type(error).__name__} {error.detail}".strip()
    clock.sleep(1000)
    return followed(step)

def main(input):
    ends = {}
    steps = [step for step in input if step["then"] != "follow"]
    for at in range(0, len(steps), 12):
        some = steps[at:at + 12]
        for step, reply in zip(some, asked(some)):
            ends[step["n"]] = told(reply) + afterwards(step, reply)
    for step in input:
        if step["then"] == "follow":
            ends[step["n"]] = followed(step)
    return [ends[step["n"]] for step in input]
"""


@dataclass
class Tally:
    """What came of one kind: how often, how long its calls took, and what was wrong."""

    times_ms: list[float] = field(default_factory=list)
    count: int = 0
    wrong: list[str] = field(default_factory=list)


class Storm:
    """`fetch` makes so many fetches; `tallies` are of each kind so far."""

    def __init__(self, person: Person, names: Names, ports: Mapping[str, str], seed: int) -> None:
        self._person, self._names, self._ports = person, names, ports
        self._random = random.Random(seed)  # noqa: S311  (it is to come again with its seed)
        self._number = 0
        self.tallies: defaultdict[str, Tally] = defaultdict(Tally)

    def fetch(self, kinds: Sequence[str]) -> None:
        """Fetch each of these, in programs side by side."""
        batches = [kinds[at : at + BATCH] for at in range(0, len(kinds), BATCH)]
        with ThreadPoolExecutor(ABREAST) as pool:
            for judged in pool.map(self._batch, self._lanes(len(batches)), [self._steps(each) for each in batches]):
                for name, times_ms, wrong in judged:
                    tally = self.tallies[name]
                    tally.count += 1
                    tally.times_ms += times_ms
                    tally.wrong += wrong

    def some(self, count: int, without: str = "") -> list[str]:
        """So many kinds by chance."""
        weights = [0 if name == without else RARE if kind.rare else 1 for name, kind in KINDS.items()]
        return self._random.choices(list(KINDS), weights, k=count)

    def each(self, without: str = "") -> list[str]:
        """Every kind once, in any order."""
        kinds = [name for name in KINDS if name != without]
        self._random.shuffle(kinds)
        return kinds

    def _lanes(self, count: int) -> Iterator[str]:
        return (f"storm-{number % ABREAST}.py" for number in range(count))

    def _steps(self, kinds: Iterable[str]) -> list[dict[str, Any]]:
        return [self._step(name) for name in kinds]

    def _step(self, name: str) -> dict[str, Any]:
        kind = KINDS[name]
        self._number += 1
        host, port = kind.host.format(n=self._number), self._ports[kind.server]
        if kind.host != host:
            self._names.known[host] = rebinds()
        target = f"{path(name)}?n={self._number}"
        args = {"method": "GET", "scheme": kind.scheme, "host": host, "port": port, "path": target}
        return {
            "n": self._number, "kind": name, "then": kind.then, "body": kind.body, "url": f"{kind.scheme}://{host}:{port}{target}",
            "args": {**args, "timeout_ms": kind.timeout_ms, **kind.asks},
        }  # fmt: skip

    def _grants(self) -> str:
        hosts = sorted({kind.host.format(n="*") for kind in KINDS.values()} - {"evil.test"})
        bounds = {"host": hosts, "port": sorted(set(self._ports.values())), "scheme": ["http", "https"]}
        bounds |= {"method": ["GET", "HEAD", "POST"], "network": ["loopback"]}
        return f'"net.fetch" = {{ {", ".join(f"{name} = {json.dumps(each)}" for name, each in bounds.items())} }}'

    def _batch(self, lane: str, steps: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[float], list[str]]]:
        told = self._person.run(SOURCE, self._grants(), name=lane, limits='cpu = "60s"', input=json.dumps(steps))
        ends = told.result
        assert isinstance(ends, list)
        calls: defaultdict[str, list[pb.Call]] = defaultdict(list)
        for call in self._person.calls(told.id, "net.fetch"):
            if call.error.detail != "rate":
                calls[_number_of(call)].append(call)
        return [_judged(step, end, calls[str(step["n"])]) for step, end in zip(steps, ends, strict=True)]


def _number_of(call: pb.Call) -> str:
    targets = {each.name: each.value for each in call.targets}
    return targets.get("path", "").partition("n=")[2]


def _judged(step: Mapping[str, Any], end: str, calls: Sequence[pb.Call]) -> tuple[str, list[float], list[str]]:
    """The kind, how long each of its calls took, and what is wrong with it."""
    name = step["kind"]
    kind = KINDS[name]
    wrong = [] if end in kind.ends.split(" or ") else [f"ended as {end!r}, not {kind.ends!r}"]
    if not calls:
        wrong.append("its call is not in the record")
    times_ms = [call.duration_us / 1000 for call in calls]
    wrong += [f"took {took:.0f} ms" for took in times_ms if not kind.least_ms <= took <= kind.most_ms]
    return name, times_ms, wrong
