"""What all capability servers share. A new capability is a .proto and a class with one method for each of its rpcs:

    class Shelf(Capability):
        service = "agentos.v1.ShelfService"

        def get(self, request: ShelfGetRequest, context: Context) -> ShelfGetResponse: ...
        async def put(self, request: ShelfPutRequest, context: Context) -> ShelfPutResponse: ...

    serve(Shelf())

A plain method may block: it runs in one of a few threads. An `async` one runs on the event loop and must not. Where an
action is annotated `prepare`, a method `prepare_<rpc>` returns, without any effect, what the call would be about. Where
it is annotated AGAIN_LOOK_UP, a plain method `look_up_<rpc>` of request, context and the time (unix ms) since when it
may have happened returns the response of what did, None for what did not, and raises Unsure where nobody can tell. To
fail, raise one of agentos.capabilities.failure. A plain method that is marked `quick` waits for nothing but the disk
and does little: it runs on the event loop, which saves the way to a thread and back.

Before a method is called, this has been checked, in this order: the seal of the kernel over the very bytes that came,
the deadline, the nonce; that every bounded field lies within the bounds of the grant; and that what `prepare_<rpc>`
says now is what was decided on and shown. So a method only checks what it meets at the moment of use.

The process is started by the kernel, confined, with nothing but: fd 3, a pipe with JSON (Boot) until its end; fd 4, a
pipe to which it writes `ready\n` when it listens; and the lane, over which most calls come (`lane.py`). It ends on
SIGTERM after the calls under way, and with its parent.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
from collections.abc import AsyncIterator
from functools import partial
from typing import NoReturn

import grpc
from grpc import aio

from agentos.capabilities.actions import Actions, Boot, Capability, Unsure, quick, told
from agentos.capabilities.context import Context
from agentos.capabilities.failure import Denied, Failure, Invalid, Limit, NotFound, Unavailable
from agentos.capabilities.gate import Gate
from agentos.capabilities.lane import Lane, open_lane
from agentos.capabilities.narrow import narrow
from agentos.v1 import capability_pb2, error_pb2, seal

__all__ = [
    "Boot", "Capability", "Context", "Denied", "Failure", "Invalid", "Limit", "NotFound", "Unavailable", "Unsure",
    "quick", "serve",
]  # fmt: skip

# Twice what the kernel has under way at most: a call that was given up counts until that is heard.
CALLS_AT_ONCE = 512
STOPS_WITHIN_S = 5.0
OWN = "/agentos.v1.CapabilityService/"
OPTIONS = (
    ("grpc.max_receive_message_length", seal.MESSAGE_BYTES),
    ("grpc.max_send_message_length", seal.MESSAGE_BYTES),
    ("grpc.max_metadata_size", seal.CONTEXT_BYTES),
    ("grpc.absolute_max_metadata_size", seal.CONTEXT_BYTES),
    ("grpc.max_concurrent_streams", CALLS_AT_ONCE),
)
STATUS = {
    error_pb2.CODE_DENIED: grpc.StatusCode.PERMISSION_DENIED,
    error_pb2.CODE_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    error_pb2.CODE_LIMIT: grpc.StatusCode.RESOURCE_EXHAUSTED,
    error_pb2.CODE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    error_pb2.CODE_INVALID: grpc.StatusCode.INVALID_ARGUMENT,
}

Call = aio.ServicerContext[bytes, bytes]


def serve(capability: Capability) -> None:
    """Run a capability as the process that the kernel started. Returns when it is told to stop."""
    asyncio.run(_serve(capability, read_boot()))


def read_boot(fd: int = 3) -> Boot:
    with os.fdopen(fd, "rb") as pipe:
        told = json.loads(pipe.read())
    keeps, settings = told.get("keeps", {}), told.get("settings", {})
    key, lane = bytes.fromhex(told["key"]), told.get("lane", -1)
    return Boot(told["socket"], key, tuple(told["forbidden"]), keeps, settings, lane, told.get("listener", -1))


async def _serve(capability: Capability, boot: Boot) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    capability.boot = boot
    await capability.start()
    server = aio.server(options=OPTIONS, maximum_concurrent_rpcs=CALLS_AT_ONCE)
    door = Door(capability, boot)
    server.add_generic_rpc_handlers((door,))
    server.add_insecure_port(f"unix:{boot.socket}")
    await server.start()
    lane = await door.open_lane(boot.lane) if boot.lane >= 0 else None
    narrow()
    # What is there now stays: no collection has to look at it again.
    gc.collect()
    gc.freeze()
    os.write(4, b"ready\n")
    os.close(4)
    await stop.wait()
    if lane:
        await lane.finish(STOPS_WITHIN_S)
    await server.stop(STOPS_WITHIN_S)


class Door(grpc.GenericRpcHandler):
    """Every way in. What comes in stays bytes until its seal was found to hold."""

    def __init__(self, capability: Capability, boot: Boot) -> None:
        self._gate = Gate(boot.key)
        self._lane = boot.lane >= 0
        self._capability = capability
        actions = Actions(capability)
        self._at_once = actions.at_once
        self._replies = actions.replies | {
            OWN + "Describe": self._describe,
            OWN + "Health": self._health,
            OWN + "Prepare": actions.prepare,
            OWN + "LookUp": actions.look_up,
            OWN + "Acknowledge": self._acknowledge,
        }
        self._handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            method: grpc.unary_unary_rpc_method_handler(partial(self._answer, method)) for method in self._replies
        }
        self._handlers[OWN + "Watch"] = grpc.unary_stream_rpc_method_handler(partial(self._events, OWN + "Watch"))

    async def open_lane(self, descriptor: int) -> Lane:
        """The other way in, for the same calls."""
        return await open_lane(descriptor, self._gate, self._at_once, self._replies)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        return self._handlers.get(handler_call_details.method)

    def _admit(self, method: str, request: bytes, call: Call) -> Context:
        """The context of a call whose seal is in its metadata. Raises as the gate does."""
        sent = {name: value for name, value in call.invocation_metadata() or () if isinstance(value, bytes)}
        return self._gate.admit(method, sent.get(seal.CONTEXT, b""), request, sent.get(seal.SEAL, b""))

    async def _answer(self, method: str, request: bytes, call: Call) -> bytes:
        try:
            context = self._admit(method, request, call)
            async with asyncio.timeout(context.remaining_s):
                return await self._replies[method](request, context)
        except Exception as problem:  # noqa: BLE001 - a method may raise anything, and none of it may leave here
            await _abort(call, problem)

    async def _events(self, method: str, request: bytes, call: Call) -> AsyncIterator[bytes]:
        try:
            self._admit(method, request, call)
            async for event in self._capability.watch(capability_pb2.WatchRequest.FromString(request)):
                yield event.SerializeToString()
        except Exception as problem:  # noqa: BLE001 - a method may raise anything, and none of it may leave here
            await _abort(call, problem)

    async def _describe(self, request: bytes, context: Context) -> bytes:
        return capability_pb2.DescribeResponse(services=[self._capability.service], lane=self._lane).SerializeToString()

    async def _acknowledge(self, request: bytes, context: Context) -> bytes:
        asked = capability_pb2.AcknowledgeRequest.FromString(request)
        self._capability.acknowledged(asked.id, asked.taken)
        return capability_pb2.AcknowledgeResponse().SerializeToString()

    async def _health(self, request: bytes, context: Context) -> bytes:
        return capability_pb2.HealthResponse().SerializeToString()


async def _abort(call: Call, problem: Exception) -> NoReturn:
    """End a call with its typed error."""
    error = told(problem)
    await call.abort(STATUS[error.code], trailing_metadata=((seal.ERROR, error.SerializeToString()),))
