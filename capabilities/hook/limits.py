"""How much of this process strangers may have, and for how long."""

from __future__ import annotations

import time

# Of one request. A body of this size is a fact the kernel keeps for good: what is larger belongs into a file.
HEAD_BYTES = 16 << 10
BODY_BYTES = 512 << 10
# What one event may weigh as JSON.
EVENT_BYTES = 1 << 20
# From the first byte to the last; and how long the kernel may take to have it on disk.
SENT_WITHIN_S = 5.0
KEPT_WITHIN_S = 15.0
# Who is told no while still sending is heard out for so long, so that they get to read it.
LINGER_S, LINGER_BYTES = 1.0, 2 << 20
# At once, all hooks together; who comes then is cut off.
CONNECTIONS = 64
# Of one hook: so many at once, and then so many a second.
BURST, A_SECOND = 60, 10.0


class Bucket:
    """What one hook may still take now."""

    def __init__(self) -> None:
        self._left = float(BURST)
        self._since = time.monotonic()

    def takes(self) -> bool:
        now = time.monotonic()
        self._left = min(self._left + (now - self._since) * A_SECOND, BURST)
        self._since = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
