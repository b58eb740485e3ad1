"""An echo that remembers when each call reached it, by a finer clock than a program may have."""

from __future__ import annotations

import time

import echo_pb2 as pb  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]  (beside it there)

from agentos.capabilities.server import Capability, Context, serve


class Echo(Capability):
    service = "echo.v1.EchoService"

    def __init__(self) -> None:
        self._at_ns: list[int] = []

    async def say(self, request: pb.EchoSayRequest, context: Context) -> pb.EchoSayResponse:
        self._at_ns.append(time.monotonic_ns())
        return pb.EchoSayResponse(text=request.text)

    async def note(self, request: pb.EchoNoteRequest, context: Context) -> pb.EchoNoteResponse:
        return pb.EchoNoteResponse(text=request.text)

    async def heard(self, request: pb.EchoHeardRequest, context: Context) -> pb.EchoHeardResponse:
        heard, self._at_ns = self._at_ns, []
        return pb.EchoHeardResponse(at_ns=heard)


if __name__ == "__main__":
    serve(Echo())
