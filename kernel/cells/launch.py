"""One process of a capability server: started behind its walls, spoken to under seal, watched, and ended.

It inherits nothing of the kernel but two pipes and the lane. On fd 3 it reads where to listen, the key for this start
and the paths that are never named; on fd 4 it says `ready`. It listens in a folder of its own, so that no server can
put itself in another's place. What it writes to stdout and stderr is kept in a ring for the person, and is never shown
to a program.

Calls go over the lane (fd 5) where the server takes them there, and else, or where they are large, as calls of gRPC.

A call that was sent and not answered is never sent again: gRPC's retries are off, and the failure says `interrupted`.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

import grpc
import msgspec
from google.protobuf.message import DecodeError
from grpc import aio

from agentos.kernel.cells.lane import Cut, Lane, Unsent, open_lane
from agentos.kernel.cells.spawn import hear, spawn, watch
from agentos.manifest.rules import CapabilityRule
from agentos.v1 import capability_pb2, error_pb2, lane, seal

READY_WITHIN_S = 20.0
DRAINS_WITHIN_S = 30.0
STOPS_WITHIN_S = 6.0
DIES_WITHIN_S = 0.25
KEPT_OUTPUT = 16_384
MAX_SOCKET_PATH = 103
DESCRIBE = "/agentos.v1.CapabilityService/Describe"
WATCH = "/agentos.v1.CapabilityService/Watch"
ACKNOWLEDGE = "/agentos.v1.CapabilityService/Acknowledge"
LANE, LISTENER, TOLD = 5, 6, 7
CHANNEL = (
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_send_message_length", seal.MESSAGE_BYTES),
    ("grpc.max_receive_message_length", seal.MESSAGE_BYTES),
)
CODES = frozenset(error_pb2.Code.values()) - {error_pb2.CODE_UNSPECIFIED, error_pb2.CODE_NEEDS_APPROVAL}


class CallFailed(Exception):
    """A call that has no reply. With the detail `interrupted` its effect may have happened, else it did not."""

    def __init__(
        self, code: error_pb2.Code.ValueType, reason: str, hint: str = "", detail: str = "", happened: bool = False
    ) -> None:
        super().__init__(reason)
        self.error = error_pb2.Error(code=code, reason=reason[:500], hint=hint[:500], detail=detail[:32])
        self.error.happened = happened or detail == "interrupted"


class Profile(msgspec.Struct, frozen=True):
    """What a server may do, as agentos.kernel.cells.confine reads it."""

    command: list[str]
    read: list[str]
    write: list[str]
    listen: list[str]
    run: list[str]
    network: bool
    memory_bytes: int
    environment: dict[str, str]
    watches: bool


class Server:
    """A server from its start to its end. `folders` is what it can reach: "read" or "write" by path."""

    def __init__(
        self, rule: CapabilityRule, folders: Mapping[str, str], listener: socket.socket | None = None, *,
        watched: bool = False,
    ) -> None:  # fmt: skip
        self.rule = rule
        self._watched = watched
        self._listener = listener
        self.folders = folders
        self.began = time.monotonic()
        self.output = b""
        self.pid = 0
        self.ended = asyncio.get_running_loop().create_future()
        self._key = secrets.token_bytes(seal.KEY_BYTES)
        # The connection broke: it is of no more use, and on its way out.
        self.lost = False
        # Somebody else killed it, which says nothing of the next one.
        self.cut_off = False
        self._killed = False
        self._nonce = 0
        self._under_way = 0
        self._idle = asyncio.Event()
        self._methods: dict[str, aio.UnaryUnaryMultiCallable[bytes, bytes]] = {}
        self._line: socket.socket | None = None
        self._lane: Lane | None = None

    async def start(self, runtime: Path, keeps: Mapping[str, str], forbidden: tuple[str, ...]) -> None:
        """Start it and wait until it listens. Raises CallFailed; then nothing of it is left."""
        self._place = Path(tempfile.mkdtemp(prefix=f"{self.rule.name[:12]}-", dir=runtime))
        listens = str(self._place / "s")
        boot: dict[str, object] = {"socket": listens, "key": self._key.hex(), "lane": LANE}
        boot |= {"listener": LISTENER} if self._listener else {}
        boot |= {"forbidden": forbidden, "keeps": dict(keeps), "settings": settings(self.rule)}
        walls = profile(self.rule, self.folders, str(self._place), self._watched)
        ready = self._spawn(walls, json.dumps(boot).encode())
        try:
            fits = len(listens) <= MAX_SOCKET_PATH
            heard = fits and (await asyncio.wait((ready,), timeout=READY_WITHIN_S))[0]
            if not heard or not ready.result():
                raise CallFailed(error_pb2.CODE_UNAVAILABLE, f"{self.rule.name} did not start", "see: agentos doctor")
            self._channel = aio.insecure_channel(f"unix:{listens}", options=CHANNEL)
            await self._check_services()
        except BaseException as wrong:
            try:
                if isinstance(wrong, CallFailed):  # where it is on its way out, it is known soon how it ended
                    await asyncio.wait((self.ended,), timeout=DIES_WITHIN_S)
            finally:
                await self.kill()
            raise

    def _spawn(self, walls: Profile, boot: bytes) -> asyncio.Future[bool]:
        """Start the process. The future says whether it got as far as listening."""
        loop = asyncio.get_running_loop()
        boot_out, boot_in = os.pipe()
        ready_out, ready_in = os.pipe()
        output_out, output_in = os.pipe()
        self._line, theirs = socket.socketpair()
        with theirs, tempfile.TemporaryFile(dir=self._place) as told:
            told.write(msgspec.json.encode(walls))
            told.seek(0)
            given = {1: output_in, 2: output_in, 3: boot_out, 4: ready_in, LANE: theirs.fileno(), TOLD: told.fileno()}
            given |= {LISTENER: self._listener.fileno()} if self._listener else {}
            self.pid = spawn([sys.executable, "-I", "-m", "agentos.kernel.cells.confine", str(TOLD)], given)
        for fd in (boot_out, ready_in, output_in):
            os.close(fd)
        with suppress(BrokenPipeError), os.fdopen(boot_in, "wb") as pipe:
            pipe.write(boot)
        ready: asyncio.Future[bool] = loop.create_future()
        hear(ready_out, partial(_settle, ready))
        hear(output_out, self._keep)
        watch(self.pid, self._gone)
        return ready

    def _keep(self, heard: bytes) -> None:
        self.output = (self.output + heard)[-KEPT_OUTPUT:]

    def _gone(self, status: int) -> None:
        shutil.rmtree(self._place, ignore_errors=True)
        if self._line:
            self._line.close()
        self.cut_off = not self._killed and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if not self.ended.done():
            self.ended.set_result(None)

    async def _check_services(self) -> None:
        context = capability_pb2.CallContext(deadline_unix_ms=int((time.time() + READY_WITHIN_S) * 1000))
        raw = await self.call(DESCRIBE, b"", context)
        with suppress(DecodeError):
            described = capability_pb2.DescribeResponse.FromString(raw)
            if self.rule.service in described.services:
                if described.lane and self._line:
                    self._lane, self._line = await open_lane(self._line, self._broke), None
                return
        raise CallFailed(error_pb2.CODE_UNAVAILABLE, f"{self.rule.name} does not serve what it is registered for")

    # ---- calls

    def usable(self) -> bool:
        """Whether a call may be sent. One that was killed is found out now, not when the news of it comes."""
        if not self.lost:
            try:
                self.lost = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
            except ChildProcessError:  # buried already, and its grave not yet seen
                self.lost = True
        return not self.lost

    async def call(self, method: str, request: bytes, context: capability_pb2.CallContext) -> bytes:
        """Send one call under seal. The context has its deadline; the nonce is set here. Raises CallFailed."""
        remaining = context.deadline_unix_ms / 1000 - time.time()
        if remaining <= 0:
            raise CallFailed(error_pb2.CODE_UNAVAILABLE, f"the call's time was up before {self.rule.name} was asked")
        self._under_way += 1
        try:
            told, mark = self._sealed(method, request, context)
            if self._lane and lane.fits(request):
                frame = lane.call(self._nonce, mark, method, told, request)
                return await self._over_the_lane(self._lane, frame, remaining)
            sealed = (seal.CONTEXT, told), (seal.SEAL, mark)
            return await self._method(method)(request, timeout=remaining, metadata=sealed)
        except aio.AioRpcError as problem:
            if problem.code() == grpc.StatusCode.UNAVAILABLE and said_in(problem) is None:
                self._broke()
            raise failed(self.rule.name, problem) from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Not the caller: the connection was closed under it.
            raise stopped(self.rule.name) from None
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def watch(self, wanted: capability_pb2.WatchRequest) -> AsyncIterator[capability_pb2.WatchResponse]:
        """What it tells of, until it ends. Raises CallFailed."""
        request = wanted.SerializeToString()
        context = capability_pb2.CallContext(deadline_unix_ms=int((time.time() + READY_WITHIN_S) * 1000))
        told, mark = self._sealed(WATCH, request, context)
        sealed = (seal.CONTEXT, told), (seal.SEAL, mark)
        call: aio.UnaryStreamMultiCallable[bytes, bytes] = self._channel.unary_stream(WATCH)
        try:
            async for raw in call(request, metadata=sealed):
                yield capability_pb2.WatchResponse.FromString(raw)
        except aio.AioRpcError as problem:
            raise failed(self.rule.name, problem) from None
        except DecodeError:
            raise CallFailed(error_pb2.CODE_UNAVAILABLE, f"{self.rule.name} told of nonsense") from None

    async def acknowledge(self, event: str, taken: capability_pb2.Taken.ValueType) -> None:
        """Say what became of an event. Raises CallFailed."""
        asked = capability_pb2.AcknowledgeRequest(id=event, taken=taken)
        context = capability_pb2.CallContext(deadline_unix_ms=int((time.time() + READY_WITHIN_S) * 1000))
        await self.call(ACKNOWLEDGE, asked.SerializeToString(), context)

    def _broke(self) -> None:
        """The way to it broke, or it said what no server says."""
        self._killed = self._killed or self.usable()  # not if it is dead, and that not yet seen
        self.lost = True
        self._signal(signal.SIGKILL)

    def _sealed(self, method: str, request: bytes, context: capability_pb2.CallContext) -> tuple[bytes, bytes]:
        """The context with a nonce of its own, and the seal of the call."""
        self._nonce += 1
        context.nonce = seal.nonce(self._nonce)
        told = context.SerializeToString()
        return told, seal.seal(self._key, method, told, request)

    async def _over_the_lane(self, line: Lane, call: bytes, seconds: float) -> bytes:
        """Send a call over the lane; its number is its nonce."""
        name = self.rule.name
        try:
            kind, body = await line.ask(self._nonce, call, seconds)
        except Unsent:
            raise CallFailed(error_pb2.CODE_UNAVAILABLE, f"{name} could not be asked") from None
        except Cut:
            raise stopped(name) from None
        except TimeoutError:
            reason = f"{name} did not answer in time"
            raise CallFailed(error_pb2.CODE_UNAVAILABLE, reason, detail="interrupted") from None
        if kind == lane.REPLY:
            return body
        with suppress(DecodeError):
            if failure := typed(error_pb2.Error.FromString(body)):
                raise failure
        raise CallFailed(error_pb2.CODE_UNAVAILABLE, f"{name} answered nonsense", detail="interrupted")

    def _method(self, name: str) -> aio.UnaryUnaryMultiCallable[bytes, bytes]:
        found = self._methods.get(name)
        if found is None:
            found = self._methods[name] = self._channel.unary_unary(name)
        return found

    # ---- the end

    async def retire(self) -> None:
        """Let the calls under way finish, then stop it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAINS_WITHIN_S):
                while self._under_way:
                    self._idle.clear()
                    await self._idle.wait()
        self._signal(signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self.ended), STOPS_WITHIN_S)
        await self.kill()

    async def kill(self) -> None:
        """End it now; calls under way are interrupted. Returns when it is gone."""
        self._killed = not self.ended.done()
        self._signal(signal.SIGKILL)
        await asyncio.shield(self.ended)
        if hasattr(self, "_channel"):
            await self._channel.close()

    def _signal(self, number: int) -> None:
        if not self.ended.done():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _settle(ready: asyncio.Future[bool], heard: bytes) -> None:
    if not ready.done():
        ready.set_result(heard == b"ready\n")


