"""The net capability as a process of its own."""

from __future__ import annotations

from agentos.capabilities.net.server import Net
from agentos.capabilities.server import serve

if __name__ == "__main__":
    serve(Net())
