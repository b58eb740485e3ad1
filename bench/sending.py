"""Events, sent through the kernel's own service as any sender would: each answer says that they are on disk."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

from agentos.v1 import control_pb2 as control
from agentos.v1 import events_pb2 as pb
from agentos.v1 import events_pb2_grpc
from bench.person import SECONDS, Person

NAME = "bench"
DATA = json.dumps("x" * 200)
# In a stream so many messages are under way at a time.
AHEAD = 4
WITHIN_S = 120.0


class Sender:
    """Sends to one program, which it arms. While that is off, what is sent waits on disk, and no run begins."""

    def __init__(self, person: Person, channel: grpc.aio.Channel, program: Path) -> None:
        self._person, self._program = person, program
        self._path = str(person.folder / program.name)
        self._stub = events_pb2_grpc.EventsServiceStub(channel)
        self._metadata = person.metadata

    async def arm(self, on: bool = True) -> None:
        source = control.Source(path=self._path, content=_content(self._program))
        folder = str(self._person.folder)
        request = pb.ArmRequest(
            source=source, start_folder=folder, home_folder=folder, confirmed=True, grant_manifest=True
        )
        await self._stub.Arm(request, metadata=self._metadata, timeout=SECONDS)
        if not on:
            await self._stub.Switch(
                pb.SwitchRequest(name=self._path, on=False), metadata=self._metadata, timeout=SECONDS
            )

    async def disarm(self) -> pb.DisarmResponse:
        return await self._stub.Disarm(pb.DisarmRequest(program=self._path), metadata=self._metadata, timeout=SECONDS)

    async def one_by_one(self, count: int) -> None:
        """A request for each, the next one after the answer."""
        for _ in range(count):
            said = await self._stub.SendEvent(_event(), metadata=self._metadata, timeout=SECONDS)
            assert said.triggers == 1

    async def stream(self, messages: int, together: int) -> None:
        """So many messages, with so many events in each; a message is answered when all of them are on disk."""
        stream = self._stub.SendEvents(metadata=self._metadata, timeout=SECONDS)
        message = pb.SendEventsRequest(events=[_event()] * together)
        sent = 0
        for heard in range(messages):
            while sent < min(messages, heard + AHEAD):
                await stream.write(message)
                sent += 1
            said = await stream.read()
            assert isinstance(said, pb.SendEventsResponse), "the stream ended"
            assert [each.triggers for each in said.sent] == [1] * together
        await stream.done_writing()

    async def first_line_ms(self) -> float:
        """From asking for one event to be sent to the first line of the run that it starts."""
        await self._person.still()
        asked_us = time.time_ns() // 1000
        await self.one_by_one(1)
        run = await self._person.ended("last")  # it began before the answer came
        if run.status != control.RUN_STATUS_DONE:
            sys.exit(f"a run that an event began failed: {run.error.reason}")
        return (run.timings_us.first_line - asked_us) / 1e3

    async def over(self) -> None:
        """Until nothing waits and no run is under way; each look costs the kernel a little, and is in the figure."""
        until = time.monotonic() + WITHIN_S
        while True:
            listed = await self._stub.ListArmed(pb.ListArmedRequest(), metadata=self._metadata, timeout=SECONDS)
            mine = next(each for each in listed.programs if each.path == self._path)
            if mine.failures or mine.paused:
                sys.exit(f"a run that an event began failed: {mine.paused}")
            if not mine.waiting and not mine.runs:
                return
            if time.monotonic() > until:
                sys.exit("the events that were sent are not done with")
            await asyncio.sleep(0.005)


def _event() -> pb.SendEventRequest:
    return pb.SendEventRequest(name=NAME, data=DATA)


def _content(program: Path) -> bytes:
    return program.read_bytes()


@asynccontextmanager
async def sender(person: Person, program: Path) -> AsyncIterator[Sender]:
    async with grpc.aio.insecure_channel(f"unix:{person.up.socket}") as channel:
        yield Sender(person, channel, program)
