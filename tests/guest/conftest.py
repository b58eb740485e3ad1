"""Programs through the real guest in real cells; the SDK's kit answers their calls."""

from __future__ import annotations

import json
import xmlrpc.client
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest_asyncio

from agentos.kernel.cells import guest
from agentos.kernel.cells.pool import CellLimits, Cells, Ending, Start
from agentos.sdk import NotFound, Unavailable
from agentos.sdk.testing import Grant, Kit, Reply, Seen
from tests.cells.conftest import told
from tests.compiled import guest_image

LIMITS = CellLimits(memory_bytes=256 << 20, cpu_seconds=20)
FOLDER = "/home/me/x"
FILES: dict[str, str | bytes] = {
    f"{FOLDER}/a.txt": "one\ntwo\nthree\n",
    f"{FOLDER}/b.md": "# B\n",
    f"{FOLDER}/table.csv": "name,age\nAda,36\nAlan,41\n",
    f"{FOLDER}/bytes.bin": bytes(range(256)),
    f"{FOLDER}/sub/c.txt": "see",
    f"{FOLDER}/sub/deep/d.txt": "deep",
    f"{FOLDER}/empty": "",
    "/home/me/.ssh/id": "secret",
}


def _echo(seen: Seen) -> dict[str, Any]:
    return {"method": seen.method, "headers": dict(seen.headers), "body": seen.body.decode("latin-1")}


def _goes(to: str, status: int = 302) -> Reply:
    return Reply(status=status, headers={"Location": to})


def _turns() -> Callable[[Seen], Reply]:
    """Not there the first two times."""
    left = iter([503, 503])
    return lambda seen: Reply("there", next(left, 200), headers={"Retry-After": "2"})


# What hosts answer: a.example is granted, and gone.example, which is not there.
A = "https://a.example"
LONG = bytes(range(256)) * 10_240
WEB: dict[str, Any] = {
    f"{A}/j": {"n": 1},
    f"{A}/t": Reply("grüße".encode("latin-1"), headers={"Content-Type": "text/plain; charset=latin-1"}),
    f"{A}/csv": "name,age\nAda,36\nAlan,41\n",
    f"{A}/echo": _echo,
    f"{A}/long": LONG,
    f"{A}/longer": LONG * 2,
    f"{A}/goes": _goes("/j"),
    f"{A}/seen": _goes("/echo", 303),
    f"{A}/away": _goes("https://evil.example/"),
    f"{A}/down": _goes("http://a.example/j"),
    f"{A}/file": _goes("file:///etc/passwd"),
    f"{A}/loop": _goes("/loop"),
    f"{A}/404": Reply("nothing here", 404),
    f"{A}/login": Reply("in", headers={"Set-Cookie": "s=1"}),
    f"{A}/robots.txt": "User-agent: *\nDisallow: /private\n",
    f"{A}/rpc": Reply(xmlrpc.client.dumps((42,), methodresponse=True).encode(), headers={"Content-Type": "text/xml"}),
    f"{A}/slow": Unavailable("a.example did not answer in time", "try again later", "timeout"),
    f"{A}/tls": Unavailable("the server at a.example has the certificate of another host", "", "other_host"),
    f"{A}/no-name": NotFound("there is no host a.example", "see if it is spelt right", "no_name"),
    f"{A}/no-names": Unavailable("the address of a.example could not be found out", "", "no_name"),
    f"{A}/shut": Unavailable("nobody answers at that port of a.example", "try again later", "refused"),
    f"{A}/reset": Unavailable("a.example hung up before the end of its answer", "", "reset"),
    f"{A}/broken": b"{broken",
    f"{A}/204": Reply(status=204),
}


def kit(lines: tuple[str, ...] = (), files: dict[str, str | bytes] | None = None) -> Kit:
    """A person who allowed everything in one folder and on one host, and nothing elsewhere."""
    actions = "read", "write", "trash"
    grants = [Grant(f"files.{action}", path=f"{FOLDER}/**") for action in actions]
    grants += [Grant(f"files.{action}", path=FOLDER) for action in ("read", "write")]
    grants.append(Grant("files.move", path=f"{FOLDER}/**", to=f"{FOLDER}/**"))
    methods = ["GET", "HEAD", "POST", "PUT", "DELETE"]
    grants.append(Grant("net.fetch", host=["a.example", "gone.example"], method=methods, received=4_000_000))
    web = WEB | {f"{A}/turns": _turns()}
    return Kit(FILES if files is None else files, grants, web=web, lines=lines, start=FOLDER, home="/home/me")


@dataclass(frozen=True)
class Played:
    """One run of a program, with what it asked for."""

    ending: Ending
    answer: dict[str, Any]
    kit: Kit
    requests: list[str]

    @property
    def status(self) -> str:
        return str(self.answer.get("status", self.ending.how))

    @property
    def result(self) -> Any:
        return self.answer.get("result")

    @property
    def actions(self) -> list[str]:
        return [made.action for made in self.kit.calls]

    @property
    def says(self) -> str:
        error = self.answer.get("error", {})
        return f"{error.get('reason', '')}; {error.get('hint', '')}"

    @property
    def out(self) -> list[tuple[int, str]]:
        pieces = [json.loads(request).get("out", []) for request in self.requests]
        return [(stream, text) for piece in [*pieces, self.answer.get("out", [])] for stream, text in piece]

    def printed(self, stream: int = 1) -> str:
        return "".join(text for number, text in self.out if number == stream)


class Stage:
    """The guest's cells, and what it takes to run a program in one."""

    def __init__(self, cells: Cells) -> None:
        self.cells = cells

    async def compiled(self, source: str, name: str = "prog.py") -> dict[str, Any]:
        return await self._ask(guest.to_compile(source, name))

    async def _ask(self, request: str) -> dict[str, Any]:
        async def none(request: str) -> str:
            raise AssertionError("compiling makes no call")

        ending = await (await self.cells.take(Start(request, LIMITS))).run(none)
        assert ending.how == "returned", ending
        answer: dict[str, Any] = json.loads(ending.reply)
        return answer

    async def play(self, source: str, world: Kit | None = None, *, limits: CellLimits = LIMITS, **more: Any) -> Played:
        """Compile a program and run it."""
        code = await self.compiled(source)
        assert "code" in code, code
        return await self.run(code["code"], source, world, limits=limits, **more)

    async def run(
        self, code: str, source: str, world: Kit | None = None, *, limits: CellLimits = LIMITS, **more: Any
    ) -> Played:
        world = world or kit()
        requests: list[str] = []

        async def invoke(request: str) -> str:
            requests.append(request)
            return world.invoke(request)

        known: dict[str, Any] = {"arguments": ["one", "two"], "home_folder": "/home/me", "start_folder": FOLDER}
        known |= {**more, "input": json.dumps(more["input"]) if "input" in more else ""}
        cell = await self.cells.take(Start(guest.to_load(guest.letters(code), source.encode()), limits))
        ending = await told(cell, guest.to_tell(known)).run(invoke)
        return Played(ending, json.loads(ending.reply) if ending.how == "returned" else {}, world, requests)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage() -> AsyncIterator[Stage]:
    cells = await Cells.start(await guest_image())
    yield Stage(cells)
    await cells.close()
