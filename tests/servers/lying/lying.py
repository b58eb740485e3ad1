"""A files server that lies on the lane: the name of the file that is asked for says how."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agentos.capabilities.files.server import Files
from agentos.capabilities.server import Context, quick, serve
from agentos.v1 import files_pb2 as pb
from agentos.v1 import lane

honest = lane.answer
LIES: dict[str, Callable[[int, int, bytes], bytes]] = {
    "another": lambda number, kind, body: honest(number + 1000, kind, body),
    "twice": lambda number, kind, body: honest(number, kind, body) * 2,
    "kind": lambda number, kind, body: honest(number, 7, body),
    "long": lambda number, kind, body: (lane.ANSWERS[1] + 1).to_bytes(4, "big"),
    "short": lambda number, kind, body: bytes(4),
    "nonsense": lambda number, kind, body: honest(number, lane.ERROR, b"\xff\xff"),
    "torn": lambda number, kind, body: honest(number, lane.REPLY, b"\xff\xff"),
    "silence": lambda number, kind, body: b"",
}


class Lying(Files):
    lie = ""
    given_up = 0

    @quick
    def read(self, request: pb.FilesReadRequest, context: Context) -> pb.FilesReadResponse:
        type(self).lie = request.path.rpartition("/")[2]
        return pb.FilesReadResponse(text="honestly", size=self.given_up)

    async def list(  # type: ignore[override]  # the base has a thread
        self, request: pb.FilesListRequest, context: Context
    ) -> pb.FilesListResponse:
        """Is under way until nobody waits for it any more."""
        try:
            await asyncio.Event().wait()
        finally:
            type(self).given_up += 1
        return pb.FilesListResponse()


def answer(number: int, kind: int, body: bytes) -> bytes:
    return LIES.get(Lying.lie, honest)(number, kind, body)


if __name__ == "__main__":
    lane.answer = answer
    serve(Lying())
