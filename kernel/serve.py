"""Putting a kernel together: the one place where its parts meet the machine.

    home unlocked -> journal verified and folded -> capabilities known -> guest mapped -> control service listens

Everything is closed in the opposite order. What is not here is handed in: a part that is tested needs no kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import secrets
import signal
import time
from collections.abc import Callable
from pathlib import Path as FilePath

import grpc
import msgspec

from agentos.events import watching
from agentos.events.dispatch import Dispatch
from agentos.events.sending import Sending
from agentos.home import log, places
from agentos.home.history import CapabilityAdded, CapabilityRemoved
from agentos.home.home import Home
from agentos.home.journal import Journal, JournalBroken
from agentos.home.keys import HomeError
from agentos.home.marks import Marks
from agentos.home.notify import Keeper
from agentos.home.records import Grant, Revoked
from agentos.home.refusal import Refusal
from agentos.home.spool import Handover
from agentos.home.vault import Vault
from agentos.kernel.cells.images import Images
from agentos.kernel.cells.launch import CallFailed, port
from agentos.kernel.cells.servers import Servers
from agentos.kernel.control import Control, Credential, events
from agentos.kernel.ledger import FOLD, Ledger
from agentos.kernel.own import Powers
from agentos.kernel.path import Path
from agentos.kernel.programs import Loader
from agentos.kernel.reach import Reach
from agentos.kernel.secrets import Secrets
from agentos.kernel.statistics import Statistics
from agentos.kernel.wire import CODES
from agentos.manifest import listed
from agentos.manifest.catalog import folder_digest, installed, read_capability
from agentos.manifest.rules import CatalogError
from agentos.runs.covered import Covered
from agentos.runs.desk import Desk
from agentos.runs.runs import Runs
from agentos.v1 import control_pb2, control_pb2_grpc, error_pb2, events_pb2_grpc, statistics_pb2_grpc

GUEST = FilePath(__file__).parents[1] / "guests" / "python" / "guest.wasm"
MAX_MESSAGE = 80 << 20


class Kernel:
    """A running kernel of one home."""

    def __init__(self, home: Home, journal: Journal, vault: Vault, images: Images, ready: int) -> None:
        self.home = home.path
        self.guest = GUEST
        self.started_ms = time.time_ns() // 1_000_000
        self.ledger = Ledger(journal)
        self.catalog = installed({each.folder: each.digest for each in self.ledger.folders.values()})
        self.vault = vault
        self.secrets = Secrets(self.ledger, vault, self.catalog, _now_ms)
        self.servers = Servers(self.catalog, home.runtime, (os.path.realpath(home.path),))
        self.desk = Desk(self.ledger, self.ledger, self.catalog, _now_ms)
        self.loader = Loader(images, journal, GUEST, ready)
        forbidden = tuple({str(home.path), os.path.realpath(home.path), str(home.runtime)})
        reach = Reach(self.servers, self.secrets)
        powers = Powers()
        path = Path(self.catalog, self.ledger.table, self.ledger, reach, powers.unix_ms, forbidden)
        self.runs = Runs(self.catalog, self.ledger, self.desk, path, self.loader, self.secrets, powers)
        self.dispatch = Dispatch(self.ledger, self.runs, powers.unix_ms)
        self.runs.roster.look = self.dispatch.wake
        self.runs.roster.send = Sending(self.ledger, self.dispatch).send
        self.marks = Marks.open(home.path / "marks.db", home.keys.database)
        covered = Covered(self.ledger, self.catalog, powers.unix_ms)
        watched = watching.Powers(self.servers, CallFailed, self._port, self.marks, covered)
        self.watching = watching.Watching(self.ledger.queue, self.dispatch, watched)
        self.ledger.listeners.append(self._granted)
        self.leaves = self.locking = False  # it ends with a command; when it stops, the key is to be forgotten

    def said(self) -> str:
        """How it is, in one line."""
        active, asked = len(self.runs.active), len(self.desk.open)
        return f"serving; {active} {'run' if active == 1 else 'runs'} under way, {asked} waiting for an answer"

    async def close(self) -> None:
        self.dispatch.close()
        await self.watching.close()
        await self.runs.close()
        await self.servers.close()
        await self.loader.close()
        self.vault.close()
        self.marks.close()
        with contextlib.suppress(JournalBroken):
            self.ledger.keep()
        await self.ledger.journal.close()

    def _granted(self, record: object) -> None:
        """Other grants are other things that may be watched."""
        if isinstance(record, Revoked) or (isinstance(record, Grant) and record.path in self.ledger.queue.programs):
            self.watching.look()

    def _port(self, capability: str) -> int:
        return port(self.catalog.capabilities[capability])

    def capabilities(self) -> list[control_pb2.CapabilityInfo]:
        shown = listed.capabilities(self.catalog)
        states = self.servers.states()
        for info in shown:
            if state := states.get(info.name):
                info.state, info.pid, info.restarts = state.state, state.pid, state.restarts
                info.folders.extend(state.folders)
        return shown

    async def add_capability(self, folder: str) -> control_pb2.CapabilityInfo:
        try:
            entry = read_capability(FilePath(folder))
            self.catalog.add(entry)
        except CatalogError as wrong:
            raise Refusal(error_pb2.CODE_INVALID, wrong.reason, wrong.hint) from None
        record = CapabilityAdded(folder, entry.name, folder_digest(FilePath(folder)))
        await self.ledger.durable(self.ledger.record(record))
        return next(info for info in self.capabilities() if info.name == entry.name)

    async def remove_capability(self, name: str) -> None:
        if name not in self.ledger.folders:
            raise Refusal(error_pb2.CODE_NOT_FOUND, f"{name} was not added", "see: agentos capabilities")
        self.catalog.remove(name)
        await self.servers.stop(name)
        await self.ledger.durable(self.ledger.record(CapabilityRemoved(name)))


def _status(number: int) -> str:
    name: str = control_pb2.RunStatus.DESCRIPTOR.values_by_number[number].name
    return name.removeprefix("RUN_STATUS_").lower()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Options(msgspec.Struct, frozen=True):
    """How to serve. `ready_fd` gets one JSON line when the control service listens, or why it does not.

    `until_fd` is a pipe that whoever needs the kernel holds open; without it the kernel stays until it is told to stop.
    """

    ready_fd: int
    ready_cells: int = 2
    require_walls: bool = False
    until_fd: int | None = None
    token: str = ""  # of the credential; empty: a new one
    keeper: Keeper = msgspec.field(default_factory=Keeper)
    command: str = ""  # it is for one alone: "run", or "look", which runs nothing and does not wait for the guest


async def _until_closed(descriptor: int, kernel: Kernel, stop: asyncio.Event) -> None:
    """Stop once the other end of this pipe is closed and no run, of whomever, is under way."""
    closed, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(descriptor, closed.set)
    await closed.wait()
    loop.remove_reader(descriptor)
    while kernel.runs.active:  # noqa: ASYNC110  rare and short: runs need not know of this
        await asyncio.sleep(0.1)
    stop.set()


async def serve(home: Home, options: Options) -> bool:
    """Serve a home that is unlocked and locked for us, until told to stop; whether the key is to be forgotten then."""
    keeper, walls, stop = options.keeper, options.require_walls, asyncio.Event()
    kernel = _kernel(home, options.ready_cells, stop)
    kernel.leaves = bool(options.command)
    lines = _log(kernel, home)
    token = options.token or secrets.token_urlsafe(32)
    server = _server(kernel, stop, token, lines.statistics)
    waiting = [] if options.until_fd is None else [asyncio.create_task(_until_closed(options.until_fd, kernel, stop))]
    try:
        keeper.status("preparing the guest")
        missing = await _guest(kernel, walls) if walls or options.command != "look" else []
        socket = home.runtime / "control.sock"
        socket.unlink(missing_ok=True)
        server.add_insecure_port(f"unix:{socket}")
        home.write_credential(token)
        gc.freeze()  # what is there now stays: looking through it for garbage held up a call for 8 ms
        kernel.runs.resume()
        kernel.dispatch.resume()
        sealed = Handover(home, kernel.ledger.journal, kernel.dispatch.send)
        if not await sealed.all():  # before anybody can send one that overtakes them
            waiting.append(asyncio.create_task(sealed.go_on()))
        await server.start()
        _tell(options.ready_fd, ok=True, socket=str(socket), credential=str(home.credential), missing=missing)
        lines.say("kernel.started", pid=os.getpid(), missing=missing)
        keeper.ready(kernel.said)
        await stop.wait()
        kernel.ledger.journal.check()
        return kernel.locking
    except Exception as wrong:
        lines.fault(wrong)
        raise
    finally:
        if not kernel.locking:  # to whoever keeps it, a kernel that waits for its key is up
            keeper.stopping()
        keeper.close()
        for task in waiting:
            task.cancel()
        await server.stop(0.5)
        await kernel.close()
        lines.say("kernel.stopped", pid=os.getpid())
        lines.close()


def _kernel(home: Home, ready_cells: int, stop: asyncio.Event) -> Kernel:
    """The kernel of a home, its journal checked. It is to stop at a signal, and when the journal breaks."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    journal = Journal.open(home.database, home.keys.database, home.witness(), (FOLD,))
    journal.watch(lambda broken: loop.call_soon_threadsafe(stop.set))
    vault = Vault.open(home.database, home.keys.database)
    return Kernel(home, journal, vault, Images(home.images, home.keys.images), ready_cells)


