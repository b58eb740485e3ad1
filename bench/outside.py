"""What the crash harness knows from outside: a folder with logs, a server on loopback that counts, what must be so.

Every step of every run has a token of its own. So how often it took effect can be counted by looking at the world
alone, whatever the system says of itself.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

# The kinds of steps. Of a post nobody but its server can tell whether it arrived. `ask` is a file to trash that the
# person is asked about each time; `child` is a run of this program with steps of its own, which may have children too;
# one that is `cut` is cancelled by its parent, and one that is `left` by its parent's end.
WEIGHED = {
    "append": 5, "write": 3, "move": 2, "mkdir": 2, "trash": 2, "post": 3, "get": 2, "nap": 2, "rest": 1, "draw": 1,
    "gather": 2, "ask": 2, "child": 2, "cut": 1, "left": 1,
}  # fmt: skip
# What a child does: nothing that its parent could not give it, and nothing that only the run's own output shows.
OF_A_CHILD = ("append", "write", "post", "get", "nap", "rest", "gather", "child")
DEEPEST = 2
LOGS = 3
HELD_BACK = 0.2
SAYS_YES = 0.7

PROGRAM = '''
import random, sys, json, time
from agentos.sdk import AgentError, children, files, gather, net

def made(work):
    """How a call went: ok, or the detail of its error."""
    try:
        work()
        return "ok"
    except AgentError as error:
        return error.detail or str(error)

def begin(*steps):
    return children.spawn("program.py", {"steps": steps}, GIVEN)

def cut_short(token, log):
    """A child that would do one more thing a day later."""
    return begin(["append", token, log, []], ["doze", token, log, []], ["append", token + "z", log, []])

def joined(steps):
    try:
        return begin(*steps).join()
    except AgentError as error:
        return error.detail or str(error)

def cancelled(token, log):
    child = cut_short(token, log)
    time.sleep(0.3)
    child.cancel()

def step(kind, token, log, inner):
    if kind == "append":
        return made(lambda: files.append(log, text=token + "\\n"))
    if kind == "write":
        return made(lambda: files.write("w-" + token, text=token))
    if kind == "move":
        return made(lambda: files.move("s-" + token, to="m-" + token))
    if kind == "mkdir":
        return made(lambda: files.mkdir("d-" + token))
    if kind == "trash":
        return made(lambda: files.trash("x-" + token))
    if kind == "post":
        return made(lambda: net.post(HOST + "/" + token, data="x"))
    if kind == "get":
        return made(lambda: net.get(HOST + "/" + token))
    if kind == "ask":
        return made(lambda: files.trash("q-" + token))
    if kind == "child":
        return joined(inner)
    if kind == "cut":
        return made(lambda: cancelled(token, log))
    if kind == "left":
        return made(lambda: cut_short(token, log))
    if kind == "doze":
        time.sleep(86400)
    if kind == "nap":
        time.sleep(0.1)
    if kind == "rest":
        time.sleep(2.2)
    if kind == "draw":
        drawn = random.getrandbits(60)
        print("drew", token, drawn)
        return drawn
    if kind == "gather":
        calls = [files.append.call(log, text=token + end + "\\n") for end in "abc"]
        said = [getattr(each, "detail", "ok") if isinstance(each, AgentError) else "ok" for each in gather(*calls)]
        return "ok" if said == ["ok"] * 3 else " ".join(said)
    return "ok"

def main(input):
    return [step(*each) for each in input["steps"]]
'''


def program(port: int) -> str:
    """Its source, for this server."""
    given = {"files.append": {"path": ["*"]}, "files.write": {"path": ["*"]}, "net.fetch": _fetch(port)}
    return PROGRAM.replace("HOST", f'"http://127.0.0.1:{port}"').replace("GIVEN", json.dumps(given))


def grants(port: int) -> str:
    """What the program may do."""
    lines = [f'"files.{action}" = {{ path = ["*"] }}' for action in ("append", "write", "mkdir")]
    lines += ['"files.trash" = [{ path = ["x-*"] }, { path = ["q-*"], ask = "always" }]']
    lines += ['"files.move" = { path = ["*"], to = ["*"] }']
    bounds = ", ".join(f"{name} = {json.dumps(value)}" for name, value in _fetch(port).items())
    return "\n".join([*lines, f'"net.fetch" = {{ {bounds} }}'])


def _fetch(port: int) -> dict[str, object]:
    place: dict[str, object] = {"host": ["127.0.0.1"], "scheme": ["http"], "port": [str(port)], "network": "loopback"}
    return place | {"method": ["GET", "POST"]}


class Step(NamedTuple):
    """One thing a run does; `inner` is what its child does."""

    kind: str
    token: str
    log: str
    inner: tuple[Step, ...] = ()


def flat(steps: Iterable[Step]) -> Iterator[Step]:
    """These, and those of all children."""
    for step in steps:
        yield step
        yield from flat(step.inner)


class Counting:
    """A server that counts requests by their path, and holds back some answers for a while."""

    def __init__(self, seed: int) -> None:
        self.seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        chance = random.Random(seed)  # noqa: S311  a choice to have again, no secret
        counting = self

        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with counting._lock:
                    counting.seen[self.path.strip("/")] += 1
                    wait = chance.random() < HELD_BACK
                if wait:
                    time.sleep(0.3)
                with suppress(OSError):
                    self.send_response(200)
                    self.send_header("Content-Length", "2")
                    self.end_headers()
                    self.wfile.write(b"ok")

            do_POST = do_GET  # noqa: N815  the library looks for this name

            def log_message(self, format: str, *said: object) -> None:  # noqa: A002  as the library names it
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Task:
    """One run as it was asked for, and what became of it."""

    steps: tuple[Step, ...]
    run: str = ""
    result: list[object] | None = None
    output: str = ""


class World:
    """The folder that the runs work in, and what is true of it."""

    def __init__(self, folder: Path, trash: Path, server: Counting, chance: random.Random) -> None:
        self.folder, self.trash, self.server, self._chance = folder, trash, server, chance
        self.tasks: list[Task] = []
        # Of what the person is asked: to which the answer is yes.
        self.yes: set[str] = set()
        for number in range(LOGS):
            (folder / f"log-{number}").touch()

    def task(self) -> Task:
        """Something new to do, with what it needs in place."""
        self.tasks.append(Task(self._steps(f"t{len(self.tasks)}x", tuple(WEIGHED), self._chance.randint(3, 9), 0)))
        return self.tasks[-1]

    def _steps(self, prefix: str, kinds: tuple[str, ...], count: int, depth: int) -> tuple[Step, ...]:
        made = []
        for at in range(count):
            kind = self._chance.choices(kinds, [WEIGHED[each] for each in kinds])[0]
            kind = "append" if kind == "child" and depth == DEEPEST else kind
            token = f"{prefix}{at}x"
            if kind in ("move", "trash"):
                (self.folder / f"{'s' if kind == 'move' else 'x'}-{token}").write_text(token)
            if kind == "ask":
                (self.folder / f"q-{token}").write_text(token)
            if kind == "ask" and self._chance.random() < SAYS_YES:
                self.yes.add(token)
            inner = self._steps(token, OF_A_CHILD, self._chance.randint(1, 4), depth + 1) if kind == "child" else ()
            made.append(Step(kind, token, f"log-{self._chance.randrange(LOGS)}", inner))
        return tuple(made)

    def lines(self) -> Counter[str]:
        return Counter(line for number in range(LOGS) for line in (self.folder / f"log-{number}").read_text().split())

    def wrong(self) -> list[str]:
        """All that is not as it must be."""
        lines, trashed = (
            self.lines(),
            Counter(each.name.partition(".")[0] for each in (self.trash / "files").glob("x-*")),
        )
        found = [f"{line}: {count} times in a log" for line, count in lines.items() if count > 1]
        found += [f"{name}: {count} times in the trash" for name, count in trashed.items() if count > 1]
        posts = {each.token for task in self.tasks for each in flat(task.steps) if each.kind == "post"}
        found += [f"{token}: posted {self.server.seen[token]} times" for token in posts if self.server.seen[token] > 1]
        for task in self.tasks:
            if task.result is not None:
                found += self._steps_wrong(task, task.steps, task.result, lines, trashed)
        return found

    def _steps_wrong(
        self, task: Task, steps: tuple[Step, ...], told: object, lines: Counter[str], trashed: Counter[str]
    ) -> list[str]:
        """What is wrong about the steps of a run that is done, and of its children."""
        if not isinstance(told, list) or len(told) != len(steps):
            return [f"{task.run} was told {told} of {steps}"]
        found: list[str] = []
        for step, said in zip(steps, told, strict=True):
            if step.kind == "child":
                found += self._steps_wrong(task, step.inner, said, lines, trashed)
            elif why := self._step(task, step, said, lines, trashed):
                found.append(f"{task.run} {step.kind} {step.token}: {why}, and it was told {said}")
        return found

    def _step(self, task: Task, step: Step, said: object, lines: Counter[str], trashed: Counter[str]) -> str:
        """What is wrong about one step; empty if nothing is."""
        kind, token = step.kind, step.token
        folder, seen = self.folder, self.server.seen[token]
        if kind == "ask":
            right = (not (folder / f"q-{token}").exists(), said == "ok") == (token in self.yes, token in self.yes)
            return "" if right else f"the answer was {'yes' if token in self.yes else 'no'}"
        if kind == "draw":
            drawn = [line for line in task.output.splitlines() if line.startswith(f"drew {token} ")]
            return "" if drawn == [f"drew {token} {said}"] else f"it printed {drawn}"
        if kind == "post":
            return "" if seen == 1 or (said == "interrupted" and not seen) else f"posted {seen} times"
        if said != "ok":
            return "it failed"
        gone = {"move": folder / f"s-{token}", "trash": folder / f"x-{token}"}
        held = {"write": folder / f"w-{token}", "move": folder / f"m-{token}"}
        counted = {"append": lines[token] == 1, "trash": trashed[f"x-{token}"] == 1, "get": seen >= 1}
        counted |= {"gather": all(lines[token + end] == 1 for end in "abc"), "mkdir": (folder / f"d-{token}").is_dir()}
        counted |= dict.fromkeys(("cut", "left"), not lines[f"{token}z"])
        there = counted.get(kind, True) and not (kind in gone and gone[kind].exists())
        there = there and (kind not in held or (held[kind].exists() and held[kind].read_text() == token))
        return "" if there else "its effect is not there"
