"""call: a round trip from a program through the kernel, against the barest round trip of its kind."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from agentos.v1 import files_pb2
from bench import figures
from bench.figures import Figure, Part, by_rounds, percentile
from bench.peers import disk
from bench.peers.echo import Echo, echo
from bench.peers.line import Line, line
from bench.person import Person

PROGRAM = Path(__file__).parent / "programs" / "call.py"
SIZE = 1024
ABOUT = "from inside the guest, end to end: the difference between a run of N calls and one of 2N"
ECHO, PAIR, DISK = "grpc.aio echo, Unix socket", "socketpair round trip", "the same write, bare"


@dataclass(frozen=True)
class Kind:
    """One call to measure: how many in a run, and the sizes of its messages."""

    action: str
    count: int
    request_bytes: int = 0
    reply_bytes: int = 0
    note: str = ""


async def measure(person: Person, quick: bool) -> Part:
    load = figures.load()
    path = _prepare(person)
    rounds = 3 if quick else 15
    kinds = _kinds(path, 60 if quick else 200)
    found: list[Figure] = []
    async with echo() as echoing:
        with line() as pair:
            await _first_time(person, kinds, echoing, pair)
            for kind in kinds:
                found += await _of_kind(person, kind, rounds, echoing, pair)
    return Part("call", ABOUT, load, tuple(found))


def _prepare(person: Person) -> str:
    folder = person.folder / "calls"
    folder.mkdir(exist_ok=True)
    (folder / "kept.txt").write_text("x" * SIZE)
    return str(folder / "kept.txt")


def _kinds(path: str, count: int) -> tuple[Kind, ...]:
    """The sizes are those of the messages themselves, without what gRPC and the seal put around them."""
    entry = files_pb2.FileEntry(name="kept.txt", size=SIZE, modified_ms=1 << 40, version="0" * 24)
    stat = files_pb2.FilesStatRequest(path=path), files_pb2.FilesStatResponse(entry=entry)
    text = "x" * SIZE
    read = (
        files_pb2.FilesReadRequest(path=path, as_text=True),
        files_pb2.FilesReadResponse(text=text, size=SIZE, version="0" * 24),
    )
    write = files_pb2.FilesWriteRequest(path=path, text=text), files_pb2.FilesWriteResponse(entry=entry)
    synced = "pays for disk syncs: the record before it, the file, its folder, the record after it"
    return (
        Kind("files.stat", count, stat[0].ByteSize(), stat[1].ByteSize()),
        Kind("files.read", count, read[0].ByteSize(), read[1].ByteSize(), "1 kB"),
        Kind("files.write", count, write[0].ByteSize(), write[1].ByteSize(), f"1 kB; {synced}"),
        Kind("clock.now", 5 * count, note="the kernel's own: no server, no grant, recorded like all"),
    )


async def _first_time(person: Person, kinds: tuple[Kind, ...], echoing: Echo, pair: Line) -> None:
    """Compile, grant, start the server for these folders, open the channels: none of it is measured."""
    for kind in (kinds[2], *kinds):
        await _run(person, kind, 20)
    await echoing.each_us(50, SIZE, SIZE)
    pair.each_us(50)


async def _run(person: Person, kind: Kind, count: int) -> tuple[float, str]:
    """How long the program took from its first line to its end, in microseconds, and the run's id."""
    await person.still()
    ran = await person.run(PROGRAM, {"what": kind.action, "count": count}, grant=True)
    if not ran.done or ran.result != count:
        sys.exit(f"{kind.action} failed: {ran.why}")
    return ran.run.timings_us.ended - ran.run.timings_us.first_line, ran.run.id


async def _of_kind(person: Person, kind: Kind, rounds: int, echoing: Echo, pair: Line) -> list[Figure]:
    ours: list[float] = []
    peers: dict[str, list[float]] = {}
    inside: list[float] = []
    for _ in range(rounds):
        once, _ = await _run(person, kind, kind.count)
        for name, each in (await _peers(kind, person, echoing, pair)).items():
            peers.setdefault(name, []).append(each)
        twice, run = await _run(person, kind, 2 * kind.count)
        ours.append((twice - once) / kind.count)
        inside += [call.duration_us for call in await person.calls(run)]
    samples = f"{rounds} rounds of {kind.count}"
    found = [by_rounds(kind.action, ours, theirs, "µs", peer, kind.note) for peer, theirs in peers.items()]
    median = percentile(inside, 50), percentile(inside, 99)
    told = f"the kernel's own account of serving it, p99 {median[1]:.0f} µs; {samples}"
    return [*found, Figure(f"of it, {_part(kind)}", median[0], "µs", len(inside), note=told)]


def _part(kind: Kind) -> str:
    return f"{kind.action} in its server" if kind.request_bytes else f"{kind.action} itself"


async def _peers(kind: Kind, person: Person, echoing: Echo, pair: Line) -> dict[str, float]:
    if not kind.request_bytes:
        return {PAIR: pair.each_us(kind.count)}
    found = {ECHO: await echoing.each_us(kind.count, kind.request_bytes, kind.reply_bytes)}
    if kind.action == "files.write":
        found[DISK] = disk.each_us(person.folder, kind.count, SIZE)
    return found
