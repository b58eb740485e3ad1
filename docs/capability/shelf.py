"""The shelf: texts by name, in memory, gone when the server stops."""

from __future__ import annotations

import shelf_pb2 as pb

from agentos.capabilities.server import Capability, Context, Limit, NotFound, serve

SHELF_BYTES = 1_000_000


class Shelf(Capability):
    service = "shelf.v1.ShelfService"

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    async def get(self, request: pb.ShelfGetRequest, context: Context) -> pb.ShelfGetResponse:
        text = self._texts.get(request.name)
        if text is None:
            raise NotFound(f"nothing is on the shelf as {request.name}", "put it there first: shelf.put")
        return pb.ShelfGetResponse(text=text)

    async def put(self, request: pb.ShelfPutRequest, context: Context) -> pb.ShelfPutResponse:
        others = sum(len(name) + len(text) for name, text in self._texts.items() if name != request.name)
        if others + len(request.name) + len(request.text) > SHELF_BYTES:
            raise Limit("the shelf is full", "put less on it", "quota")
        self._texts[request.name] = request.text
        return pb.ShelfPutResponse()


if __name__ == "__main__":
    serve(Shelf())
