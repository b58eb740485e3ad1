"""What the crash harness knows from outside: a folder with logs, a server on loopback that counts, what must be so.

Every step of every run has a token of its own. So how often it took effect can be counted by looking at the world
alone, whatever the system says of itself.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# The kinds of steps. Of a post nobody but its server can tell whether it arrived.
KINDS = ("append", "write", "move", "mkdir", "trash", "post", "get", "nap", "rest", "draw", "gather")
WEIGHTS = (5, 3, 2, 2, 2, 3, 2, 2, 1, 1, 2)
LOGS = 3
HELD_BACK = 0.2

PROGRAM = '''
import random, sys, json, time
from agentos.sdk import AgentError, files, gather, net

def made(work):
    """How a call went: ok, or the detail of its error."""
    try:
        work()
        return "ok"
    except AgentError as error:
        return error.detail or str(error)

def step(kind, token, log):
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


def grants(port: int) -> str:
    """What the program may do."""
    place = f'host = ["127.0.0.1"], scheme = ["http"], port = ["{port}"], network = "loopback"'
    lines = [f'"files.{action}" = {{ path = ["*"] }}' for action in ("append", "write", "mkdir", "trash")]
    lines += ['"files.move" = { path = ["*"], to = ["*"] }']
    return "\n".join([*lines, f'"net.fetch" = {{ {place}, method = ["GET", "POST"] }}'])


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

    steps: list[tuple[str, str, str]]
    run: str = ""
    result: list[object] | None = None
    output: str = ""
    # Tokens of which we told the kernel that they happened.
    told: set[str] = field(default_factory=set)


class World:
    """The folder that the runs work in, and what is true of it."""

    def __init__(self, folder: Path, trash: Path, server: Counting, chance: random.Random) -> None:
        self.folder, self.trash, self.server, self._chance = folder, trash, server, chance
        self.tasks: list[Task] = []
        for number in range(LOGS):
            (folder / f"log-{number}").touch()

    def task(self) -> Task:
        """Something new to do, with what it needs in place."""
        number, steps = len(self.tasks), []
        for at in range(self._chance.randint(3, 9)):
            kind = self._chance.choices(KINDS, WEIGHTS)[0]
            token = f"t{number}x{at}x"
            if kind in ("move", "trash"):
                (self.folder / f"{'s' if kind == 'move' else 'x'}-{token}").write_text(token)
            steps.append((kind, token, f"log-{self._chance.randrange(LOGS)}"))
        self.tasks.append(Task(steps))
        return self.tasks[-1]

    def did(self, task: Task) -> bool:
        """Whether anything of it is seen, in a log or by the server."""
        tokens = tuple(token for _, token, _ in task.steps)
        return any(line.startswith(tokens) for line in (*self.lines(), *self.server.seen))

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
        posts = {token for task in self.tasks for kind, token, _ in task.steps if kind == "post"}
        found += [f"{token}: posted {self.server.seen[token]} times" for token in posts if self.server.seen[token] > 1]
        for task in self.tasks:
            for each, said in zip(task.steps, task.result or (), strict=False):
                why = self._step(task, each[0], each[1], each[2], said, lines, trashed)
                found += [f"{task.run} {each[0]} {each[1]}: {why}, and it was told {said}"] if why else []
        return found

    def _step(
        self, task: Task, kind: str, token: str, log: str, said: object, lines: Counter[str], trashed: Counter[str]
    ) -> str:
        """What is wrong about a step of a run that is done; empty if nothing is."""
        folder, seen = self.folder, self.server.seen[token]
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
        there = counted.get(kind, True) and not (kind in gone and gone[kind].exists())
        there = there and (kind not in held or (held[kind].exists() and held[kind].read_text() == token))
        return "" if there else "its effect is not there"
