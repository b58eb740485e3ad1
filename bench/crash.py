"""`python -m bench.crash [--kills N] [--seed N]`: kill -9 of a random process, again and again, and count the effects.

Programs append lines, write, move, make and trash, post and get, sleep in memory and out of it, draw random numbers,
gather, ask, and start children that do the same; events are sent, timers come, programs are armed. Meanwhile the
kernel, its zygote, a cell or a capability server is killed at a random moment. What happened is counted outside
(outside.py, coming.py), by the token of each step. At the end

    no effect is there twice, and none is missing of a run that was told it is there,
    each event that was acknowledged took effect once, each time of a timer too, and so did each program armed in time,
    what was answered with yes is there, what was answered with no is not, and a cancelled child did nothing more,
    no run is stuck: each is done, with the result that the world bears out,
    nothing is unknown that can be looked up; what is, is settled by what the server counted, and its run ends.

The choices are those of the seed; the moments are the machine's, so that a seed does not give the very same again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import grpc
import psutil
from rich.console import Console
from rich.table import Table

from agentos.v1 import control_pb2 as pb
from bench.coming import Coming
from bench.outside import Counting, Task, World, flat, grants, program
from bench.processes import cells, servers, zygotes
from tests.kernel.person import NO, ONCE, Person, Stream, Told, warm_home

KILLS = 2_000
# How often each is killed, and how long it is between two.
KINDS, WEIGHTS = ("kernel", "zygote", "cell", "server"), (2, 2, 4, 4)
PAUSE_S = 0.15
AT_ONCE = 6
FOLLOWED = 0.3
# How often, of the times that the person looks, they answer what is asked.
ANSWERS = 0.4
ENDS_WITHIN_S = 120.0
# How long what was sent may be on its way to the server that counts.
ARRIVES_WITHIN_S = 1.0
TOKEN = re.compile(r"t(?:\d+x)+")
LOST = (psutil.Error, grpc.RpcError, OSError)


class Storm:
    """A home whose processes are killed, and runs on it."""

    def __init__(self, place: Path, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311  a choice to have again, no secret
        self.server = Counting(seed)
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._place = place
        self._folder = place / "work"
        self._folder.mkdir()
        self._home = warm_home(place)
        self.world = World(self._folder, place / "share" / "Trash", self.server, self.chance)
        self._open: dict[str, Task] = {}
        self._unknown: dict[tuple[str, int], float] = {}
        self.person: Person
        self._process: subprocess.Popen[bytes]
        self.up()
        self.coming = Coming(self._folder, self.chance)
        self._source = self.person.source(program(self.server.port), grants(self.server.port))
        # A child's program is one that the person allowed before.
        allowed = self.person.run(program(self.server.port), grants(self.server.port), input='{"steps": []}')
        assert allowed.result == [], allowed
        self.coming.arm(self.person)

    # ---- the kernel

    def up(self) -> None:
        told, tell = os.pipe()
        command = [sys.executable, "-m", "agentos.kernel", "serve", "--home", str(self._home), "--ready-fd", str(tell)]
        environment = os.environ | {"XDG_DATA_HOME": str(self._place / "share")}
        with (self._place / "log").open("ab") as log, open(told, encoding="utf-8") as ready:
            self._process = subprocess.Popen(
                command, pass_fds=(tell,), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )
            os.close(tell)
            # A start is cut off too, now and then: somewhere between the first import and the first answer.
            if self.chance.random() < 0.1 and self.counts["kernel"]:
                threading.Timer(self.chance.random(), self._process.kill).start()
                self.counts["kernel, in its start"] += 1
            said = json.loads(ready.readline() or "{}")
        if not said.get("ok"):
            self._process.wait()
            if said:
                self.wrong.append(f"the kernel did not start: {said}")
                raise SystemExit(str(said))
            return self.up()
        self.counts["starts"] += 1
        self.person = Person(said["socket"], Path(said["credential"]).read_text(encoding="utf-8").strip(), self._folder)
        return None

    def down(self) -> None:
        """The end of it, and of the server: by SIGTERM, so that a clean stop is part of it."""
        self.person.close()
        self._process.terminate()
        self._process.wait(30)
        self.server.close()

    # ---- kills

    def kill(self) -> None:
        """One process, by chance, as it stands now."""
        kind = self.chance.choices(KINDS, WEIGHTS)[0]
        kernel = self._process.pid
        try:
            found = {"kernel": lambda _: [kernel], "zygote": zygotes, "cell": cells, "server": servers}[kind](kernel)
            if not found:
                return
            os.kill(self.chance.choice(found), signal.SIGKILL)
        except LOST:
            return
        self.counts[kind] += 1
        if kind == "kernel":
            self.counts["runs cut off"] += len(self._open)
            self.person.close()
            self._process.wait()
            self.up()

    def stop(self) -> None:
        """As the person stops it: nothing that nobody follows is over by that."""
        self.person.close()
        self._process.terminate()
        self._process.wait(30)
        self.counts["stopped"] += 1
        self.up()

    # ---- runs

    def fill(self) -> None:
        if self._process.poll() is not None:
            self.person.close()
            self.up()
        while len(self._open) < AT_ONCE and self.start():
            pass

    def start(self) -> bool:
        """Ask for one more run; whether somebody took it."""
        task = self.world.task()
        given = json.dumps({"steps": task.steps})
        told = Told()
        with suppress(grpc.RpcError):
            stream = self.person.start(self._source, ask=pb.ASK_WAIT, grant_manifest=True, input=given)
            for event in stream:
                told.hear(event)
                if told.id:
                    break
            if self.chance.random() < FOLLOWED:
                threading.Thread(target=_follow, args=(stream,), daemon=True).start()
            else:
                stream.cancel()
        task.run = told.id
        self.counts["runs"] += 1
        if told.id:
            if told.id in self._open:
                self.wrong.append(f"{told.id} was told of twice")
            self._open[told.id] = task
        else:
            self.counts["runs whose number nobody was told"] += 1
        return bool(told.id)

    def look(self, always: bool = False) -> None:
        """See which runs are over, and settle what is unknown by what the server counted."""
        for run, task in list(self._open.items()):
            try:
                shown = self.person.record(run)
                if shown.path == self._source.path:
                    self._seen(run, task, shown)
                    continue
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.NOT_FOUND:
                    return
            self.wrong.append(f"{run} was told of, and is not on record")
            del self._open[run]
        with suppress(grpc.RpcError):
            self._settle()
        with suppress(grpc.RpcError):
            self._answer(always)

    def _answer(self, always: bool) -> None:
        """Answer what is asked, or let it wait: each question has the one answer, however often it is put."""
        for prompt in self.person.inbox():
            if not always and self.chance.random() > ANSWERS:
                continue
            token = next(iter(TOKEN.findall(str(prompt.lines))), "")
            with suppress(grpc.RpcError):
                self.person.answer(prompt, (ONCE if token in self.world.yes else NO)(prompt) or ())
                self.counts["answered"] += 1

    def _seen(self, run: str, task: Task, shown: pb.Run) -> None:
        if shown.status in (pb.RUN_STATUS_ACTIVE, pb.RUN_STATUS_WAITING, pb.RUN_STATUS_UNSPECIFIED):
            return
        del self._open[run]
        status = pb.RunStatus.Name(shown.status).removeprefix("RUN_STATUS_").lower()
        self.counts[status] += 1
        if status != "done":
            self.wrong.append(f"{run} is {status}: {shown.error.reason} {shown.error.detail} {shown.traceback[-300:]}")
            return
        result: list[object] = json.loads(shown.result)
        task.result, task.output = result, shown.output
        self.counts["told interrupted"] += result.count("interrupted")

    def _settle(self) -> None:
        now, request = time.monotonic(), pb.ListUnknownRequest()
        for each in self.person.control.ListUnknown(request, metadata=self.person.metadata, timeout=10).calls:
            at = each.run, each.call.seq
            if at not in self._unknown:
                self._unknown[at] = now
                self.counts["unknown"] += 1
                if each.call.action != "net.fetch":
                    self.wrong.append(f"{each.run} {each.call.seq}: {each.call.action}, which can be looked up")
            if now - self._unknown[at] < ARRIVES_WITHIN_S:
                continue
            tokens = TOKEN.findall(str(each.call))
            happened = any(self.server.seen[token] for token in tokens)
            settle = pb.SettleCallRequest(run=each.run, seq=each.call.seq, happened=happened)
            with suppress(grpc.RpcError):
                self.person.control.SettleCall(settle, metadata=self.person.metadata, timeout=10)
                self.counts["settled: it happened" if happened else "settled: it did not"] += 1
                self._unknown[at] = now

    def finish(self) -> None:
        """Kill nothing more, and let all come to an end."""
        until = time.monotonic() + ENDS_WITHIN_S
        active: Sequence[pb.Run] = ()
        coming: list[str] = []
        self.fill()
        self.coming.stop(self.person)
        while time.monotonic() < until:
            self.look(always=True)
            active = self.person.control.ListRuns(
                pb.ListRunsRequest(active_only=True), metadata=self.person.metadata, timeout=10
            ).runs
            coming = self.coming.waits(self.person)  # which sends what runs wait for, too
            if not self._open and not active and not coming:
                break
            time.sleep(0.1)
        else:
            stuck = [*self._open, *(run.id for run in active), *coming]
            self.wrong.append(f"stuck: {sorted(set(stuck))}")
        self.wrong += self.world.wrong() + self.coming.wrong()
        self.counts.update(self.coming.counts)


def _follow(stream: Stream) -> None:
    """Hear a run out, or until whoever tells it is killed."""
    with suppress(grpc.RpcError, ValueError):
        for _ in stream:
            pass


def storm(place: Path, seed: int, kills: int, seconds: float, told: Console | None = None) -> Storm:
    """So many kills, or what there is time for."""
    made = Storm(place, seed)
    began, killed, said = time.monotonic(), 0, 0
    try:
        while killed < kills and time.monotonic() - began < seconds:
            made.fill()
            time.sleep(made.chance.expovariate(1 / PAUSE_S))
            if made.chance.random() < 0.02:
                made.stop()
            made.coming.more(made.person)
            made.kill()
            made.look()
            before, killed = killed, sum(made.counts[kind] for kind in (*KINDS, "kernel, in its start"))
            if told is None:
                continue
            for each in made.wrong[said:]:
                told.print(f"[red]after {killed:,} kills: {each}[/red]", highlight=False)
            said = len(made.wrong)
            if killed // 100 > before // 100:
                sofar = f"{killed:>6,} kills after {time.monotonic() - began:>4.0f} s"
                told.print(f"{sofar}, {made.counts['done']:,} runs done, {len(made.wrong)} wrong", highlight=False)
        made.finish()
        made.counts["gets made again"] = sum(
            made.server.seen[step.token] - 1 for task in made.world.tasks for step in flat(task.steps)
            if step.kind == "get" and made.server.seen[step.token] > 1
        )  # fmt: skip
    finally:
        made.down()
    return made


def main() -> int:
    options = _options()
    console = Console()
    if not console.is_terminal:
        console.width = 120
    console.print(f"{options.kills:,} kills, seed {options.seed}", highlight=False)
    with tempfile.TemporaryDirectory(prefix="agentos-crash-") as folder:
        made = storm(Path(folder).resolve(), options.seed, options.kills, options.seconds, console)
        log = (Path(folder) / "log").read_text(errors="replace")
    table = Table("what", "how many")
    for name, count in sorted(made.counts.items()):
        table.add_row(name, f"{count:,}")
    console.print(table)
    for each in made.wrong[:50]:
        console.print(f"[red]{each}[/red]", highlight=False)
    if made.wrong:
        console.print(log[-3000:], markup=False, highlight=False)
    console.print(f"{len(made.wrong)} things wrong" if made.wrong else "nothing twice, nothing lost, nothing stuck")
    return int(bool(made.wrong))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.crash", description="kill -9, and what is left of it.")
    parser.add_argument("--kills", type=int, default=KILLS, metavar="N", help=f"how many ({KILLS})")
    parser.add_argument("--seconds", type=float, default=3600.0, metavar="N", help="no longer than this (an hour)")
    seed = random.SystemRandom().randrange(2**32)
    parser.add_argument("--seed", type=int, default=seed, help="the same choices again")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
