"""The peer of durability: this same kernel, which takes each record for durable as soon as it is made.

Every call goes the same way and is recorded in the same place, by the same writer, some time later; nobody waits for
the disk. So what is between the two is what durability costs. It is no setting of the kernel's: it exists here alone.
"""

from __future__ import annotations

import sys

from agentos.home.writer import Writer
from agentos.kernel.__main__ import main


async def _at_once(self: Writer, seq: int) -> None:
    self.check()


def _some_time(self: Writer) -> None:
    """Nobody hurries it."""


if __name__ == "__main__":
    Writer.durable = _at_once  # type: ignore[method-assign]
    Writer.soon = _some_time  # type: ignore[method-assign]
    sys.exit(main())
