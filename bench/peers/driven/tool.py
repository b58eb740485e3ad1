"""An MCP server over its standard streams, by the official SDK, with one tool that says what it heard."""

from __future__ import annotations

from importlib import import_module


def echo(text: str) -> str:
    return text


if __name__ == "__main__":
    server = import_module("mcp.server.mcpserver").MCPServer("echo", log_level="ERROR")
    server.tool()(echo)
    server.run("stdio")
