"""The capability servers of a kernel: started on first use, restarted when they end, kept to the folders of grants.

Restarts back off: at once, then after 0.1 s, 0.2 s, doubling up to 5 s; a healthy minute begins anew. One that dies of
itself as it starts is tried five times, one that somebody else kills twenty times. A call that finds its server gone
waits for the restart within its own deadline; one that was under way fails as `interrupted`.

A server whose folders are "granted" reaches only the roots of grants in use. A running process cannot be given more:
where a root is not covered, a second server with the wider profile takes over, and the first stops when its calls
have finished. A root that nothing asked for in ten minutes is left out at the next start. Never in a profile: what is
forbidden, and a root with a link in it (the server itself refuses links; the wall must not lead through one). A root
*above* a forbidden folder cannot be walled off beneath by Landlock: there the server's own check stands alone.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path

import msgspec
from google.protobuf.message import DecodeError

from agentos.kernel.cells.launch import CallFailed, Server, port
from agentos.manifest.rules import CapabilityRule, Catalog
from agentos.v1 import capability_pb2, error_pb2, patterns, seal

__all__ = ["CallFailed", "Servers", "State"]

CALLS_AT_ONCE = 200
# Of a server that dies of itself as it starts, and of one that others kill, which says nothing of the next.
STARTS, MOST_STARTS = 5, 20
CALL_WITHIN_S = 60.0
HEALTHY_AFTER_S = 60.0
MAX_DELAY_S = 5.0
MAX_ROOTS = 128
ROOT_KEPT_S = 600.0
NOTED_FOR_S = 1.0
PREPARE = "/agentos.v1.CapabilityService/Prepare"
LOOK_UP = "/agentos.v1.CapabilityService/LookUp"


class State(msgspec.Struct, frozen=True):
    """For the person: `state` is stopped, starting, ready or failed; `output` the last it wrote."""

    state: str
    pid: int
    restarts: int
    folders: tuple[str, ...]
    output: str


def delay(failures: int) -> float:
    """How long to wait before the start that follows this many failures in a row, in seconds."""
    return 0.0 if failures < 2 else min(0.1 * 2.0 ** min(failures - 2, 10), MAX_DELAY_S)


class Seat:
    """One capability's place: who serves it now, what it may reach, how often it failed."""

    def __init__(self, rule: CapabilityRule, *, watched: bool = False) -> None:
        self.rule = rule
        self.watched = watched
        self.server: Server | None = None
        self.starting = asyncio.Lock()
        self.places = asyncio.Semaphore(CALLS_AT_ONCE)
        # Path: how it may be reached, and when that was last asked for.
        self.roots: dict[str, tuple[str, float]] = {}
        # (root, how): when the folders were last looked at for it.
        self.noted: dict[tuple[str, str], float] = {}
        self.failures = 0
        self.restarts = 0
        self.not_before = 0.0
        # The last one that did not start was killed by somebody else.
        self.cut_off = False

    def folders(self, now: float) -> dict[str, str]:
        """What a server started now may reach."""
        self.roots = {path: (how, used) for path, (how, used) in self.roots.items() if now - used < ROOT_KEPT_S}
        self.noted = {asked: when for asked, when in self.noted.items() if now - when < ROOT_KEPT_S}
        newest = sorted(self.roots.items(), key=lambda item: -item[1][1])[:MAX_ROOTS]
        return {path: how for path, (how, _) in newest}

    def failed(self, now: float, began: float) -> None:
        self.failures = 1 if now - began >= HEALTHY_AFTER_S else self.failures + 1
        self.not_before = now + delay(self.failures)


