"""A real kernel in the process of the test: cells, journal and database as ever, and nobody who talks to it."""

from __future__ import annotations

import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agentos.home import home
from agentos.home.history import RunEnded
from agentos.home.journal import Journal
from agentos.home.vault import Vault
from agentos.kernel.cells.images import Images
from agentos.kernel.serve import Kernel
from agentos.v1 import control_pb2 as pb
from tests.cells.conftest import gone
from tests.kernel.person import warm_home


@asynccontextmanager
async def kernel_in(place: Path) -> AsyncIterator[Kernel]:
    """A kernel on a home in this folder; its guest is not mapped yet. It wants a large stack, for itself alone."""
    stack = resource.getrlimit(resource.RLIMIT_STACK)
    held = home.unlock(warm_home(place), "")
    kept = Journal.open(held.database, held.keys.database)
    vault = Vault.open(held.database, held.keys.database)
    made = Kernel(held, kept, vault, Images(held.images, held.keys.images), ready=1)
    try:
        yield made
    finally:
        await made.close()
        held.close()
        resource.setrlimit(resource.RLIMIT_STACK, stack)


async def ran(kernel: Kernel, request: pb.RunRequest) -> RunEnded:
    """How a run ended that nobody follows."""
    return await end(kernel, kernel.runs.accept(request).id)


async def end(kernel: Kernel, run: str) -> RunEnded:
    assert await gone(lambda: run not in kernel.runs.active, 20)
    past = kernel.ledger.past(run)
    assert past
    assert past.end
    return past.end
