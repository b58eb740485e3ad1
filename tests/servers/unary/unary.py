"""A files server as one written in another language may be: it takes each call as a gRPC call of its own."""

from __future__ import annotations

import os

from agentos.capabilities import server
from agentos.capabilities.files.server import Files
from agentos.capabilities.server import Context, Unavailable, serve
from agentos.v1 import capability_pb2
from agentos.v1 import files_pb2 as pb


class Unary(Files):
    def read(self, request: pb.FilesReadRequest, context: Context) -> pb.FilesReadResponse:
        if request.path.endswith("/interrupted"):
            raise Unavailable("it may have happened", "look first", "interrupted")
        if request.path.endswith("/crash"):
            os._exit(1)
        return pb.FilesReadResponse(text=str(os.getpid()))


class Door(server.Door):
    async def _describe(self, request: bytes, context: Context) -> bytes:
        return capability_pb2.DescribeResponse(services=[self._capability.service]).SerializeToString()


if __name__ == "__main__":
    server.Door = Door  # type: ignore[misc]
    serve(Unary())
