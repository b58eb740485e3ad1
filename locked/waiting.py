"""The control service of a kernel whose home is locked: it can be unlocked, asked how it is, sent events, and stopped.

Theory of operation. This process holds the home, so that no other kernel takes it, and listens where a kernel does,
behind a credential as well; but it has no key. What a person's shell brings over the control socket (forwarded by ssh,
from afar) is tried, one at a time, and is never written. When it fits, this service ends and the kernel's takes its
place at the same socket. Any other request is refused with the next step, so that a shell need not know beforehand.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import grpc
import msgspec
from google.protobuf.message import Message

from agentos.events import dispatch
from agentos.events.queue import MAX_DATA
from agentos.home import spool
from agentos.home.home import Held, Home
from agentos.home.keys import HomeError
from agentos.home.records import Fault
from agentos.home.refusal import Refusal
from agentos.kernel.control import VERSION, Credential, abort
from agentos.v1 import control_pb2 as pb
from agentos.v1 import error_pb2, events_pb2

if TYPE_CHECKING:
    from agentos.v1.control_pb2_grpc import _ServicerContext as Context

    Handler = grpc.RpcMethodHandler[bytes, bytes]

Request = TypeVar("Request", bound=Message)
MAX_MESSAGE = MAX_DATA + (64 << 10)
CONTROL, EVENTS = "/agentos.v1.ControlService/", "/agentos.v1.EventsService/"
KEYLESS = "the home is locked: its key is not here"
LOCKED = Fault(error_pb2.CODE_UNAVAILABLE, KEYLESS, "bring it: agentos unlock", "locked")
CODES = {
    "passphrase_needed": error_pb2.CODE_DENIED,
    "wrong_passphrase": error_pb2.CODE_DENIED,
    "invalid": error_pb2.CODE_INVALID,
    "limit": error_pb2.CODE_LIMIT,
}


class Trouble(msgspec.Struct, frozen=True):
    """Why a kernel that was unlocked could not go on; empty where nobody need know.

    `token` is that of its credential, which stays: who brought the key is to hear of it.
    """

    reason: str = ""
    hint: str = ""
    token: str = ""


async def _refused(request: bytes, context: Context) -> NoReturn:
    await abort(context, LOCKED)


class Answers(grpc.GenericRpcHandler):
    """These methods; every other one, of whichever service, is refused with the next step."""

    def __init__(self, methods: dict[str, Handler]) -> None:
        self._methods = methods
        self._otherwise: Handler = grpc.unary_unary_rpc_method_handler(_refused)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler:
        return self._methods.get(handler_call_details.method, self._otherwise)


def _method(form: type[Request], answer: Callable[[Request, Context], Awaitable[Message]]) -> Handler:
    async def answered(request: bytes, context: Context) -> bytes:
        return (await answer(form.FromString(request), context)).SerializeToString()

    handler: Handler = grpc.unary_unary_rpc_method_handler(answered)
    return handler


class Waiting:
    def __init__(self, held: Held, token: str, trouble: Trouble, until_fd: int | None = None) -> None:
        self._held, self._token, self._trouble, self._until_fd = held, token, trouble, until_fd
        self._spool = spool.Spool(held.path)
        self._turn, self._stop = asyncio.Lock(), asyncio.Event()
        self._ending = False
        self._opened: Home | None = None
        self._started_ms = time.time_ns() // 1_000_000

    async def served(self, ready: Callable[[Path], None]) -> Home | None:
        """Listen until the home is open, and return it; None where this is to end."""
        loop, shells = asyncio.get_running_loop(), (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        for number in shells:
            loop.add_signal_handler(number, self._end)
        if self._until_fd is not None:
            loop.add_reader(self._until_fd, self._end)
        server = grpc.aio.server(
            interceptors=[Credential(self._token)],
            options=[("grpc.max_receive_message_length", MAX_MESSAGE), ("grpc.max_metadata_size", 16_384)],
            maximum_concurrent_rpcs=64,
        )
        server.add_generic_rpc_handlers((Answers(self._methods()),))
        socket = self._held.runtime / "control.sock"
        socket.unlink(missing_ok=True)
        server.add_insecure_port(f"unix:{socket}")
        self._held.write_credential(self._token)
        await server.start()
        try:
            ready(socket)
            await self._stop.wait()
        finally:
            await server.stop(0.5)
            if self._until_fd is not None:
                loop.remove_reader(self._until_fd)
        return None if self._ending else self._opened

    def _methods(self) -> dict[str, Handler]:
        return {
            f"{CONTROL}Status": _method(pb.StatusRequest, self.status),
            f"{CONTROL}Shutdown": _method(pb.ShutdownRequest, self.shutdown),
            f"{CONTROL}Unlock": _method(pb.UnlockRequest, self.unlock),
            f"{EVENTS}SendEvent": _method(events_pb2.SendEventRequest, self.send_event),
        }

    def _end(self) -> None:
        self._ending = True
        self._stop.set()

    async def status(self, request: pb.StatusRequest, context: Context) -> pb.StatusResponse:
        trouble = error_pb2.Error(
            code=error_pb2.CODE_UNAVAILABLE, reason=self._trouble.reason, hint=self._trouble.hint
        ) if self._trouble.reason else None  # fmt: skip
        return pb.StatusResponse(
            version=VERSION, pid=os.getpid(), home=str(self._held.path), started_ms=self._started_ms, locked=True,
            locks=self._held.locks, trouble=trouble, events_sealed=self._spool.count,
        )  # fmt: skip

    async def shutdown(self, request: pb.ShutdownRequest, context: Context) -> pb.ShutdownResponse:
        if not request.lock:  # which it is already
            self._end()
        return pb.ShutdownResponse()

    async def unlock(self, request: pb.UnlockRequest, context: Context) -> pb.UnlockResponse:
        async with self._turn:  # a passphrase costs memory: one at a time
            if self._opened is None:
                try:
                    self._opened = await asyncio.to_thread(self._held.unlocked, request.secret)
                except HomeError as error:
                    await abort(context, _fault(error))
        self._trouble = Trouble()  # what is said of it from here on is of this time
        self._stop.set()
        return pb.UnlockResponse()

    async def send_event(self, request: events_pb2.SendEventRequest, context: Context) -> events_pb2.SendEventResponse:
        data, now = request.data or "null", time.time_ns() // 1_000_000
        new = spool.Sealed(request.id or f"sealed-{secrets.token_hex(16)}", request.name, data, now)
        try:
            dispatch.check(new.name, new.data, new.id)
            fresh = self._spool.seal(new)
        except Refusal as refusal:
            await abort(context, refusal.fault)
        except HomeError as error:
            await abort(context, _fault(error))
        return events_pb2.SendEventResponse(id=new.id, duplicate=not fresh, sealed=True)


def _fault(error: HomeError) -> Fault:
    return Fault(CODES.get(error.code, error_pb2.CODE_UNAVAILABLE), error.reason, error.hint, error.code)