def _log(kernel: Kernel, home: Home) -> log.Log:
    """The log beside the home, which hears of all that is recorded, of servers, and of what libraries say."""
    lines = log.Log(log.beside(places.place(home.path, home.name).path), _status, CODES.__getitem__)
    kernel.ledger.listeners.append(lines.note)
    lines.hear()
    kernel.servers.told = lambda event, name, pid, restarts: lines.say(
        event, capability="added" if name in kernel.ledger.folders else name, pid=pid, restarts=restarts
    )
    return lines


def _server(kernel: Kernel, stop: asyncio.Event, token: str, lines: Callable[[], dict[str, int]]) -> grpc.aio.Server:
    """All services of a kernel, for who has the credential; it does not listen yet."""
    server = grpc.aio.server(
        interceptors=[Credential(token)],
        options=[("grpc.max_receive_message_length", MAX_MESSAGE), ("grpc.max_metadata_size", 16_384)],
        maximum_concurrent_rpcs=512,
    )
    control_pb2_grpc.add_ControlServiceServicer_to_server(Control(kernel, stop), server)
    events_pb2_grpc.add_EventsServiceServicer_to_server(events(kernel), server)
    statistics_pb2_grpc.add_StatisticsServiceServicer_to_server(Statistics(kernel, lines), server)
    return server


async def _guest(kernel: Kernel, require_walls: bool) -> list[str]:
    """Have cells ready; the walls that this machine lacks around them. Raises HomeError where all are required."""
    await kernel.loader.open()
    missing = list(kernel.loader.missing())
    if missing and require_walls:
        hint = "agentos doctor says what each is for; without --require-walls it starts all the same"
        raise HomeError("walls", f"this machine lacks walls: {', '.join(missing)}", hint)
    return missing


def _tell(descriptor: int, **what: object) -> None:
    """Say to who waits for it that the kernel is up, and where."""
    os.write(descriptor, msgspec.json.encode({**what, "pid": os.getpid()}) + b"\n")
    os.close(descriptor)