def profile(rule: CapabilityRule, folders: Mapping[str, str], place: str, watched: bool = False) -> Profile:
    """The walls of a server: its folders, the place of its socket, its own code."""
    command = [sys.executable if word == "{python}" else word for word in rule.command]
    foreign = bool(rule.folder) and not any(word.startswith("agentos.") for word in command)
    return Profile(
        command=command,
        read=[*(path for path, how in folders.items() if how == "read"), *_files(rule)],
        write=[path for path, how in folders.items() if how == "write"],
        listen=[place],
        run=[rule.folder] if foreign else [],
        network=rule.network,
        memory_bytes=rule.memory_bytes,
        environment={"PYTHONPATH": rule.folder} if foreign else {},
        watches=watched and bool(folders),
    )


def settings(rule: CapabilityRule) -> dict[str, str]:
    """What our environment sets for this capability, and for no other: AGENTOS_NET_CA is the ca of net."""
    made = {name: os.environ.get(f"AGENTOS_{rule.name}_{name}".upper(), "") for name, _ in rule.settings}
    made |= {name: os.path.realpath(made[name]) for name, kind in rule.settings if kind == "file" and made[name]}
    return {name: value for name, value in made.items() if value}


def port(rule: CapabilityRule) -> int:
    """Where what is handed to it listens."""
    made = settings(rule).get("port", "")
    return int(made) if made.isdecimal() else rule.listens


