"""A client of the MCP server in tool.py, in a process of its own. It is no sandbox: it knows calls alone."""

from __future__ import annotations

import sys
from importlib import import_module

from bench.peers.driven.orders import take, watch

mcp = import_module("mcp")


def main() -> None:
    server = mcp.StdioServerParameters(command=sys.executable, args=["-m", "bench.peers.driven.tool"])
    with import_module("anyio.from_thread").start_blocking_portal() as portal:
        client = portal.call(_client, server)
        with portal.wrap_async_context_manager(client):

            async def one(text: str) -> float:
                with watch() as seen:
                    reply = await client.call_tool("echo", {"text": text})
                assert reply.content[0].text == text
                return seen.ns / 1e3

            async def many(count: int, text: str) -> list[float]:
                return [await one(text) for _ in range(count)]

            def calls(order: dict[str, object]) -> dict[str, object]:
                return {"us": portal.call(many, order["count"], order["text"])}

            take({"calls": calls})


async def _client(server: object) -> object:
    return mcp.Client(server)


if __name__ == "__main__":
    main()
