"""call: a round trip from a program through the kernel, against the barest round trip of its kind."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from google.protobuf import struct_pb2 as pb

from agentos.v1 import files_pb2
from bench import calls, figures, processes
from bench.figures import Figure, Goal, Part, against, by_rounds, percentile
from bench.peers import disk
from bench.peers.echo import Echo, echo
from bench.peers.line import Line, line
from bench.person import Person

PROGRAM = Path(__file__).parent / "programs" / "call.py"
SIZE = 1024
ABOUT = "from inside the guest, end to end: the difference between a run of N calls and one of 2N"
ECHO, PAIR, DISK = "grpc.aio echo, Unix socket", "socketpair round trip", "the same write, bare"
THROUGH, OWN = 1.5, Goal(8.0)
# Not counted among the others, on either side: our cell is a new one in each round, and the peer is the same all along.
FIRST = 20
BEGINS = "in a new cell, while another is forked to take its place; the peer began long before"
SYNCED = "1 kB; it pays for three disk syncs: the records before it, the file, its folder"


@dataclass(frozen=True)
class Kind:
    """One call to measure: how many in a run, and the sizes of its messages; none for the kernel's own."""

    action: str
    count: int
    request_bytes: int = 0
    reply_bytes: int = 0
    note: str = ""


@dataclass
class Rounds:
    """What the rounds of one kind found, each list with one entry a round; microseconds a call."""

    ours: list[float] = field(default_factory=list)
    our_cpu: list[float] = field(default_factory=list)
    echo_cpu: list[float] = field(default_factory=list)
    peers: dict[str, list[float]] = field(default_factory=dict)
    # The kernel's own account of serving each call.
    served: list[float] = field(default_factory=list)


@dataclass
class Each:
    """Single calls of an echo, microseconds: through the kernel to a capability, and bare."""

    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)

    def add(self, ours: list[float], theirs: list[float]) -> None:
        self.ours += ours
        self.theirs += theirs

    def figure(self, name: str, percent: int, goal: float | None, note: str) -> Figure:
        ours, theirs = percentile(self.ours, percent), percentile(self.theirs, percent)
        return against(f"{name}, p{percent}", ours, theirs, "µs", ECHO, len(self.ours), goal, note)


async def measure(person: Person, quick: bool) -> Part:
    load = figures.load()
    rounds = 3 if quick else 15
    kinds = _kinds(_prepare(person), 60 if quick else 200)
    found: list[Figure] = []
    async with echo() as echoing:
        with line() as pair:
            await _first_time(person, kinds, echoing, pair)
            for kind in kinds:
                heard = Rounds()
                for _ in range(rounds):
                    await _round(person, kind, heard, echoing, pair)
                found += _figures(kind, heard)
        found = [*await _each(person, echoing, rounds, kinds[0].count), *found]
    return Part("call", ABOUT, load, tuple(found))


async def _each(person: Person, echoing: Echo, rounds: int, count: int) -> list[Figure]:
    """Each call timed on its own: the only way to a p99."""
    await calls.prepare(person, SIZE)
    around = pb.Value(string_value="x" * SIZE).ByteSize()
    first, then = Each(), Each()
    for _ in range(rounds):
        ours = await calls.each_us(person, FIRST + count, SIZE)
        theirs = await echoing.all_us(FIRST + count, around, around)
        first.add(ours[:FIRST], theirs[:FIRST])
        then.add(ours[FIRST:], theirs[FIRST:])
    return [
        *(then.figure("echo, a capability that does nothing else", each, THROUGH, calls.ABOUT) for each in (50, 99)),
        *(first.figure(f"echo, the first {FIRST} of a run", each, None, BEGINS) for each in (50, 99)),
    ]


def _prepare(person: Person) -> str:
    folder = person.folder / "calls"
    folder.mkdir(exist_ok=True)
    (folder / "kept.txt").write_text("x" * SIZE)
    return str(folder / "kept.txt")