def _files(rule: CapabilityRule) -> list[str]:
    made = settings(rule)
    return [made[name] for name, kind in rule.settings if kind == "file" and name in made]


def said_in(problem: aio.AioRpcError) -> CallFailed | None:
    """What the server itself said of a failure; None where it is the connection that failed, or nonsense."""
    for key, value in problem.trailing_metadata() or ():
        if key == seal.ERROR and isinstance(value, bytes):
            with suppress(DecodeError):
                error = error_pb2.Error.FromString(value)
                if failure := typed(error):
                    return failure
    return None


def failed(name: str, problem: aio.AioRpcError) -> CallFailed:
    """What a status means. Only what a server typed itself is known to have had no effect."""
    if failure := said_in(problem):
        return failure
    if problem.code() == grpc.StatusCode.UNIMPLEMENTED:
        return CallFailed(error_pb2.CODE_UNAVAILABLE, f"{name} does not know this action")
    if problem.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
        reason = f"the reply of {name} is larger than one call can carry, or it is too busy"
        return CallFailed(error_pb2.CODE_LIMIT, reason, detail="interrupted")
    if problem.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
        return CallFailed(error_pb2.CODE_UNAVAILABLE, f"{name} did not answer in time", detail="interrupted")
    return stopped(name)


def typed(error: error_pb2.Error) -> CallFailed | None:
    """What a server says of a failure; None for what it may not say."""
    if error.code not in CODES or not error.reason:
        return None
    return CallFailed(error.code, error.reason, error.hint, error.detail, error.happened)


def stopped(name: str) -> CallFailed:
    reason = f"{name} stopped in the middle of the call"
    return CallFailed(error_pb2.CODE_UNAVAILABLE, reason, "see what it did before you repeat it", "interrupted")
