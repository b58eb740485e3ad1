"""From a program's bytes to a cell that can run it: which component, which code object, what the guest is told.

A script runs in the Python guest and always enters as the stored code object, compiled once in a cell of its own
kind and kept in the encrypted database. Any other component that imports only `agentos:guest/kernel` is compiled
in a limited process and gets a zygote of its own. Either way a run is pinned to what it ran on.

Two hundred first runs of one program compile it once: the first does the work and the others wait for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath

import msgspec

from agentos.home.journal import Journal
from agentos.home.refusal import Refusal
from agentos.kernel.canonical import framed
from agentos.kernel.cells import guest
from agentos.kernel.cells.foreign import Flights, Foreign
from agentos.kernel.cells.images import BadComponent, Images
from agentos.kernel.cells.pool import Cell, CellLimits, Cells, Start
from agentos.kernel.lately import Lately
from agentos.v1 import control_pb2, error_pb2

WASM = b"\0asm"
COMPILE = CellLimits(memory_bytes=256 << 20, cpu_seconds=5)
MAX_SCRIPT = 1 << 20
MAX_COMPONENT = 64 << 20
CODES = 16  # of at most some MiB each


class Loaded(msgspec.Struct, frozen=True):
    """Where a program runs: digests of component and code object, what a cell loads, and what is for this run."""

    cells: Cells
    component: str
    code: str
    start: Start
    known: str


class Code(msgspec.Struct, frozen=True):
    """A program as a cell loads it, the digest of its code object, and where it runs."""

    cells: Cells
    request: str
    digest: str


class CompileReply(msgspec.Struct):
    code: str = ""
    error: dict[str, str | int] = {}


class Loader:
    def __init__(self, images: Images, journal: Journal, guest: Path, ready: int) -> None:
        self._images = images
        self._journal = journal
        self._guest = guest
        self._ready = ready
        self._foreign = Foreign(images)
        self._flights: Flights[str] = Flights()
        self._codes: Lately[str, Code] = Lately(CODES)
        self._opening = asyncio.Lock()
        self.python: Cells | None = None
        self.guest_digest = ""

    async def open(self) -> Cells:
        """Map the Python guest and keep cells of it ready, once. In a new home, compiling it takes some seconds."""
        async with self._opening:
            if self.python is None:
                try:
                    image = await self._images.open(self._guest.read_bytes(), own=True)
                except BadComponent as wrong:
                    raise Refusal(error_pb2.CODE_UNAVAILABLE, f"no guest: {wrong.reason}", "agentos doctor") from None
                self.guest_digest = image.digest
                self.python = await Cells.start(image, ready=self._ready)
            return self.python

    def statistics(self) -> dict[str, int]:
        return self.python.statistics() if self.python else {}

    def missing(self) -> tuple[str, ...]:
        """The walls that this machine lacks around cells."""
        return self.python.missing if self.python else ()

    async def close(self) -> None:
        await self._foreign.close()
        if self.python:
            await self.python.close()

    def ahead(self, request: control_pb2.RunRequest, limits: CellLimits) -> tuple[Loaded, Cell] | None:
        """What a script needs and a cell for it, if all of that is at hand: then it can begin to load at once."""
        found = self._codes.get(self._key(request.source))
        loaded = self._script(request, found, limits) if found else None
        if loaded is None or not loaded.cells.at_hand(loaded.start):
            return None  # it is counted when it is loaded
        loaded.cells.expect(loaded.start)
        cell = loaded.cells.take_ready(loaded.start)
        return (loaded, cell) if cell else None

    @asynccontextmanager
    async def load(self, request: control_pb2.RunRequest, limits: CellLimits, state: str = "") -> AsyncIterator[Loaded]:
        """Everything a run needs before its cell is taken; its cells stay while it runs. Raises Refusal."""
        if request.source.content.startswith(WASM):
            async with self._foreign.lent(request.source.content) as (cells, digest):
                told = {**_told(request, ""), "input": msgspec.Raw(request.input.encode() or b"null")}
                told |= {"state": msgspec.Raw(state.encode())} if state else {}
                run = {"run": {"name": _name(request.source), **told}}
                yield Loaded(cells, digest, "", Start("", limits), msgspec.json.encode(run).decode())
        else:
            loaded = self._script(request, await self._code(request.source), limits, state)
            loaded.cells.expect(loaded.start)
            yield loaded

    def _script(self, request: control_pb2.RunRequest, code: Code, limits: CellLimits, state: str = "") -> Loaded:
        start = Start(code.request, limits)
        return Loaded(code.cells, self.guest_digest, code.digest, start, guest.to_tell(_told(request, state)))

    def _key(self, source: control_pb2.Source) -> str:
        made_of = framed(b"code", self.guest_digest.encode(), _name(source).encode(), source.content)
        return hashlib.sha256(made_of).hexdigest()

    async def _code(self, source: control_pb2.Source) -> Code:
        cells = await self.open()
        key = self._key(source)
        if (known := self._codes.get(key)) is not None:
            return known
        kept = self._journal.get_cached(key)
        code = kept.decode() if kept else await self._flights.do(key, lambda: self._compiled(cells, key, source))
        loading = guest.to_load(code, _text(source).encode())
        return self._codes.put(key, Code(cells, loading, hashlib.sha256(code.encode()).hexdigest()))

    async def _compiled(self, cells: Cells, key: str, source: control_pb2.Source) -> str:
        name = _name(source)
        cell = await cells.take(Start(guest.to_compile(_text(source), name), COMPILE))
        ending = await cell.run(_no_calls)
        if ending.how == "cpu":
            raise Refusal(error_pb2.CODE_LIMIT, f"{name} takes longer than 5 s to compile", "make it smaller")
        if ending.how in ("killed", "lost", "broke"):
            raise Refusal(error_pb2.CODE_UNAVAILABLE, f"the cell that compiled {name} was lost", "run it again")
        try:
            reply = msgspec.json.decode(ending.reply, type=CompileReply)
        except msgspec.MsgspecError:
            raise Refusal(error_pb2.CODE_LIMIT, f"{name} takes too much memory to compile", "make it smaller") from None
        if reply.error:
            raise Refusal(error_pb2.CODE_INVALID, str(reply.error.get("reason")), str(reply.error.get("hint", "")))
        code = guest.letters(reply.code)
        self._journal.put_cached(key, code.encode())
        return code


def _name(source: control_pb2.Source) -> str:
    return PurePosixPath(source.path).name


def _text(source: control_pb2.Source) -> str:
    return source.content.decode("utf-8-sig")  # as Python itself reads it


def _told(request: control_pb2.RunRequest, state: str) -> dict[str, str | list[str]]:
    """What a program is told; its input is JSON, and its state where it was carried here."""
    carried: dict[str, str | list[str]] = {"state": state} if state else {}
    return carried | {
        "arguments": list(request.arguments),
        "input": request.input,
        "start_folder": request.start_folder,
        "home_folder": request.home_folder,
    }


async def _no_calls(request: str) -> str:
    """Compiling makes no calls; a guest that tries is told so."""
    return json.dumps({"error": {"code": "denied", "reason": "no calls while compiling", "hint": "", "detail": ""}})


def check_bytes(source: control_pb2.Source) -> None:
    """Raises Refusal for what is too large to be a program, or not what its name says."""
    if source.path.endswith(".wasm") and not source.content.startswith(WASM):
        reason = f"{PurePosixPath(source.path).name} is not WebAssembly, in spite of its name"
        raise Refusal(error_pb2.CODE_INVALID, reason, "build it again, or give a script its own ending")
    most = MAX_COMPONENT if source.content.startswith(WASM) else MAX_SCRIPT
    if len(source.content) > most:
        name = PurePosixPath(source.path).name
        reason = f"{name} is {len(source.content) / (1 << 20):.1f} MiB; a program is at most {most >> 20} MiB"
        raise Refusal(error_pb2.CODE_INVALID, reason, "give it data through files or --input", "too_large")
