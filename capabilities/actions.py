"""What a capability is, and how the bytes of a call reach one of its methods."""

from __future__ import annotations

import asyncio
import re
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, ClassVar, TypeAlias, TypeVar

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError, Message

from agentos.capabilities.context import Context, check_bounds
from agentos.capabilities.failure import Failure, Invalid, Limit, Unavailable
from agentos.v1 import annotations_pb2, capability_pb2, error_pb2, seal

THREADS = 8

# What a call has done, as its response; None where it did not happen. Raises Unsure.
LookUp: TypeAlias = Callable[[Any, Context, int], Message | None]
# What the kernel shows and decides on: name and canonical value of each thing that a call would be about.
Prepared: TypeAlias = Mapping[str, str]
Reply: TypeAlias = Callable[[bytes, Context], Awaitable[bytes]]
AtOnce: TypeAlias = Callable[[bytes, Context], bytes]
Method: TypeAlias = Callable[[Any, Context], Awaitable[Any]]
M = TypeVar("M", bound=Callable[..., object])


@dataclass(frozen=True)
class Boot:
    """What the kernel says at the start. `forbidden` are real paths that are never named; `keeps` are the
    folders that its capability.toml names so, by their names; `settings` those of its settings that were made; `lane`
    the descriptor of the lane, where there is one, and `listener` that of a socket that listens."""

    socket: str
    key: bytes
    forbidden: tuple[str, ...] = ()
    keeps: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    lane: int = -1
    listener: int = -1


class Capability:
    """Base of what a server serves. `boot` is there before `start` and before the first call."""

    service: ClassVar[str]
    boot: Boot

    async def start(self) -> None:
        """Called once, on the event loop, before the server listens."""

    async def watch(self, request: capability_pb2.WatchRequest) -> AsyncIterator[capability_pb2.WatchResponse]:
        """Events as they happen, of those that are wanted. Without an override there are none."""
        none: tuple[capability_pb2.WatchResponse, ...] = ()
        for event in none:
            yield event

    def acknowledged(self, event: str, taken: int) -> None:
        """What became of an event that `watch` told of: a capability_pb2.Taken. On the event loop."""


def quick(method: M) -> M:
    """Mark a plain method that may run on the event loop: it does little, and waits for nothing but the disk."""
    method.__dict__["quick"] = True
    return method


class Unsure(Exception):
    """It cannot be told whether a call happened."""


