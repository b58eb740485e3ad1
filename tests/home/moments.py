"""What has to come true within a time, on a machine that may be busy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

MOMENT_S = 0.01


async def within(seconds: float, true: Callable[[], bool]) -> bool:
    """Whether it comes true in that time, counted in moments that this process was given.

    On a machine that is busy each moment is longer, for us as for what we wait for.
    """
    for _ in range(round(seconds / MOMENT_S)):
        if true():
            return True
        await asyncio.sleep(MOMENT_S)  # files and keyrings tell nobody
    return true()
