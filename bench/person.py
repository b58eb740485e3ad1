"""The person's side: a real kernel on a home of its own, programs run through its control service, answers in full."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import grpc

from agentos.v1 import control_pb2 as pb
from agentos.v1 import control_pb2_grpc

SECONDS = 600.0
STILL_WITHIN_S = 60.0
AT_ONCE = 200  # more streams than this on one channel are known to fail in grpc itself


@dataclass(frozen=True)
class Up:
    """A kernel that is up, with this many cells kept ready."""

    home: Path
    socket: str
    credential: str
    pid: int
    ready: int


@dataclass(frozen=True)
class Ran:
    """A run to its end. Times are unix microseconds, by the asker's clock; the kernel's are in `run`."""

    run: pb.Run
    asked_us: int
    heard_us: int
    failure: str = ""

    @property
    def done(self) -> bool:
        return not self.failure and self.run.status == pb.RUN_STATUS_DONE

    @property
    def result(self) -> object:
        return json.loads(self.run.result) if self.run.result else None

    @property
    def why(self) -> str:
        """Why it did not get done, for a person."""
        return self.failure or f"{self.run.id} {pb.RunStatus.Name(self.run.status)}: {self.run.error.reason}"


@contextmanager
def kernel(
    ready: int, module: str = "agentos.kernel", made: Callable[[Path], None] = lambda home: None
) -> Iterator[Up]:
    """A kernel in the temporary folder. Its first start compiles the guest's image; at the end all is removed.

    `made` is told of the new home before that.
    """
    place = Path(tempfile.mkdtemp(prefix="agentos-bench-")).resolve()
    home, log = place / "home", place / "log"
    wrap = ["--wrap", "key-file", "--key-file", str(place / "key")]
    _home("init", home, wrap)
    made(home)
    told, tell = os.pipe()
    command = [sys.executable, "-m", module, "serve", "--home", str(home)]
    command += ["--ready-fd", str(tell), "--ready-cells", str(ready)]
    with log.open("wb") as out, open(told, encoding="utf-8") as listening:
        environment = os.environ | {"AGENTOS_STATE": str(place / "state")}
        process = subprocess.Popen(
            command, pass_fds=(tell,), stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment
        )
        os.close(tell)
        try:
            said = json.loads(listening.readline() or "{}")
            if not said.get("ok"):
                sys.exit(f"the kernel did not start: {said} {log.read_text()}")
            yield Up(home, said["socket"], Path(said["credential"]).read_text().strip(), said["pid"], ready)
        finally:
            process.terminate()
            process.wait(30)
            shutil.rmtree(place, ignore_errors=True)


def _home(verb: str, home: Path, more: list[str]) -> None:
    command = [sys.executable, "-m", "agentos.home", verb, "--home", str(home), *more]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60)


class Person:
    """One person in one folder, at a kernel that is up."""

    def __init__(self, up: Up, channel: grpc.aio.Channel, folder: Path) -> None:
        self.up = up
        self.folder = folder
        self._control = control_pb2_grpc.ControlServiceStub(channel)
        self.metadata = (("authorization", f"Bearer {up.credential}"),)
        self._places = asyncio.Semaphore(AT_ONCE)

    async def run(
        self, program: Path, given: object = None, grant: bool = False, after: bytes = b"",
        asked: Callable[[], None] | None = None,
    ) -> Ran:  # fmt: skip
        """Run a program to its end; `grant` gives what its manifest asks, and is wanted once for each version.

        `after` are lines to come after its own; `asked` is called whenever it waits for a line of input.
        """
        source = pb.Source(path=str(self.folder / program.name), content=_read(program) + after)
        request = pb.RunRequest(
            source=source, start_folder=str(self.folder), home_folder=str(self.folder),
            input="" if given is None else json.dumps(given), ask=pb.ASK_DENY, grant_manifest=grant,
            interactive=asked is not None,
        )  # fmt: skip
        async with self._places:
            ended, failure, asked_us = pb.Run(), "it never ended", _now_us()
            run = ""
            try:
                async for event in self._control.Run(request, metadata=self.metadata, timeout=SECONDS):
                    match event.WhichOneof("event"):
                        case "accepted":
                            run = event.accepted.run
                        case "input_wanted" if asked:
                            asked()
                            await self._control.Type(pb.TypeRequest(run=run), metadata=self.metadata)
                        case "ended":
                            ended, failure = event.ended, ""
            except grpc.aio.AioRpcError as wrong:
                failure = f"{wrong.code().name}: {wrong.details()}"
            return Ran(ended, asked_us, _now_us(), failure)

    async def add(self, name: str, capability: Path) -> None:
        """Register the capability of a folder, unless it is there already."""
        there = await self._control.ListCapabilities(
            pb.ListCapabilitiesRequest(), metadata=self.metadata, timeout=SECONDS
        )
        if any(each.name == name for each in there.capabilities):
            return
        request = pb.AddCapabilityRequest(folder=str(capability))
        await self._control.AddCapability(request, metadata=self.metadata, timeout=SECONDS)

    async def ended(self, run: str) -> pb.Run:
        """A run that began by itself, when it is over."""
        followed = self._control.Follow(pb.FollowRequest(run=run), metadata=self.metadata, timeout=SECONDS)
        async for each in followed:
            if each.event.HasField("ended"):
                return each.event.ended
        sys.exit(f"{run} never ended")

    async def status(self) -> pb.StatusResponse:
        return await self._control.Status(pb.StatusRequest(), metadata=self.metadata, timeout=SECONDS)

    async def calls(self, run: str) -> list[pb.Call]:
        shown = await self._control.ShowRun(pb.ShowRunRequest(run=run), metadata=self.metadata, timeout=SECONDS)
        return list(shown.calls)

    async def still(self) -> None:
        """Wait until nothing is under way and the pool is full."""
        until = time.monotonic() + STILL_WITHIN_S
        while True:
            status = await self.status()
            if not (status.runs_active or status.cells_busy) and status.cells_ready >= self.up.ready:
                return
            if time.monotonic() > until:
                sys.exit(f"the kernel does not come to rest: {status}")
            await asyncio.sleep(0.005)


@cache
def _read(program: Path) -> bytes:
    return program.read_bytes()


def _empty_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="agentos-bench-person-")).resolve()


@asynccontextmanager
async def person(up: Up) -> AsyncIterator[Person]:
    """A person in an empty folder, beside no home."""
    folder = _empty_folder()
    most = [("grpc.max_receive_message_length", 80 << 20)]
    async with grpc.aio.insecure_channel(f"unix:{up.socket}", options=most) as channel:
        try:
            yield Person(up, channel, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _now_us() -> int:
    return time.time_ns() // 1000
