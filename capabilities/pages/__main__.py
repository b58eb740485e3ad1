"""The pages capability as a process of its own."""

from __future__ import annotations

from agentos.capabilities.pages.server import Pages
from agentos.capabilities.server import serve

if __name__ == "__main__":
    serve(Pages())
