"""The files capability as a process of its own."""

from __future__ import annotations

from agentos.capabilities.files.server import Files
from agentos.capabilities.server import serve

if __name__ == "__main__":
    serve(Files())
