"""The service of events: what the person's shell may ask about armed programs. It translates; the queue decides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from agentos.events import arming
from agentos.events.dispatch import SEE, Book, Dispatch
from agentos.home.happenings import Disarmed
from agentos.home.refusal import Refusal
from agentos.v1 import error_pb2, events_pb2_grpc
from agentos.v1 import events_pb2 as pb

if TYPE_CHECKING:
    from agentos.v1.events_pb2_grpc import _ServicerContext as Context

T = TypeVar("T")
OnTheWay: TypeAlias = "asyncio.Queue[asyncio.Task[list[pb.SendEventResponse]] | None]"
MOST_LISTED = 1_000
# So many events come in one message, and so many messages of one stream are on their way to the disk at a time.
MOST_TOGETHER, AHEAD = 1_000, 8


class Done(Protocol):
    """Waits for what was asked for, and ends the call with a typed error where it cannot be."""

    async def __call__(self, work: Awaitable[T], context: Context, /) -> T: ...


class Events(events_pb2_grpc.EventsServiceServicer):
    def __init__(
        self, book: Book, dispatch: Dispatch, arm: Callable[[pb.ArmRequest], Awaitable[pb.ArmResponse]], done: Done,
        now_ms: Callable[[], int], watched: arming.Watched,
    ) -> None:  # fmt: skip
        self._book, self._queue, self._dispatch, self._now_ms = book, book.queue, dispatch, now_ms
        self._arm, self._done, self._watched = arm, done, watched

    async def Arm(self, request: pb.ArmRequest, context: Context) -> pb.ArmResponse:
        said = await self._done(self._arm(request), context)
        if request.confirmed:
            said.triggers.extend(arming.triggers(self._queue, request.source.path, self._now_ms(), self._watched))
            for each in said.triggers:
                self._dispatch.next(each.id)
            self._dispatch.changed()
        return said

    async def Disarm(self, request: pb.DisarmRequest, context: Context) -> pb.DisarmResponse:
        return await self._done(self._disarm(request), context)

    async def _disarm(self, request: pb.DisarmRequest) -> pb.DisarmResponse:
        path = self._queue.named(request.program)
        if not path:
            raise Refusal(error_pb2.CODE_NOT_FOUND, "no one program of that name is armed", SEE)
        dropped = len(self._queue.owed.get(path, ()))
        await self._book.durable(self._book.record(Disarmed(path, self._now_ms())))
        self._dispatch.changed()
        return pb.DisarmResponse(path=path, dropped=dropped)

    async def ListArmed(self, request: pb.ListArmedRequest, context: Context) -> pb.ListArmedResponse:
        found = [arming.program(self._queue, path, self._now_ms(), self._watched) for path in self._queue.programs]
        return pb.ListArmedResponse(programs=found)

    async def Switch(self, request: pb.SwitchRequest, context: Context) -> pb.SwitchResponse:
        await self._done(self._dispatch.switch(request.name, request.on), context)
        return pb.SwitchResponse()

    async def Fire(self, request: pb.FireRequest, context: Context) -> pb.FireResponse:
        return pb.FireResponse(event=await self._done(self._dispatch.fire(request.trigger), context))

    async def SendEvent(self, request: pb.SendEventRequest, context: Context) -> pb.SendEventResponse:
        return await self._done(self._sent(request), context)

    async def SendEvents(
        self, request_iterator: AsyncIterator[pb.SendEventsRequest], context: Context
    ) -> AsyncIterator[pb.SendEventsResponse]:
        on_the_way: OnTheWay = asyncio.Queue(AHEAD)
        reading = asyncio.create_task(self._read(request_iterator, on_the_way))
        try:
            while (sending := await on_the_way.get()) is not None:
                yield pb.SendEventsResponse(sent=await self._done(sending, context))
        finally:
            reading.cancel()
            left = [each for each in _rest(on_the_way) if each]
            await asyncio.gather(reading, *left, return_exceptions=True)

    async def _read(self, requests: AsyncIterator[pb.SendEventsRequest], on_the_way: OnTheWay) -> None:
        """Begin with each as it comes: what comes meanwhile shares its sync."""
        try:
            async for each in requests:
                await on_the_way.put(asyncio.create_task(self._together(each)))
        finally:
            await on_the_way.put(None)

    async def _together(self, request: pb.SendEventsRequest) -> list[pb.SendEventResponse]:
        if len(request.events) > MOST_TOGETHER:
            hint = "send them as several messages of the stream"
            reason = f"more than {MOST_TOGETHER:,} events in one message"
            raise Refusal(error_pb2.CODE_LIMIT, reason, hint, "too_many")
        return await asyncio.gather(*map(self._sent, request.events))

    async def _sent(self, request: pb.SendEventRequest) -> pb.SendEventResponse:
        event, duplicate, triggers = await self._dispatch.send(request.name, request.data, request.id)
        runs = 0 if duplicate else len(self._queue.hearing.by_name.get(f"event.{request.name}", ()))
        return pb.SendEventResponse(id=event, duplicate=duplicate, triggers=triggers, runs=runs)

    async def ListEvents(self, request: pb.ListEventsRequest, context: Context) -> pb.ListEventsResponse:
        queue, found = self._queue, pb.ListEventsResponse()
        for each in queue.owed.values():
            left = MOST_LISTED - len(found.waiting)
            found.waiting.extend(arming.waiting(queue, owed) for owed in list(each.values())[:left])
        found.dead.extend(arming.waiting(queue, owed) for owed in queue.dead.values())
        return found

    async def ReplayEvent(self, request: pb.ReplayEventRequest, context: Context) -> pb.ReplayEventResponse:
        return pb.ReplayEventResponse(triggers=await self._done(self._dispatch.replay(request.id), context))


def _rest(queue: asyncio.Queue[T]) -> Iterator[T]:
    while not queue.empty():
        yield queue.get_nowait()
