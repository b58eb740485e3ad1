"""From a program's bytes to a cell that can run it: which component, which code object, what the guest is told.

A script runs in the Python guest and always enters as the stored code object, compiled once in a cell of its own
kind and kept in the encrypted database. Any other component that imports only `agentos:guest/kernel` is compiled
in a limited process and gets a zygote of its own. Either way a run is pinned to what it ran on.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path, PurePosixPath

import msgspec

from agentos.home.journal import Journal
from agentos.kernel.canonical import framed
from agentos.kernel.cells.images import Images
from agentos.kernel.cells.pool import CellLimits, Cells
from agentos.kernel.desk import Refusal
from agentos.v1 import control_pb2, error_pb2

WASM = b"\0asm"
COMPILE = CellLimits(memory_bytes=256 << 20, cpu_seconds=5)
MAX_SCRIPT = 1 << 20
MAX_COMPONENT = 64 << 20
MAX_FOREIGN = 4


class Loaded(msgspec.Struct, frozen=True):
    """Where a program runs and how: digests of component and code object, and the guest's request."""

    cells: Cells
    component: str
    code: str
    request: str


class CompileReply(msgspec.Struct):
    code: str = ""
    error: dict[str, str | int] = {}


class Loader:
    def __init__(self, images: Images, journal: Journal, guest: Path, ready: int) -> None:
        self._images = images
        self._journal = journal
        self._guest = guest
        self._ready = ready
        self._foreign: dict[str, Cells] = {}
        self._compiling = asyncio.Lock()
        self.python: Cells | None = None
        self.guest_digest = ""

    async def open(self) -> None:
        """Map the Python guest and keep cells of it ready. The first time, compiling it takes some seconds."""
        image = await self._images.open(self._guest.read_bytes(), own=True)
        self.guest_digest = image.digest
        self.python = await Cells.start(image, ready=self._ready)

    def _open(self) -> Cells:
        if self.python is None:
            raise Refusal(error_pb2.CODE_UNAVAILABLE, "the Python guest is not there yet", "try again in a moment")
        return self.python

    def missing(self) -> tuple[str, ...]:
        """The walls that this machine lacks around cells."""
        return self.python.missing if self.python else ()

    async def close(self) -> None:
        for cells in (self.python, *self._foreign.values()):
            if cells:
                await cells.close()

    async def load(self, request: control_pb2.RunRequest) -> Loaded:
        """Everything a run needs before its cell is taken. Raises Refusal for what is no program."""
        source = request.source
        name = PurePosixPath(source.path).name
        told: dict[str, object] = {
            "name": name,
            "arguments": list(request.arguments),
            "input": json.loads(request.input) if request.input else None,
            "has_input": bool(request.input),
            "start_folder": request.start_folder,
            "home_folder": request.home_folder,
        }
        if source.content.startswith(WASM):
            cells, digest = await self._component(source.content)
            return Loaded(cells, digest, "", json.dumps({"run": told}))
        text = source.content.decode()
        code = await self._code(text, name)
        told |= {"code": code, "source": text}
        pinned = hashlib.sha256(code.encode()).hexdigest()
        return Loaded(self._open(), self.guest_digest, pinned, json.dumps({"run": told}))

    async def _code(self, text: str, name: str) -> str:
        key = hashlib.sha256(framed(b"code", self.guest_digest.encode(), name.encode(), text.encode())).hexdigest()
        kept = self._journal.get_cached(key)
        if kept is None:
            kept = (await self._compile(text, name)).encode()
            self._journal.put_cached(key, kept)
        return kept.decode()

    async def _compile(self, text: str, name: str) -> str:
        cell = await self._open().take()
        ending = await cell.run(json.dumps({"compile": {"source": text, "name": name}}), COMPILE, _no_calls)
        if ending.how == "cpu":
            raise Refusal(error_pb2.CODE_LIMIT, f"{name} takes longer than 5 s to compile", "make it smaller")
        try:
            reply = msgspec.json.decode(ending.reply, type=CompileReply)
        except msgspec.MsgspecError:
            raise Refusal(error_pb2.CODE_INVALID, f"{name} cannot be compiled", "is it Python?") from None
        if reply.error:
            raise Refusal(error_pb2.CODE_INVALID, str(reply.error.get("reason")), str(reply.error.get("hint", "")))
        return reply.code

    async def _component(self, content: bytes) -> tuple[Cells, str]:
        async with self._compiling:
            digest = hashlib.sha256(content).hexdigest()
            cells = self._foreign.pop(digest, None)
            if cells is None:
                if len(self._foreign) >= MAX_FOREIGN:
                    await self._foreign.pop(next(iter(self._foreign))).close()
                image = await self._images.open(content, own=False)
                cells = await Cells.start(image, ready=1)
            self._foreign[digest] = cells
            return cells, digest


async def _no_calls(request: str) -> str:
    """Compiling makes no calls; a guest that tries is told so."""
    return json.dumps({"error": {"code": "denied", "reason": "no calls while compiling", "hint": "", "detail": ""}})


def check_size(source: control_pb2.Source) -> None:
    """Raises Refusal for a program that is too large to be one."""
    most = MAX_COMPONENT if source.content.startswith(WASM) else MAX_SCRIPT
    if len(source.content) > most:
        name = PurePosixPath(source.path).name
        reason = f"{name} is {len(source.content) >> 20} MiB; a program is at most {most >> 20} MiB"
        raise Refusal(error_pb2.CODE_INVALID, reason, "give it data through files or --input", "too_large")