def _kinds(path: str, count: int) -> tuple[Kind, ...]:
    """The sizes are those of the messages themselves, without what gRPC and the seal put around them."""
    text, version = "x" * SIZE, "0" * 24
    entry = files_pb2.FileEntry(name="kept.txt", size=SIZE, modified_ms=1 << 40, version=version)
    stat = files_pb2.FilesStatRequest(path=path), files_pb2.FilesStatResponse(entry=entry)
    kept = files_pb2.FilesReadResponse(text=text, size=SIZE, version=version)
    read = files_pb2.FilesReadRequest(path=path, as_text=True), kept
    write = files_pb2.FilesWriteRequest(path=path, text=text), files_pb2.FilesWriteResponse(entry=entry)
    return (
        Kind("files.stat", count, stat[0].ByteSize(), stat[1].ByteSize()),
        Kind("files.read", count, read[0].ByteSize(), read[1].ByteSize(), "1 kB"),
        Kind("files.write", count, write[0].ByteSize(), write[1].ByteSize(), SYNCED),
        Kind("clock.now", 5 * count, note="the kernel's own: no server and no grant, recorded like all"),
    )


async def _first_time(person: Person, kinds: tuple[Kind, ...], echoing: Echo, pair: Line) -> None:
    """Compile, grant, start the server for these folders, open the channels: none of it is measured."""
    for kind in (kinds[2], *kinds):
        await _run(person, kind, 20)
    await echoing.each_us(50, SIZE, SIZE)
    pair.each_us(50)


async def _run(person: Person, kind: Kind, count: int) -> tuple[float, float, str]:
    """From the program's first line to its end, in µs; the CPU of kernel and server meanwhile; the run's id."""
    await person.still()
    pids = [person.up.pid, *processes.servers(person.up.pid)]
    before = processes.cpu_us(pids)
    ran = await person.run(PROGRAM, {"what": kind.action, "count": count}, grant=True)
    if not ran.done or ran.result != count:
        sys.exit(f"{kind.action} failed: {ran.why}")
    took_us = ran.run.timings_us.ended - ran.run.timings_us.first_line
    return took_us, processes.cpu_us(pids) - before, ran.run.id


async def _round(person: Person, kind: Kind, heard: Rounds, echoing: Echo, pair: Line) -> None:
    once = await _run(person, kind, kind.count)
    for peer, measured in _peers(kind, person, heard, echoing, pair).items():
        heard.peers.setdefault(peer, []).append(await measured())
    twice = await _run(person, kind, 2 * kind.count)
    heard.ours.append((twice[0] - once[0]) / kind.count)
    heard.our_cpu.append((twice[1] - once[1]) / kind.count)
    heard.served += [call.duration_us for call in await person.calls(twice[2])]


def _peers(
    kind: Kind, person: Person, heard: Rounds, echoing: Echo, pair: Line
) -> dict[str, Callable[[], Awaitable[float]]]:
    async def echoed() -> float:
        pids = [os.getpid(), echoing.pid]
        before = processes.cpu_us(pids)
        each = await echoing.each_us(kind.count, kind.request_bytes, kind.reply_bytes)
        heard.echo_cpu.append((processes.cpu_us(pids) - before) / kind.count)
        return each

    async def paired() -> float:
        return pair.each_us(kind.count)

    async def written() -> float:
        return disk.each_us(person.folder, kind.count, SIZE)

    if not kind.request_bytes:
        return {PAIR: paired}
    return {ECHO: echoed, DISK: written} if kind.action == "files.write" else {ECHO: echoed}


def _figures(kind: Kind, heard: Rounds) -> list[Figure]:
    found = [by_rounds(kind.action, heard.ours, theirs, "µs", peer) for peer, theirs in heard.peers.items()]
    served = percentile(heard.served, 50), percentile(heard.served, 99)
    note = f"by its record, p99 {served[1]:,.0f} µs; {len(heard.ours)} rounds of {kind.count} and {2 * kind.count}"
    found.append(Figure(f"{kind.action}: of it, being served", served[0], "µs", len(heard.served), note=note))
    found[0] = replace(found[0], note=kind.note, goal=None if kind.request_bytes else OWN)
    cpu = f"{kind.action}: CPU of kernel and server"
    if heard.echo_cpu:
        found.append(by_rounds(cpu, heard.our_cpu, heard.echo_cpu, "µs", "CPU of both sides of the echo"))
    return found