class Servers:
    """`runtime` is a 0700 folder for sockets; `forbidden` are real paths that no profile and no server opens."""

    def __init__(self, catalog: Catalog, runtime: Path, forbidden: tuple[str, ...]) -> None:
        self._catalog = catalog
        self._runtime = runtime
        self._forbidden = forbidden
        # Told of a server's start, its end where nobody ended it, and a start that failed: what, which, pid, how often.
        self.told: Callable[[str, str, int, int], object] = lambda event, capability, pid, restarts: None
        self._seats: dict[str, Seat] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._alive: set[Server] = set()
        # Kept while it is watched: who calls while a server is exchanged for another waits, and is not turned away.
        self._listeners: dict[str, socket.socket] = {}

    async def call(self, capability: str, method: str, request: bytes, context: capability_pb2.CallContext) -> bytes:
        """The reply to a request of this method, /agentos.v1.FilesService/Read. Raises CallFailed.

        A deadline that the context lacks is set to a minute from now.
        """
        if not context.deadline_unix_ms:
            context.deadline_unix_ms = int((time.time() + CALL_WITHIN_S) * 1000)
        if len(request) > seal.REQUEST_BYTES or context.ByteSize() > seal.CONTEXT_BYTES - 4096:
            raise CallFailed(error_pb2.CODE_LIMIT, "the call is larger than one call can carry", detail="too_large")
        seat = self._seat(capability)
        if seat.places.locked():
            await self._place(seat, context.deadline_unix_ms / 1000)
        else:
            await seat.places.acquire()
        try:
            server = await self._running(seat, context.deadline_unix_ms / 1000)
            return await server.call(method, request, context)
        finally:
            seat.places.release()

    async def _place(self, seat: Seat, deadline: float) -> None:
        try:
            async with asyncio.timeout(max(deadline - time.time(), 0)):
                await seat.places.acquire()
        except TimeoutError:
            raise CallFailed(error_pb2.CODE_UNAVAILABLE, f"{seat.rule.name} is too busy") from None

    async def prepare(
        self, capability: str, action: str, request: bytes, context: capability_pb2.CallContext
    ) -> tuple[capability_pb2.Target, ...]:
        """What a call of this action, files.move, would be about; without effect. Raises CallFailed."""
        asked = capability_pb2.PrepareRequest(action=action, request=request).SerializeToString()
        raw = await self.call(capability, PREPARE, asked, context)
        try:
            return tuple(capability_pb2.PrepareResponse.FromString(raw).targets)
        except DecodeError:
            raise CallFailed(error_pb2.CODE_UNAVAILABLE, f"{capability} answered nonsense") from None

    async def look_up(
        self, capability: str, asked: capability_pb2.LookUpRequest, context: capability_pb2.CallContext
    ) -> capability_pb2.LookUpResponse:
        """Whether a call happened whose answer never came. Raises CallFailed."""
        raw = await self.call(capability, LOOK_UP, asked.SerializeToString(), context)
        try:
            return capability_pb2.LookUpResponse.FromString(raw)
        except DecodeError:
            raise CallFailed(error_pb2.CODE_UNAVAILABLE, f"{capability} answered nonsense") from None

    async def allow(self, capability: str, roots: Mapping[str, str]) -> None:
        """Make sure that the server can reach these folders ("read" or "write"), or what is there above them."""
        seat = self._seat(capability)
        if seat.rule.folders != ("granted",):
            return
        now = time.monotonic()
        fresh = [(root, how) for root, how in roots.items() if now - seat.noted.get((root, how), -1.0) >= NOTED_FOR_S]
        for root, how in fresh:
            self._note(seat, nearest_folder(root), how, now)
        # One that is starting was told of its folders before this one.
        starting = seat.starting.locked()
        if fresh and (starting or (seat.server and not covers(seat.server.folders, seat.folders(now)))):
            await self._widen(seat)
        # Only now: who asks for the same while it is widened has to wait for that.
        seat.noted.update(dict.fromkeys(fresh, now))

    async def watcher(self, capability: str, places: Sequence[str]) -> Server:
        """A server of its own, to be watched and then killed by who asked for it. Raises CallFailed.

        It keeps nothing, and reads below the roots of these patterns alone, if its folders are those of grants.
        """
        seat = Seat(self._seat(capability).rule, watched=True)
        for place in places:
            self._note(seat, nearest_folder(patterns.root(place)), "read", time.monotonic())
        if seat.rule.listens and capability not in self._listeners:
            self._listeners[capability] = listening(seat.rule)
        return await self._start(seat, self._listeners.get(capability))

    def unwatched(self, capability: str) -> None:
        """Nobody watches it any more: who calls is turned away."""
        if listener := self._listeners.pop(capability, None):
            listener.close()

    def states(self) -> dict[str, State]:
        return {name: _state(seat) for name, seat in self._seats.items()}

    def statistics(self) -> dict[str, dict[str, int]]:
        """Of each capability that was called: whether its server is there, and how often one was put in its place."""
        found = self.states()
        return {name: {"up": int(state.state == "ready"), "restarts": state.restarts} for name, state in found.items()}

    async def stop(self, capability: str) -> None:
        """Stop a server; calls under way finish first. The next call starts it again."""
        seat = self._seats.pop(capability, None)
        if seat and seat.server:
            server, seat.server = seat.server, None
            await server.retire()

    async def close(self) -> None:
        """End all servers now, those that are finishing their calls too."""
        self._seats.clear()
        for task in self._tasks:
            task.cancel()
        ending = (server.kill() for server in tuple(self._alive))
        await asyncio.gather(*ending, *self._tasks, return_exceptions=True)
        for capability in list(self._listeners):
            self.unwatched(capability)

    # ---- starting and restarting

    def _seat(self, capability: str) -> Seat:
        seat = self._seats.get(capability)
        if seat is None:
            rule = self._catalog.capabilities.get(capability)
            if rule is None or not rule.command:
                raise CallFailed(error_pb2.CODE_UNAVAILABLE, f"nobody serves {capability}", "see: agentos capabilities")
            seat = self._seats[capability] = Seat(rule)
        return seat

    async def _running(self, seat: Seat, deadline: float) -> Server:
        if seat.server and seat.server.usable():
            return seat.server
        try:
            async with asyncio.timeout(max(deadline - time.time(), 0)), seat.starting:
                if seat.server and seat.server.lost:
                    await self._guard(seat, seat.server)
                if not seat.server:
                    seat.server = await self._started(seat)
                return seat.server
        except TimeoutError:
            raise CallFailed(error_pb2.CODE_UNAVAILABLE, f"{seat.rule.name} did not start in time") from None

    async def _widen(self, seat: Seat) -> None:
        """Start a server that reaches all that is asked for now, and let the running one finish."""
        async with seat.starting:
            narrow = seat.server
            if narrow and not covers(narrow.folders, seat.folders(time.monotonic())):
                seat.server = await self._started(seat)
                self._spawn(narrow.retire())

    async def _started(self, seat: Seat) -> Server:
        """A new server; tried again where one dies in its start, since nothing was asked of it yet."""
        left = MOST_STARTS
        while True:
            await asyncio.sleep(max(seat.not_before - time.monotonic(), 0))
            try:
                return await self._start(seat)
            except CallFailed:
                left -= 1 if seat.cut_off else MOST_STARTS // STARTS
                if left <= 0:
                    raise

    async def _start(self, seat: Seat, listener: socket.socket | None = None) -> Server:
        keeps = {} if seat.watched else {name: _kept(name) for name in seat.rule.keeps}
        folders = seat.folders(time.monotonic()) | dict.fromkeys(keeps.values(), "write")
        if seat.rule.folders != ("granted",):
            folders |= dict.fromkeys(map(_at_home, seat.rule.folders), "write")
        server = Server(seat.rule, folders, listener, watched=seat.watched)
        self._alive.add(server)
        server.ended.add_done_callback(lambda _: self._alive.discard(server))
        try:
            await server.start(self._runtime, keeps, self._forbidden)
        except CallFailed:
            seat.failed(time.monotonic(), server.began)
            seat.cut_off = server.cut_off
            self.told("server.failed", seat.rule.name, server.pid, seat.restarts)
            raise
        self.told("server.started", seat.rule.name, server.pid, seat.restarts)
        self._spawn(self._guard(seat, server))
        return server

    async def _guard(self, seat: Seat, server: Server) -> None:
        """Note the end of a server that nobody ended."""
        await asyncio.shield(server.ended)
        if seat.server is server:
            seat.server = None
            seat.restarts += 1
            seat.failed(time.monotonic(), server.began)
            self.told("server.ended", seat.rule.name, server.pid, seat.restarts)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _note(self, seat: Seat, path: str, how: str, now: float) -> None:
        """Remember that a folder was asked for, if it may be in a profile at all."""
        if os.path.realpath(path) != path or any(_within(path, place) for place in self._forbidden):
            return
        known = seat.roots.get(path, ("read", 0.0))[0]
        seat.roots[path] = ("write" if "write" in (how, known) else "read", now)