class Actions:
    """The methods of a capability by their full names, from bytes to bytes. A missing method is an error at once.

    `replies` are all of them; `at_once` those that are quick, to be called where they are asked for.
    """

    def __init__(self, capability: Capability) -> None:
        self._capability = capability
        self._threads = ThreadPoolExecutor(THREADS, "call")
        service = descriptor_pool.Default().FindServiceByName(capability.service)
        self.replies: dict[str, Reply] = {}
        self.at_once: dict[str, AtOnce] = {}
        self._prepares: dict[str, Reply] = {}
        self._look_ups: dict[str, tuple[type[Message], LookUp]] = {}
        for rpc in service.methods:
            self._add(f"/{service.full_name}/{rpc.name}", snake(rpc.name), rpc)

    def _add(self, full_name: str, name: str, rpc: MethodDescriptor) -> None:
        request_type = message_factory.GetMessageClass(rpc.input_type)
        resolve = None
        if rpc.GetOptions().Extensions[annotations_pb2.action].prepare:
            resolve = self._awaitable(f"prepare_{name}")
            self._prepares[name] = partial(_prepare, request_type, resolve)
        if rpc.GetOptions().Extensions[annotations_pb2.action].again == annotations_pb2.AGAIN_LOOK_UP:
            self._look_ups[name] = request_type, self._method(f"look_up_{name}")
        if resolve is None and getattr(self._method(name), "quick", False):
            self.at_once[full_name] = partial(_perform_at_once, request_type, self._method(name))
        self.replies[full_name] = partial(_perform, request_type, self._awaitable(name), resolve)

    def _awaitable(self, name: str) -> Method:
        """A method as something to await: an async one itself, a quick one at once, a plain one in a thread."""
        method = self._method(name)
        if iscoroutinefunction(method):
            found: Method = method
            return found

        if getattr(method, "quick", False):

            async def at_once(request: Message, context: Context) -> object:
                return method(request, context)

            return at_once

        async def in_thread(request: Message, context: Context) -> object:
            return await asyncio.get_running_loop().run_in_executor(self._threads, method, request, context)

        return in_thread

    def _method(self, name: str) -> Any:
        method = getattr(self._capability, name, None)
        if method is None:
            raise TypeError(f"{type(self._capability).__name__} lacks the method {name}")
        return method

    async def look_up(self, raw: bytes, context: Context) -> bytes:
        """CapabilityService.LookUp: of whichever action."""
        asked = capability_pb2.LookUpRequest.FromString(raw)
        request_type, look_up = self._look_ups.get(asked.action.rpartition(".")[2], (None, None))
        if request_type is None or look_up is None:
            raise Invalid("this action cannot be looked up")
        request = _checked(request_type, asked.request, context)
        try:
            reply = await asyncio.get_running_loop().run_in_executor(
                self._threads, look_up, request, context, asked.since_ms
            )
        except Unsure:
            return capability_pb2.LookUpResponse().SerializeToString()
        fate = capability_pb2.FATE_DID_NOT if reply is None else capability_pb2.FATE_HAPPENED
        told = b"" if reply is None else reply.SerializeToString()
        return capability_pb2.LookUpResponse(fate=fate, reply=told).SerializeToString()

    async def prepare(self, request: bytes, context: Context) -> bytes:
        """CapabilityService.Prepare: of whichever action."""
        asked = capability_pb2.PrepareRequest.FromString(request)
        prepare = self._prepares.get(asked.action.rpartition(".")[2])
        if prepare is None:
            raise Invalid("this action needs no Prepare")
        return await prepare(asked.request, context)


async def _prepare(request_type: type[Message], resolve: Method, raw: bytes, context: Context) -> bytes:
    request = _checked(request_type, raw, context)
    found: Prepared = await resolve(request, context)
    targets = [capability_pb2.Target(name=name, value=value) for name, value in found.items()]
    return capability_pb2.PrepareResponse(targets=targets).SerializeToString()


async def _perform(
    request_type: type[Message], method: Method, resolve: Method | None, raw: bytes, context: Context
) -> bytes:
    request = _checked(request_type, raw, context)
    if resolve is not None:
        now: Prepared = await resolve(request, context)
        if any(value not in context.targets.get(name, ()) for name, value in now.items()):
            raise Unavailable("what the call is about has changed since it was asked", "make the call again", "changed")
    return _packed(await method(request, context))


def _perform_at_once(
    request_type: type[Message], method: Callable[[Message, Context], Message], raw: bytes, context: Context
) -> bytes:
    return _packed(method(_checked(request_type, raw, context), context))


def _checked(request_type: type[Message], raw: bytes, context: Context) -> Message:
    """The typed request, which lies within the grant. Raises Invalid for bytes that are not one."""
    try:
        request = request_type.FromString(raw)
    except DecodeError:
        raise Invalid("the request is not a message of this action") from None
    check_bounds(request, context)
    return request


def _packed(reply: Message) -> bytes:
    raw = reply.SerializeToString()
    if len(raw) > seal.REPLY_BYTES:
        raise Limit("the reply is larger than one call can carry", detail="too_large")
    return raw


def snake(name: str) -> str:
    """The action's name of an rpc: ReadLine, read_line."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def failure_of(problem: BaseException) -> Failure:
    """What the caller may know of an exception: a Failure as it is, of anything else only that it happened."""
    if isinstance(problem, Failure):
        return problem
    if isinstance(problem, TimeoutError):
        return Unavailable("the call did not end within its time", detail="interrupted")
    return Unavailable("the capability failed", "its own log says why", "interrupted")


def told(problem: BaseException) -> error_pb2.Error:
    """What the kernel is told. What was not raised on purpose is told to our own log alone."""
    failure = failure_of(problem)
    if failure is not problem:
        traceback.print_exception(problem, file=sys.stderr)
    return failure.error
