"""A server's end of the lane: each call is admitted as it comes, and answered when it is done.

What is quick is done where it is heard, without a task or a thread: that is what makes a small call cheap. All else has
a task of its own, so that nothing waits for it. Where the kernel does not read, no more calls are read either.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from functools import partial
from typing import cast

from agentos.capabilities.actions import AtOnce, Reply, told
from agentos.capabilities.context import Context
from agentos.capabilities.failure import Unavailable
from agentos.capabilities.gate import Gate
from agentos.v1 import lane


class Lane(asyncio.Protocol):
    """`at_once` are the quick methods by their full names, `replies` all of them."""

    _line: asyncio.Transport

    def __init__(self, gate: Gate, at_once: Mapping[str, AtOnce], replies: Mapping[str, Reply]) -> None:
        self._gate = gate
        self._at_once = at_once
        self._replies = replies
        self._frames = lane.Frames(*lane.CALLS)
        self._under_way: dict[int, asyncio.Task[bytes]] = {}

    async def finish(self, within_s: float) -> None:
        """Let the calls under way end, for a while."""
        if self._under_way:
            await asyncio.wait(self._under_way.values(), timeout=within_s)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._line = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._frames.feed(data):
                self._take(*lane.read_call(frame))
        except lane.BadFrame:
            self._line.abort()

    def pause_writing(self) -> None:
        self._line.pause_reading()

    def resume_writing(self) -> None:
        self._line.resume_reading()

    def _take(self, number: int, mark: bytes, method: str, context: bytes, request: bytes) -> None:
        if not method:
            if number in self._under_way:
                self._under_way[number].cancel()
            return
        try:
            admitted = self._gate.admit(method, context, request, mark)
            if at_once := self._at_once.get(method):
                self._line.write(lane.answer(number, lane.REPLY, at_once(request, admitted)))
                return
            reply = self._replies.get(method)
            if reply is None:
                raise Unavailable("the capability does not know this action")
        except Exception as problem:  # noqa: BLE001 - a method may raise anything, and none of it may leave here
            self._fail(number, problem)
            return
        task = asyncio.get_running_loop().create_task(_performed(reply, request, admitted))
        self._under_way[number] = task
        task.add_done_callback(partial(self._done, number))

    def _done(self, number: int, task: asyncio.Task[bytes]) -> None:
        del self._under_way[number]
        if task.cancelled():
            self._fail(number, Unavailable("the call was given up", detail="interrupted"))
        elif problem := task.exception():
            self._fail(number, problem)
        else:
            self._line.write(lane.answer(number, lane.REPLY, task.result()))

    def _fail(self, number: int, problem: BaseException) -> None:
        self._line.write(lane.answer(number, lane.ERROR, told(problem).SerializeToString()))


async def _performed(reply: Reply, request: bytes, context: Context) -> bytes:
    async with asyncio.timeout(context.remaining_s):
        return await reply(request, context)


async def open_lane(descriptor: int, gate: Gate, at_once: Mapping[str, AtOnce], replies: Mapping[str, Reply]) -> Lane:
    """Take calls over this descriptor, which is the lane's from now on."""
    line = socket.socket(fileno=descriptor)
    line.setblocking(False)
    loop = asyncio.get_running_loop()
    _, made = await loop.create_unix_connection(lambda: Lane(gate, at_once, replies), sock=line)
    return made