def listening(rule: CapabilityRule) -> socket.socket:
    """What listens for a server that has no network, on loopback alone. Raises CallFailed."""
    try:
        return socket.create_server(("127.0.0.1", port(rule)), backlog=64)
    except (OSError, OverflowError):
        reason = f"port {port(rule)} is taken: set AGENTOS_{rule.name.upper()}_PORT to one that is free"
        raise CallFailed(error_pb2.CODE_UNAVAILABLE, reason) from None


def covers(has: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether every wanted folder lies in one that a server has, with the same right or a wider one."""
    return all(
        any(_within(path, root) and right in (how, "write") for root, right in has.items())
        for path, how in wanted.items()
    )


def _within(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def nearest_folder(path: str) -> str:
    """The folder itself or the nearest above it that is there."""
    while path != "/" and not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _at_home(path: str) -> str:
    return os.path.expanduser(path)


def _kept(name: str) -> str:
    """The folder that a capability keeps under this name, made if need be."""
    if name != "trash":
        raise CallFailed(error_pb2.CODE_UNAVAILABLE, f"there is no folder to keep as {name}", "keeps may name: trash")
    home = os.path.expanduser("~")
    share = os.environ.get("XDG_DATA_HOME") or f"{home}/.local/share"
    path = f"{home}/.Trash" if sys.platform == "darwin" else f"{share}/Trash"
    os.makedirs(path, 0o700, exist_ok=True)
    return os.path.realpath(path)


def _state(seat: Seat) -> State:
    if seat.server:
        output = seat.server.output.decode(errors="replace")
        return State("ready", seat.server.pid, seat.restarts, tuple(sorted(seat.server.folders)), output)
    word = "starting" if seat.starting.locked() else "failed" if seat.failures else "stopped"
    return State(word, 0, seat.restarts, (), "")
