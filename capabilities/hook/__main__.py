"""The hook capability as a process of its own."""

from __future__ import annotations

from agentos.capabilities.hook.server import Hooks
from agentos.capabilities.server import serve

if __name__ == "__main__":
    serve(Hooks())
